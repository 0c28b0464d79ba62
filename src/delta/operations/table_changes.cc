#include "delta/operations/table_changes.h"

#include <arrow/type.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "columnar/delta_schema.h"
#include "columnar/field_match.h"
#include "delta/files/type_changes.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_store.h"
#include "delta/log/log_segment.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

using columnar::FieldMatch;
using columnar::Value;

/// An `add`, `remove` or `cdc` of one commit.
struct FileAction {
  std::string canonical_path;
  PartitionValues partition_values;
  std::optional<int64_t> size_bytes;
  int64_t modification_time_millis = 0;
  int64_t num_records = -1;
  bool data_change = true;
  std::optional<DeletionVector> deletion_vector;
};

struct CommitActions {
  std::vector<FileAction> adds;
  std::map<std::string, FileAction> removes;
  std::vector<FileAction> change_files;
  std::optional<Metadata> metadata;
  CommitInfo info;
};

class ChangeVisitor final : public ActionVisitor {
 public:
  ChangeVisitor(CommitActions& actions, std::string table_uri) : actions_(actions), table_uri_(std::move(table_uri)) {}

  Status OnAdd(const AddRecord& add) override {
    TARN_ASSIGN_OR_RETURN(FileAction action, ActionOf(add));
    action.num_records = NumRecordsOf(add.stats_token, /*escaped=*/true);
    actions_.adds.push_back(std::move(action));
    return Status::Ok();
  }
  Status OnChangeFile(const AddRecord& file) override {
    TARN_ASSIGN_OR_RETURN(FileAction action, ActionOf(file));
    actions_.change_files.push_back(std::move(action));
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord& remove) override {
    FileAction action;
    action.canonical_path = CanonicalPath(remove.path, table_uri_);
    TARN_ASSIGN_OR_RETURN(action.partition_values, ParsePartitionValuesObject(remove.partition_values));
    action.size_bytes = remove.size_bytes;
    action.data_change = remove.data_change;
    action.deletion_vector = remove.deletion_vector;
    std::string path = action.canonical_path;
    actions_.removes.emplace(std::move(path), std::move(action));
    return Status::Ok();
  }
  Status OnMetadata(Metadata metadata) override {
    actions_.metadata = std::move(metadata);
    return Status::Ok();
  }
  Status OnCommitInfo(std::string_view json) override {
    TARN_ASSIGN_OR_RETURN(actions_.info, ParseCommitInfo(json));
    return Status::Ok();
  }

 private:
  Result<FileAction> ActionOf(const AddRecord& record) const {
    FileAction action;
    action.canonical_path = CanonicalPath(record.path, table_uri_);
    TARN_ASSIGN_OR_RETURN(action.partition_values, ParsePartitionValuesObject(record.partition_values));
    if (record.size_bytes >= 0) action.size_bytes = record.size_bytes;
    action.modification_time_millis = record.modification_time_millis;
    action.data_change = record.data_change;
    action.deletion_vector = record.deletion_vector;
    return action;
  }

  CommitActions& actions_;
  const std::string table_uri_;
};

/// The changed files of a range, as a snapshot. Its partition columns are those of the table, then the version and the
/// time of the commit and last the kind of change, which a change file's rows tell themselves.
class ChangeSnapshot final : public Snapshot {
 public:
  ChangeSnapshot(std::shared_ptr<const Snapshot> base, columnar::TimeZone partition_timezone)
      : base_(std::move(base)), partition_timezone_(std::move(partition_timezone)) {
    arrow::FieldVector fields = base_->schema()->fields();
    const auto count = static_cast<int>(fields.size());
    fields.push_back(arrow::field(std::string(kChangeTypeColumn), arrow::utf8()));
    fields.push_back(arrow::field(std::string(kCommitVersionColumn), arrow::int64()));
    fields.push_back(
        arrow::field(std::string(kCommitTimestampColumn), arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
    schema_ = arrow::schema(std::move(fields));
    partition_columns_ = base_->partition_columns();
    partition_columns_.insert(partition_columns_.end(), {count + 1, count + 2, count});
    place_.assign(static_cast<size_t>(schema_->num_fields()), -1);
    for (size_t i = 0; i < partition_columns_.size(); ++i) place_[partition_columns_[i]] = static_cast<int>(i);
  }

  int64_t version() const override { return base_->version(); }
  int64_t timestamp_millis() const override { return base_->timestamp_millis(); }
  const Protocol& protocol() const override { return base_->protocol(); }
  const Metadata& metadata() const override { return base_->metadata(); }
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<int>& partition_columns() const override { return partition_columns_; }
  FieldMatch field_match() const override { return base_->field_match(); }
  std::optional<int64_t> TxnVersion(const std::string& app_id) const override { return base_->TxnVersion(app_id); }
  size_t num_files() const override { return files_.size(); }
  int64_t total_bytes() const override { return total_bytes_; }
  Result<DataFile> File(FileIndex index) const override {
    TARN_CHECK(index < files_.size());
    return files_[index];
  }
  Result<Add> AddAction(FileIndex) const override {
    return Status::Unsupported("the files of changes are not live files of the table");
  }

  Result<std::vector<FileIndex>> Select(const std::vector<Predicate>& all_of) const override {
    std::vector<FileIndex> all(files_.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<FileIndex>(i);
    return SelectAmong(all, all_of);
  }
  Result<std::vector<FileIndex>> SelectAmong(const std::vector<FileIndex>& candidates,
                                             const std::vector<Predicate>& all_of) const override {
    std::vector<FileIndex> selected;
    for (const FileIndex index : candidates) {
      TARN_CHECK(index < files_.size());
      const auto may_match = [&](const Predicate& predicate) {
        return MayMatch(predicate, files_[index].num_records, [&](int column) { return BoundsOf(index, column); }) ==
               Truth::kMaybe;
      };
      if (std::all_of(all_of.begin(), all_of.end(), may_match)) selected.push_back(index);
    }
    std::sort(selected.begin(), selected.end());
    return selected;
  }
  Result<ColumnBounds> Bounds(FileIndex index, int column) const override {
    TARN_CHECK(index < files_.size() && column >= 0 && column < schema_->num_fields());
    return BoundsOf(index, column);
  }
  size_t memory_bytes() const override { return files_.capacity() * sizeof(DataFile); }

  /// Appends a changed file; `kind` is empty where its rows tell it.
  Status Append(storage::ObjectStore& store, const FileAction& action, int64_t version, int64_t timestamp_millis,
                std::string_view kind) {
    DataFile file;
    TARN_ASSIGN_OR_RETURN(file.key, KeyOfCanonical(action.canonical_path, store));
    if (action.size_bytes.has_value()) {
      file.size_bytes = *action.size_bytes;
    } else {
      // Some removes do not tell it.
      TARN_ASSIGN_OR_RETURN(const auto head, store.Head(file.key));
      file.size_bytes = head.size_bytes;
    }
    file.modification_time_millis = action.modification_time_millis;
    file.num_records = action.num_records;
    file.deletion_vector = action.deletion_vector;
    TARN_ASSIGN_OR_RETURN(file.partition_values, ValuesOf(action));
    file.partition_values.emplace_back(version);
    file.partition_values.emplace_back(timestamp_millis * kMicrosPerMilli);
    if (!kind.empty()) file.partition_values.emplace_back(std::string(kind));
    total_bytes_ += file.size_bytes;
    files_.push_back(std::move(file));
    return Status::Ok();
  }
  /// Restricts the file appended last.
  void OnlyDeletedBy(DeletionVector vector) { files_.back().only_deleted_by = std::move(vector); }

 private:
  ColumnBounds BoundsOf(FileIndex index, int column) const {
    const auto& values = files_[index].partition_values;
    const int place = place_[column];
    if (place < 0 || static_cast<size_t>(place) >= values.size()) return ColumnBounds::Unknown();
    return ColumnBounds::OfConstant(values[place]);
  }

  Result<std::vector<Value>> ValuesOf(const FileAction& action) const {
    std::vector<Value> values;
    for (const int column : base_->partition_columns()) {
      const std::string name = base_->StoredName(column);
      const auto found = std::find_if(action.partition_values.begin(), action.partition_values.end(),
                                      [&](const auto& pair) { return pair.first == name; });
      if (found == action.partition_values.end()) {
        return Status::Unsupported("the action for " + action.canonical_path + " lacks the value of partition column " +
                                   name + ", so its rows cannot be told");
      }
      if (!found->second.has_value()) {
        values.emplace_back();
        continue;
      }
      auto value = columnar::ParsePartitionValue(*found->second, *schema_->field(column)->type(), partition_timezone_);
      if (!value.ok()) return value.status().WithContext("partition column " + name);
      values.push_back(std::move(*value));
    }
    return values;
  }

  const std::shared_ptr<const Snapshot> base_;
  const columnar::TimeZone partition_timezone_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> partition_columns_;
  /// Per schema column its place among the partition values, or -1.
  std::vector<int> place_;
  std::vector<DataFile> files_;
  int64_t total_bytes_ = 0;
};

Status AppendCommit(storage::ObjectStore& store, const CommitActions& commit, int64_t version, int64_t timestamp_millis,
                    ChangeSnapshot& changes) {
  if (!commit.change_files.empty()) {
    for (const FileAction& file : commit.change_files) {
      TARN_RETURN_NOT_OK(changes.Append(store, file, version, timestamp_millis, {}));
    }
    return Status::Ok();
  }
  std::map<std::string, FileAction> removes = commit.removes;
  for (const FileAction& add : commit.adds) {
    const auto found = removes.find(add.canonical_path);
    if (found == removes.end()) {
      if (add.data_change) TARN_RETURN_NOT_OK(changes.Append(store, add, version, timestamp_millis, "insert"));
      continue;
    }
    // The file stays; only what its deletion vectors say may differ.
    const FileAction before = std::move(found->second);
    removes.erase(found);
    if (!add.data_change || !before.data_change) continue;
    FileAction file = add;
    file.num_records = -1;
    if (add.deletion_vector.has_value()) {
      file.deletion_vector = before.deletion_vector;
      TARN_RETURN_NOT_OK(changes.Append(store, file, version, timestamp_millis, "delete"));
      changes.OnlyDeletedBy(*add.deletion_vector);
    }
    if (before.deletion_vector.has_value()) {
      file.deletion_vector = add.deletion_vector;
      TARN_RETURN_NOT_OK(changes.Append(store, file, version, timestamp_millis, "insert"));
      changes.OnlyDeletedBy(*before.deletion_vector);
    }
  }
  for (const auto& [path, remove] : removes) {
    if (remove.data_change) TARN_RETURN_NOT_OK(changes.Append(store, remove, version, timestamp_millis, "delete"));
  }
  return Status::Ok();
}

bool IsSame(const arrow::Field& older, const arrow::Field& newer, FieldMatch match) {
  switch (match) {
    case FieldMatch::kName:
      return newer.name() == older.name();
    case FieldMatch::kPhysicalName:
      return columnar::PhysicalName(newer) == columnar::PhysicalName(older);
    case FieldMatch::kFieldId:
      return columnar::MappingId(newer) == columnar::MappingId(older);
  }
  return false;
}

Status CheckFits(const arrow::FieldVector& older, const arrow::FieldVector& newer, FieldMatch match);

/// `column` names the field for messages: members of lists and maps go by their place.
Status CheckTypeFits(const std::string& column, const arrow::DataType& older, const arrow::DataType& newer,
                     FieldMatch match) {
  const bool is_nested = older.num_fields() > 0;
  if (older.id() != newer.id() || (!is_nested && !older.Equals(newer))) {
    return Status::Unsupported("the type of column '" + column + "' was changed");
  }
  if (older.id() == arrow::Type::STRUCT) return CheckFits(older.fields(), newer.fields(), match);
  for (int i = 0; i < older.num_fields(); ++i) {
    TARN_RETURN_NOT_OK(CheckTypeFits(column, *older.field(i)->type(), *newer.field(i)->type(), match));
  }
  return Status::Ok();
}

/// Whether rows of `older` are rows of `newer`, fields being found as data files are read.
Status CheckFits(const arrow::FieldVector& older, const arrow::FieldVector& newer, FieldMatch match) {
  for (const auto& field : older) {
    const auto found = std::find_if(newer.begin(), newer.end(),
                                    [&](const auto& candidate) { return IsSame(*field, *candidate, match); });
    if (found == newer.end()) return Status::Unsupported("column '" + field->name() + "' was dropped or renamed");
    if (HasTypeChanges(**found)) continue;
    TARN_RETURN_NOT_OK(CheckTypeFits(field->name(), *field->type(), *(*found)->type(), match));
  }
  return Status::Ok();
}

Result<int64_t> FirstVersion(const TableContext& table, const ChangePoint& point) {
  if (point.version.has_value()) return *point.version;
  TARN_CHECK(point.timestamp_millis.has_value());
  const auto before = VersionAtTimestamp(table, *point.timestamp_millis - 1);
  if (before.ok()) return *before + 1;
  if (!before.status().Is(StatusCode::kNotFound)) return before.status();
  TARN_ASSIGN_OR_RETURN(const std::vector<LogFile> commits, ListCommits(*table.store));
  if (commits.empty()) return before.status();
  return commits.front().version;
}

Result<std::shared_ptr<const Snapshot>> LastSnapshot(const TableContext& table, const ChangeRange& range) {
  if (!range.last.has_value()) return LoadSnapshot(table);
  if (range.last->version.has_value()) return LoadSnapshotAt(table, *range.last->version);
  TARN_CHECK(range.last->timestamp_millis.has_value());
  TARN_ASSIGN_OR_RETURN(const int64_t version, VersionAtTimestamp(table, *range.last->timestamp_millis));
  return LoadSnapshotAt(table, version);
}

/// The commits of a range, one by one, and what they mean for the schema.
class RangeReader {
 public:
  RangeReader(const TableContext& table, const Snapshot& last) : table_(table), last_(last) {}

  Result<CommitActions> Read(const LogFile& commit) {
    TARN_ASSIGN_OR_RETURN(const CommitText text, ReadCommit(*table_.store, commit.version));
    CommitActions actions;
    ChangeVisitor visitor(actions, table_.store->uri());
    TARN_RETURN_NOT_OK(parser_.ParseCommit(text.text, visitor).WithContext(CommitKey(commit.version)));
    return actions;
  }

  /// Unsupported when the rows from `version` on, which had this schema, are none of the last version's.
  Status CheckSchema(const Metadata& metadata, int64_t version) const {
    TARN_ASSIGN_OR_RETURN(const auto schema, columnar::SchemaFromDeltaJson(metadata.schema_string));
    return CheckFits(schema->fields(), last_.schema()->fields(), last_.field_match())
        .WithContext("rows of version " + std::to_string(version) + " do not fit version " +
                     std::to_string(last_.version()));
  }

 private:
  const TableContext& table_;
  const Snapshot& last_;
  CommitParser parser_;
};

}  // namespace

Result<std::shared_ptr<const Snapshot>> ReadChanges(const TableContext& table, const ChangeRange& range) {
  TARN_ASSIGN_OR_RETURN(const auto last, LastSnapshot(table, range));
  TARN_ASSIGN_OR_RETURN(const int64_t first, FirstVersion(table, range.first));
  if (first < 0 || first > last->version()) {
    return Status::InvalidArgument("there are no changes from version " + std::to_string(first) + " to version " +
                                   std::to_string(last->version()));
  }
  TARN_ASSIGN_OR_RETURN(std::vector<LogFile> commits, ListCommits(*table.store, 0, last->version()));
  MakeMonotone(commits);
  std::erase_if(commits, [&](const LogFile& commit) { return commit.version < first; });
  auto changes = std::make_shared<ChangeSnapshot>(last, table.partition_timezone);
  RangeReader reader(table, *last);
  int64_t next = first;
  bool checked_first = false;
  for (const LogFile& commit : commits) {
    if (commit.version != next) break;
    TARN_ASSIGN_OR_RETURN(const CommitActions actions, reader.Read(commit));
    if (actions.metadata.has_value()) {
      TARN_RETURN_NOT_OK(reader.CheckSchema(*actions.metadata, next));
      // What the rows before it looked like is only told by the version where the range begins.
      if (next > first && !std::exchange(checked_first, true)) {
        TARN_ASSIGN_OR_RETURN(const auto begin, LoadSnapshotAt(table, first));
        TARN_RETURN_NOT_OK(reader.CheckSchema(begin->metadata(), first));
      }
    }
    const int64_t millis = actions.info.TimeMillis(commit.modified_millis);
    const Status appended = AppendCommit(*table.store, actions, next, millis, *changes);
    if (!appended.ok()) return appended.WithContext(CommitKey(next));
    ++next;
  }
  if (next <= last->version()) {
    return Status::NotFound("the changes of version " + std::to_string(next) +
                            " are gone: the log no longer holds its commit");
  }
  return std::shared_ptr<const Snapshot>(std::move(changes));
}

}  // namespace tarn::delta
