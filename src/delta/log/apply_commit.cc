#include <algorithm>
#include <set>

#include "delta/log/commit_json.h"
#include "delta/log/parsed_actions.h"
#include "delta/log/replay.h"
#include "delta/table.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// Corruption when one commit has two actions for one file.
Status CheckNoDuplicates(const ParsedActions& actions, int64_t version, std::string_view table_uri) {
  std::set<std::pair<std::string, std::string>> keys;
  const auto once = [&](std::string path, std::string vector) -> Status {
    if (keys.emplace(path, std::move(vector)).second) return Status::Ok();
    return Status::Corruption("version " + std::to_string(version) + " has two actions for the file " + path);
  };
  for (const auto& removed : actions.removes()) {
    TARN_RETURN_NOT_OK(once(std::string(actions.RemovedPath(removed)), std::string(actions.RemovedVector(removed))));
  }
  for (const auto& chunk : actions.chunks()) {
    for (size_t slot = 0; slot < chunk->size(); ++slot) {
      TARN_RETURN_NOT_OK(once(CanonicalPath(chunk->Path(slot), table_uri), chunk->DeletionVectorId(slot)));
    }
  }
  return Status::Ok();
}

/// Marks files dead in copies of the affected chunks' bits.
class FileKiller {
 public:
  FileKiller(std::vector<ChunkView>& chunks, std::string table_uri)
      : chunks_(chunks), table_uri_(std::move(table_uri)) {}

  void Kill(uint64_t hash, std::string_view path, std::string_view vector) {
    const auto found = FindLive(chunks_, hash, path, vector, table_uri_);
    if (!found.has_value()) return;
    const auto [index, slot] = *found;
    ChunkView& view = chunks_[index];
    std::shared_ptr<DeadFiles>& bits = copies_[index];
    if (bits == nullptr) {
      bits = view.dead != nullptr ? std::make_shared<DeadFiles>(*view.dead)
                                  : std::make_shared<DeadFiles>((view.chunk->size() + 63) / 64);
      view.dead = bits;
    }
    (*bits)[slot / 64] |= uint64_t{1} << (slot % 64);
    --view.live;
    view.live_bytes -= view.chunk->record(slot).size_bytes;
  }

 private:
  std::vector<ChunkView>& chunks_;
  const std::string table_uri_;
  std::map<size_t, std::shared_ptr<DeadFiles>> copies_;
};

Status ParseCommit(std::string_view text, int64_t version, ParsedActions& actions) {
  actions.BeginCommit(version);
  std::string padded;
  padded.reserve(text.size() + kLinePadding);
  padded.append(text).append(kLinePadding, ' ');
  CommitParser parser;
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = std::min(text.find('\n', begin), text.size());
    actions.BeginLine(padded.data() + begin, static_cast<int64_t>(begin));
    const Status status = parser.ParseLine(std::string_view(padded).substr(begin, newline - begin), actions);
    if (!status.ok()) return status.WithContext("line at byte " + std::to_string(begin));
    begin = newline + 1;
  }
  actions.Finish();
  return Status::Ok();
}

}  // namespace

/// Takes the newest of what has one value per table or per key. `units` are in the order of the log.
Status TakeSmallActions(const std::vector<const ParsedActions*>& units, TableState& state) {
  // Copied only when something changes: applications may be many.
  std::shared_ptr<TxnMap> txns;
  std::shared_ptr<DomainMap> domains;
  std::set<std::pair<int64_t, std::string>> seen;
  const auto once = [&](int64_t version, std::string what) -> Status {
    if (seen.emplace(version, what).second) return Status::Ok();
    return Status::Corruption("version " + std::to_string(version) + " has two actions of one kind: " + what);
  };
  for (const ParsedActions* unit : units) {
    for (const auto& [version, protocol] : unit->protocols) {
      TARN_RETURN_NOT_OK(once(version, "protocol"));
      state.protocol = protocol;
    }
    for (const auto& [version, metadata] : unit->metadatas) {
      TARN_RETURN_NOT_OK(once(version, "metaData"));
      state.metadata = metadata;
    }
    for (const auto& [version, txn] : unit->txns) {
      TARN_RETURN_NOT_OK(once(version, "txn " + txn.app_id));
      if (txns == nullptr) txns = std::make_shared<TxnMap>(*state.txns);
      (*txns)[txn.app_id] = txn;
    }
    for (const auto& [version, domain] : unit->domains) {
      TARN_RETURN_NOT_OK(once(version, "domainMetadata " + domain.domain));
      if (domains == nullptr) domains = std::make_shared<DomainMap>(*state.domains);
      (*domains)[domain.domain] = domain;
    }
    for (const auto& [version, timestamp] : unit->in_commit_timestamps) {
      if (version == state.version) state.in_commit_timestamp_millis = timestamp;
    }
  }
  if (txns != nullptr) state.txns = std::move(txns);
  if (domains != nullptr) state.domains = std::move(domains);
  return Status::Ok();
}

Result<TableState> ApplyCommit(const TableState& base, const std::shared_ptr<storage::ObjectStore>& store,
                               std::string_view text, int64_t version, int64_t modified_millis,
                               const ReplayOptions& options) {
  const std::string key = CommitKey(version);
  if (text.empty()) return Status::Corruption(key + ": the commit is empty");
  const std::string uri = store->uri();
  StatsSource source;
  if (static_cast<int64_t>(text.size()) > options.held_stats_commit_bytes) source = {store, key};
  ParsedActions actions(uri, std::move(source));
  TARN_RETURN_NOT_OK(ParseCommit(text, version, actions).WithContext(key));
  TARN_RETURN_NOT_OK(CheckNoDuplicates(actions, version, uri));

  TableState state = base;
  state.version = version;
  state.modified_millis = modified_millis;
  state.etag.clear();
  state.in_commit_timestamp_millis.reset();
  TARN_RETURN_NOT_OK(TakeSmallActions({&actions}, state));
  FileKiller killer(state.chunks, uri);
  for (const auto& removed : actions.removes()) {
    killer.Kill(removed.hash, actions.RemovedPath(removed), actions.RemovedVector(removed));
  }
  for (const auto& chunk : actions.chunks()) {
    for (size_t slot = 0; slot < chunk->size(); ++slot) {
      const std::string path = CanonicalPath(chunk->Path(slot), uri);
      killer.Kill(chunk->record(slot).hash, path, chunk->DeletionVectorId(slot));
    }
  }
  std::erase_if(state.chunks, [](const ChunkView& view) { return view.live == 0; });
  for (const auto& chunk : actions.chunks()) AppendChunk(state.chunks, ChunkView::Of(chunk, nullptr));
  return state;
}

}  // namespace tarn::delta
