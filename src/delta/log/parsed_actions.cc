#include "delta/log/parsed_actions.h"

#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// A chunk of texts stays well below what its 32-bit offsets reach.
constexpr size_t kMaxChunkArenaBytes = 64 << 20;

}  // namespace

ParsedActions::ParsedActions(std::string table_uri, StatsSource source)
    : table_uri_(std::move(table_uri)), source_(std::move(source)), builder_(source_) {}

void ParsedActions::BeginCommit(int64_t version) {
  ClosePiece();
  version_ = version;
}

void ParsedActions::ClosePiece() {
  const auto end_slot = static_cast<uint32_t>(builder_.size());
  const auto end_remove = static_cast<uint32_t>(removes_.size());
  if (end_slot > piece_first_slot_ || end_remove > piece_first_remove_) {
    pieces_.push_back({version_, chunks_.size(), piece_first_slot_, end_slot, piece_first_remove_, end_remove});
  }
  piece_first_slot_ = end_slot;
  piece_first_remove_ = end_remove;
}

void ParsedActions::BeginChunkIfFull() {
  if (builder_.size() < FileChunk::kMaxFiles && builder_.arena_bytes() < kMaxChunkArenaBytes) return;
  ClosePiece();
  const size_t files = builder_.size();
  const size_t arena_bytes = builder_.arena_bytes();
  chunks_.push_back(builder_.Finish());
  builder_ = FileChunkBuilder(source_);
  // The next chunk is most likely much like this one.
  builder_.Reserve(files, arena_bytes + arena_bytes / 32);
  piece_first_slot_ = 0;
}

void ParsedActions::Finish() {
  ClosePiece();
  chunks_.push_back(builder_.Finish());
  remove_arena_.shrink_to_fit();
}

Status ParsedActions::AddFromCheckpoint(const AddRecord& add, std::string_view stats) {
  BeginChunkIfFull();
  if (IsPlainPath(add.path)) return builder_.AddPlain(add, add.path, stats);
  return builder_.AddPlain(add, CanonicalPath(add.path, table_uri_), stats);
}

Status ParsedActions::OnAdd(const AddRecord& add) {
  BeginChunkIfFull();
  const int64_t offset = add.stats_token.empty() ? 0 : line_offset_ + (add.stats_token.data() - line_);
  if (IsPlainPath(add.path)) return builder_.Add(add, add.path, offset);
  return builder_.Add(add, CanonicalPath(add.path, table_uri_), offset);
}

Status ParsedActions::OnRemove(const RemoveRecord& remove) {
  const std::string path = CanonicalPath(remove.path, table_uri_);
  const std::string vector = remove.deletion_vector.has_value() ? remove.deletion_vector->UniqueId() : std::string();
  removes_.push_back({HashFileKey(path, vector), static_cast<uint32_t>(remove_arena_.size()),
                      static_cast<uint32_t>(path.size()), static_cast<uint32_t>(vector.size())});
  remove_arena_ += path;
  remove_arena_ += vector;
  if (remove_arena_.size() > UINT32_MAX / 2)
    return Status::ResourceExhausted("too many removes in one part of the log");
  return Status::Ok();
}

Status ParsedActions::OnProtocol(Protocol protocol) {
  protocols.push_back({version_, std::move(protocol)});
  return Status::Ok();
}

Status ParsedActions::OnMetadata(Metadata metadata) {
  metadatas.push_back({version_, std::move(metadata)});
  return Status::Ok();
}

Status ParsedActions::OnTxn(Txn txn) {
  txns.push_back({version_, std::move(txn)});
  return Status::Ok();
}

Status ParsedActions::OnDomainMetadata(DomainMetadata domain) {
  domains.push_back({version_, std::move(domain)});
  return Status::Ok();
}

Status ParsedActions::OnCommitInfo(std::string_view json) {
  if (json.find("inCommitTimestamp") == std::string_view::npos) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(const CommitInfo info, ParseCommitInfo(json));
  if (info.in_commit_timestamp_millis.has_value()) {
    in_commit_timestamps.push_back({version_, *info.in_commit_timestamp_millis});
  }
  return Status::Ok();
}

}  // namespace tarn::delta
