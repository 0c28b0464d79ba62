#include "delta/log/log_compaction.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "delta/conflict.h"
#include "delta/log/commit_reader.h"
#include "delta/log/log_names.h"
#include "delta/log/log_segment.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// Commits beyond this take their time for their size, not for their number.
constexpr int64_t kMaxBytes = 64 << 20;
constexpr int64_t kWindowBytes = 2 << 20;
constexpr size_t kWriteBytes = 1 << 20;

/// Reads commits newest first and writes the lines of those actions of which it saw none before: reconciliation
/// (PROTOCOL.md, "Action Reconciliation") that keeps tombstones. Fields unknown to us are kept with their lines.
class Compaction final : public ActionVisitor {
 public:
  Compaction(std::string table_uri, storage::ObjectWriter& out) : table_uri_(std::move(table_uri)), out_(out) {}

  void BeginCommit(int64_t version) { version_ = version; }
  void BeginLine(std::string_view line) { line_ = line; }
  Status Finish() {
    TARN_RETURN_NOT_OK(Write());
    return out_.Finish().status();
  }

  Status OnAdd(const AddRecord& add) override { return KeepFile(add.path, add.deletion_vector); }
  Status OnRemove(const RemoveRecord& remove) override { return KeepFile(remove.path, remove.deletion_vector); }
  Status OnProtocol(Protocol) override { return KeepNewest("protocol"); }
  Status OnMetadata(Metadata) override { return KeepNewest("metaData"); }
  Status OnTxn(Txn txn) override { return KeepNewest("txn " + txn.app_id); }
  Status OnDomainMetadata(DomainMetadata domain) override { return KeepNewest("domainMetadata " + domain.domain); }

 private:
  Status KeepFile(std::string_view path, const std::optional<DeletionVector>& vector) {
    return KeepNewest("file " + FileKeyText(CanonicalPath(path, table_uri_), vector));
  }

  Status KeepNewest(std::string key) {
    const auto [seen, is_new] = seen_.emplace(std::move(key), version_);
    if (!is_new) {
      // Readers of the commits would refuse them, and so must those of the result.
      return seen->second != version_ ? Status::Ok() : Status::Corruption("two actions of one kind: " + seen->first);
    }
    lines_.append(line_).append("\n");
    return lines_.size() < kWriteBytes ? Status::Ok() : Write();
  }

  Status Write() {
    TARN_RETURN_NOT_OK(out_.Append(AsBytes(lines_)));
    lines_.clear();
    return Status::Ok();
  }

  const std::string table_uri_;
  storage::ObjectWriter& out_;
  int64_t version_ = 0;
  std::string_view line_;
  std::string lines_;
  /// Version of the newest action by what it is about.
  std::unordered_map<std::string, int64_t> seen_;
};

/// The commits, all of them there and not too large.
Result<std::vector<LogFile>> CommitsToCompact(storage::ObjectStore& store, int64_t from, int64_t to) {
  TARN_ASSIGN_OR_RETURN(std::vector<LogFile> commits, ListCommits(store, from, to));
  if (static_cast<int64_t>(commits.size()) != to - from + 1) {
    return Status::NotFound("the log no longer has all commits from " + std::to_string(from) + " to " +
                            std::to_string(to));
  }
  int64_t bytes = 0;
  for (const LogFile& commit : commits) bytes += commit.size_bytes;
  if (bytes > kMaxBytes) return Status::ResourceExhausted("the commits are too large to be compacted");
  return commits;
}

}  // namespace

Status WriteCompactedLog(const TableContext& table, int64_t from, int64_t to) {
  TARN_CHECK(from >= 0 && from < to);
  const std::string key = CompactedKey(from, to);
  const Result<storage::ObjectInfo> existing = table.store->Head(key);
  if (existing.ok()) return Status::Ok();
  if (!existing.status().Is(StatusCode::kNotFound)) return existing.status();
  TARN_ASSIGN_OR_RETURN(const std::vector<LogFile> commits, CommitsToCompact(*table.store, from, to));
  TARN_ASSIGN_OR_RETURN(const auto writer, table.store->OpenWriter(key, storage::Precondition::IfAbsent()));
  Compaction compaction(table.store->uri(), *writer);
  CommitReader reader(*table.store);
  for (size_t i = commits.size(); i-- > 0;) {
    compaction.BeginCommit(commits[i].version);
    TARN_RETURN_NOT_OK(reader.ReadAll(commits[i], kWindowBytes, compaction,
                                      [&](std::string_view line, int64_t) { compaction.BeginLine(line); }));
  }
  Status finished = compaction.Finish();
  return finished.Is(StatusCode::kAlreadyExists) ? Status::Ok() : finished;
}

}  // namespace tarn::delta
