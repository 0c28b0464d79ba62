#include "delta/replay.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <set>
#include <thread>

#include "base/executor.h"
#include "base/mutex.h"
#include "delta/checkpoint_reader.h"
#include "delta/parsed_actions.h"
#include "delta/table.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// Small commits are read this many at a time by one thread.
constexpr size_t kMaxCommitsPerUnit = 256;
/// How far a line may reach beyond its window, read in steps of kLineTailBytes.
constexpr int64_t kLineTailBytes = 64 << 10;
constexpr int64_t kMaxLineBytes = int64_t{1} << 30;

/// Bytes [begin, end) of one commit; a part owns the lines that begin in it.
struct CommitPart {
  const LogFile* commit = nullptr;
  int64_t begin = 0;
  int64_t end = 0;
};

struct Unit {
  std::vector<CommitPart> parts;
  bool holds_statistics = true;
};

std::vector<Unit> PlanUnits(const std::vector<LogFile>& commits, const ReplayOptions& options) {
  std::vector<Unit> units;
  int64_t bytes = 0;
  for (const LogFile& commit : commits) {
    if (commit.size_bytes > options.window_bytes) {
      for (int64_t begin = 0; begin < commit.size_bytes; begin += options.window_bytes) {
        const int64_t end = std::min(begin + options.window_bytes, commit.size_bytes);
        units.push_back({{{&commit, begin, end}}, commit.size_bytes <= options.held_stats_commit_bytes});
      }
      bytes = options.window_bytes;
      continue;
    }
    if (units.empty() || bytes + commit.size_bytes > options.window_bytes ||
        units.back().parts.size() >= kMaxCommitsPerUnit) {
      units.emplace_back();
      bytes = 0;
    }
    units.back().parts.push_back({&commit, 0, commit.size_bytes});
    bytes += commit.size_bytes;
  }
  return units;
}

Status ReadExactly(storage::ObjectReader& reader, int64_t offset, size_t length, char* out) {
  TARN_ASSIGN_OR_RETURN(const size_t read,
                        reader.ReadAt(offset, MutableByteSpan(reinterpret_cast<std::byte*>(out), length)));
  if (read != length) return Status::Corruption("the file is shorter than it was listed");
  return Status::Ok();
}

/// Reads and parses the lines of one part.
class PartReader {
 public:
  PartReader(storage::ObjectStore& store, ParsedActions& actions) : store_(store), actions_(actions) {}

  Status Read(const CommitPart& part) { return ReadPart(part).WithContext(part.commit->key); }

 private:
  Status ReadPart(const CommitPart& part) {
    TARN_ASSIGN_OR_RETURN(const auto reader, store_.Open(part.commit->key));
    const int64_t size = reader->info().size_bytes;
    if (size == 0) return Status::Corruption("the commit is empty");
    if (size < part.end) return Status::Corruption("the file is shorter than it was listed");
    // A commit read whole is taken as it is now, whatever the listing said of its size.
    const int64_t end = part.begin == 0 && part.end == part.commit->size_bytes ? size : part.end;
    // The byte before tells whether a line begins right at the part's begin.
    const int64_t from = part.begin == 0 ? 0 : part.begin - 1;
    auto length = static_cast<size_t>(end - from);
    buffer_.resize(length + kLinePadding);
    TARN_RETURN_NOT_OK(ReadExactly(*reader, from, length, buffer_.data()));
    while (from + static_cast<int64_t>(length) < size && buffer_[length - 1] != '\n') {
      const int64_t more = std::min(kLineTailBytes, size - from - static_cast<int64_t>(length));
      buffer_.resize(length + more + kLinePadding);
      TARN_RETURN_NOT_OK(ReadExactly(*reader, from + length, more, buffer_.data() + length));
      const size_t newline = std::string_view(buffer_).substr(length, more).find('\n');
      length += newline == std::string_view::npos ? more : newline + 1;
      if (newline != std::string_view::npos) break;
      if (static_cast<int64_t>(length) > kMaxLineBytes) return Status::ResourceExhausted("a line is too long");
    }
    size_t begin = 0;
    if (part.begin > 0) {
      const size_t newline = std::string_view(buffer_).substr(0, length).find('\n');
      if (newline == std::string_view::npos) return Status::Ok();
      begin = newline + 1;
    }
    actions_.BeginCommit(part.commit->version);
    return ParseLines(from, begin, length, end);
  }

  /// Parses the lines of buffer_[begin, length) that begin before the file's offset `end`.
  Status ParseLines(int64_t from, size_t begin, size_t length, int64_t end) {
    while (begin < length && from + static_cast<int64_t>(begin) < end) {
      size_t newline = std::string_view(buffer_).substr(0, length).find('\n', begin);
      if (newline == std::string_view::npos) newline = length;
      actions_.BeginLine(buffer_.data() + begin, from + begin);
      const Status status = parser_.ParseLine(std::string_view(buffer_).substr(begin, newline - begin), actions_);
      if (!status.ok()) return status.WithContext("line at byte " + std::to_string(from + begin));
      begin = newline + 1;
    }
    return Status::Ok();
  }

  storage::ObjectStore& store_;
  ParsedActions& actions_;
  CommitParser parser_;
  std::string buffer_;
};

Status ParseUnit(const std::shared_ptr<storage::ObjectStore>& store, const Unit& unit,
                 std::unique_ptr<ParsedActions>& out) {
  StatsSource source;
  if (!unit.holds_statistics) source = {store, unit.parts.front().commit->key};
  out = std::make_unique<ParsedActions>(store->uri(), std::move(source));
  PartReader reader(*store, *out);
  for (const CommitPart& part : unit.parts) TARN_RETURN_NOT_OK(reader.Read(part));
  out->Finish();
  return Status::Ok();
}

/// Runs `work(i)` for 0 <= i < count on a few threads; the status of the first i that failed.
Status RunParallel(size_t count, int max_threads, const std::function<Status(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::vector<Status> statuses(count);
  std::atomic<bool> failed = false;
  const auto loop = [&] {
    while (!failed) {
      const size_t i = next++;
      if (i >= count) return;
      statuses[i] = work(i);
      if (!statuses[i].ok()) failed = true;
    }
  };
  const int hardware = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int helpers = std::min({max_threads, hardware, static_cast<int>(std::min<size_t>(count, 64))}) - 1;
  std::vector<Thread> threads;
  for (int i = 0; i < helpers; ++i) threads.emplace_back("delta-replay", loop);
  loop();
  for (Thread& thread : threads) thread.Join();
  for (Status& status : statuses) TARN_RETURN_NOT_OK(status);
  return Status::Ok();
}

/// Reconciles parsed actions, newest first: the first action seen of a file decides.
class Reconciler {
 public:
  explicit Reconciler(std::string table_uri) : table_uri_(std::move(table_uri)) {}

  /// Units in the order of the log; the checkpoint's first where there is one.
  Status Run(std::vector<std::unique_ptr<ParsedActions>> units, bool has_checkpoint, TableState& state) {
    units_ = std::move(units);
    has_checkpoint_ = has_checkpoint;
    size_t keys = 0;
    for (const auto& unit : units_) {
      dead_.emplace_back(unit->chunks().size());
      if (IsCheckpoint(dead_.size() - 1)) continue;
      keys += unit->removes().size();
      for (const auto& chunk : unit->chunks()) keys += chunk->size();
    }
    table_.resize(std::bit_ceil(keys + keys / 2 + 16));
    for (size_t unit = units_.size(); unit-- > 0;) {
      const auto& pieces = units_[unit]->pieces();
      for (size_t piece = pieces.size(); piece-- > 0;) TARN_RETURN_NOT_OK(ApplyPiece(unit, piece));
    }
    for (size_t unit = 0; unit < units_.size(); ++unit) {
      const auto& chunks = units_[unit]->chunks();
      for (size_t i = 0; i < chunks.size(); ++i) AppendChunk(state.chunks, ChunkView::Of(chunks[i], dead_[unit][i]));
    }
    return Status::Ok();
  }

 private:
  static constexpr uint32_t kRemove = 1u << 31;
  /// What a file's newest action is: unit and piece, and the slot or, with kRemove, the index of the remove.
  struct Entry {
    uint64_t hash = 0;
    uint32_t unit = UINT32_MAX;
    uint32_t piece = 0;
    uint32_t index = 0;
  };

  bool IsCheckpoint(size_t unit) const { return has_checkpoint_ && unit == 0; }

  Status ApplyPiece(size_t unit, size_t piece_index) {
    const ParsedActions& actions = *units_[unit];
    const ParsedActions::Piece& piece = actions.pieces()[piece_index];
    const FileChunk& chunk = *actions.chunks()[piece.chunk];
    const auto at = [&](uint32_t index) {
      return Entry{0, static_cast<uint32_t>(unit), static_cast<uint32_t>(piece_index), index};
    };
    for (uint32_t slot = piece.end_slot; slot-- > piece.first_slot;) {
      Entry entry = at(slot);
      entry.hash = chunk.record(slot).hash;
      TARN_ASSIGN_OR_RETURN(const bool newest, Claim(entry));
      if (!newest) MarkDead(unit, piece.chunk, slot);
    }
    for (uint32_t i = piece.first_remove; i < piece.end_remove; ++i) {
      Entry entry = at(i | kRemove);
      entry.hash = actions.removes()[i].hash;
      TARN_ASSIGN_OR_RETURN([[maybe_unused]] const bool newest, Claim(entry));
    }
    return Status::Ok();
  }

  std::string PathOf(const Entry& entry) const {
    const ParsedActions& actions = *units_[entry.unit];
    if ((entry.index & kRemove) != 0) {
      return std::string(actions.RemovedPath(actions.removes()[entry.index & ~kRemove]));
    }
    const FileChunk& chunk = *actions.chunks()[actions.pieces()[entry.piece].chunk];
    return CanonicalPath(chunk.Path(entry.index), table_uri_);
  }

  std::string VectorOf(const Entry& entry) const {
    const ParsedActions& actions = *units_[entry.unit];
    if ((entry.index & kRemove) != 0) {
      return std::string(actions.RemovedVector(actions.removes()[entry.index & ~kRemove]));
    }
    return actions.chunks()[actions.pieces()[entry.piece].chunk]->DeletionVectorId(entry.index);
  }

  /// True when no newer action of the file was seen. A checkpoint's files are looked up but not remembered.
  Result<bool> Claim(const Entry& entry) {
    const size_t mask = table_.size() - 1;
    size_t at = entry.hash & mask;
    for (; table_[at].unit != UINT32_MAX; at = (at + 1) & mask) {
      const Entry& other = table_[at];
      if (other.hash != entry.hash || PathOf(other) != PathOf(entry) || VectorOf(other) != VectorOf(entry)) continue;
      const int64_t version = units_[entry.unit]->pieces()[entry.piece].version;
      if (!IsCheckpoint(entry.unit) && units_[other.unit]->pieces()[other.piece].version == version) {
        return Status::Corruption("version " + std::to_string(version) + " has two actions for the file " +
                                  PathOf(entry));
      }
      return false;
    }
    if (!IsCheckpoint(entry.unit)) table_[at] = entry;
    return true;
  }

  void MarkDead(size_t unit, size_t chunk, size_t slot) {
    auto& dead = dead_[unit][chunk];
    if (dead == nullptr) dead = std::make_shared<DeadFiles>((units_[unit]->chunks()[chunk]->size() + 63) / 64);
    (*dead)[slot / 64] |= uint64_t{1} << (slot % 64);
  }

  const std::string table_uri_;
  std::vector<std::unique_ptr<ParsedActions>> units_;
  bool has_checkpoint_ = false;
  std::vector<std::vector<std::shared_ptr<DeadFiles>>> dead_;
  std::vector<Entry> table_;
};

/// Takes the newest of what has one value per table or per key. `units` are in the order of the log.
Status TakeSmallActions(const std::vector<const ParsedActions*>& units, TableState& state) {
  auto txns = std::make_shared<TxnMap>(*state.txns);
  auto domains = std::make_shared<DomainMap>(*state.domains);
  std::set<std::pair<int64_t, std::string>> seen;
  const auto once = [&](int64_t version, std::string what) -> Status {
    if (seen.emplace(version, what).second) return Status::Ok();
    return Status::Corruption("version " + std::to_string(version) + " has two actions of one kind: " + what);
  };
  bool txns_changed = false;
  bool domains_changed = false;
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
      (*txns)[txn.app_id] = txn;
      txns_changed = true;
    }
    for (const auto& [version, domain] : unit->domains) {
      TARN_RETURN_NOT_OK(once(version, "domainMetadata " + domain.domain));
      (*domains)[domain.domain] = domain;
      domains_changed = true;
    }
    for (const auto& [version, timestamp] : unit->in_commit_timestamps) {
      if (version == state.version) state.in_commit_timestamp_millis = timestamp;
    }
  }
  if (txns_changed) state.txns = std::move(txns);
  if (domains_changed) state.domains = std::move(domains);
  return Status::Ok();
}

}  // namespace

Result<TableState> ReplaySegment(const std::shared_ptr<storage::ObjectStore>& store, const LogSegment& segment,
                                 const ReplayOptions& options, bool* checkpoint_broken) {
  *checkpoint_broken = false;
  const std::vector<Unit> units = PlanUnits(segment.commits, options);
  const size_t base = segment.checkpoint.has_value() ? 1 : 0;
  std::vector<std::unique_ptr<ParsedActions>> parsed(base + units.size());
  if (base == 1) {
    auto checkpoint = ReadCheckpoint(store, *segment.checkpoint);
    if (!checkpoint.ok()) {
      *checkpoint_broken = true;
      return std::move(checkpoint).status();
    }
    parsed[0] = std::move(*checkpoint);
  }
  // Newest first, so that the work ends with the smallest pieces of the oldest commit rather than with a large one.
  TARN_RETURN_NOT_OK(RunParallel(units.size(), options.max_threads, [&](size_t i) {
    const size_t unit = units.size() - 1 - i;
    return ParseUnit(store, units[unit], parsed[base + unit]);
  }));
  TableState state;
  state.version = segment.version;
  state.modified_millis = segment.modified_millis;
  std::vector<const ParsedActions*> view;
  for (const auto& unit : parsed) view.push_back(unit.get());
  TARN_RETURN_NOT_OK(TakeSmallActions(view, state));
  TARN_RETURN_NOT_OK(Reconciler(store->uri()).Run(std::move(parsed), base == 1, state));
  return state;
}

Result<TableState> ApplyCommit(const TableState& base, const std::shared_ptr<storage::ObjectStore>& store,
                               std::string_view text, int64_t version, int64_t modified_millis,
                               const ReplayOptions& options) {
  const std::string key = CommitKey(version);
  if (text.empty()) return Status::Corruption(key + ": the commit is empty");
  StatsSource source;
  if (static_cast<int64_t>(text.size()) > options.held_stats_commit_bytes) source = {store, key};
  ParsedActions actions(store->uri(), std::move(source));
  actions.BeginCommit(version);
  std::string padded;
  padded.reserve(text.size() + kLinePadding);
  padded.append(text).append(kLinePadding, ' ');
  CommitParser parser;
  for (size_t begin = 0; begin < text.size();) {
    const size_t newline = std::min(text.find('\n', begin), text.size());
    actions.BeginLine(padded.data() + begin, static_cast<int64_t>(begin));
    const Status status = parser.ParseLine(std::string_view(padded).substr(begin, newline - begin), actions);
    if (!status.ok()) return status.WithContext(key + ": line at byte " + std::to_string(begin));
    begin = newline + 1;
  }
  actions.Finish();

  TableState state = base;
  state.version = version;
  state.modified_millis = modified_millis;
  state.in_commit_timestamp_millis.reset();
  TARN_RETURN_NOT_OK(TakeSmallActions({&actions}, state));

  // Marks what this commit supersedes, in copies of the affected chunks' bits.
  std::map<size_t, std::shared_ptr<DeadFiles>> dead;
  const auto kill = [&](uint64_t hash, std::string_view path, std::string_view vector) {
    const auto found = FindLive(state.chunks, hash, path, vector, store->uri());
    if (!found.has_value()) return;
    const auto [index, slot] = *found;
    ChunkView& view = state.chunks[index];
    auto& bits = dead[index];
    if (bits == nullptr) {
      bits = view.dead != nullptr ? std::make_shared<DeadFiles>(*view.dead)
                                  : std::make_shared<DeadFiles>((view.chunk->size() + 63) / 64);
      view.dead = bits;
    }
    (*bits)[slot / 64] |= uint64_t{1} << (slot % 64);
    --view.live;
    view.live_bytes -= view.chunk->record(slot).size_bytes;
  };
  for (const auto& removed : actions.removes()) {
    kill(removed.hash, actions.RemovedPath(removed), actions.RemovedVector(removed));
  }
  for (const auto& chunk : actions.chunks()) {
    for (size_t slot = 0; slot < chunk->size(); ++slot) {
      const std::string path = CanonicalPath(chunk->Path(slot), store->uri());
      kill(chunk->record(slot).hash, path, chunk->DeletionVectorId(slot));
    }
  }
  std::erase_if(state.chunks, [](const ChunkView& view) { return view.live == 0; });
  for (const auto& chunk : actions.chunks()) AppendChunk(state.chunks, ChunkView::Of(chunk, nullptr));
  return state;
}

}  // namespace tarn::delta
