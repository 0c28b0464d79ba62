#include "delta/log/checkpoint_reader.h"

#include <arrow/api.h>

#include <algorithm>
#include <numeric>

#include "columnar/parquet_reader.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_reader.h"
#include "delta/log/log_names.h"
#include "delta/log/parsed_statistics.h"
#include "delta/log/remove_visitor.h"
#include "delta/parallel.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// One column of a batch or of a struct, absent when the writer left it out. Reads single values by row; whatever has
/// another type than the protocol's counts as absent.
class Column {
 public:
  Column() = default;
  explicit Column(std::shared_ptr<arrow::Array> array) : array_(std::move(array)) {}

  static Column Of(const arrow::RecordBatch& batch, const std::string& name) {
    return Column(batch.GetColumnByName(name));
  }

  Column Child(const std::string& name) const {
    if (array_ == nullptr || array_->type_id() != arrow::Type::STRUCT) return {};
    const auto& record = static_cast<const arrow::StructArray&>(*array_);
    const int index = record.struct_type()->GetFieldIndex(name);
    return index < 0 ? Column() : Column(record.field(index));
  }

  const arrow::Array* array() const { return array_.get(); }
  bool Has(int64_t row) const { return array_ != nullptr && array_->IsValid(row); }

  std::optional<std::string_view> Text(int64_t row) const {
    if (!Has(row)) return std::nullopt;
    switch (array_->type_id()) {
      case arrow::Type::STRING:
      case arrow::Type::BINARY:
        return static_cast<const arrow::BinaryArray&>(*array_).GetView(row);
      case arrow::Type::LARGE_STRING:
      case arrow::Type::LARGE_BINARY:
        return static_cast<const arrow::LargeBinaryArray&>(*array_).GetView(row);
      default:
        return std::nullopt;
    }
  }

  std::optional<int64_t> Number(int64_t row) const {
    if (!Has(row)) return std::nullopt;
    switch (array_->type_id()) {
      case arrow::Type::INT32:
        return static_cast<const arrow::Int32Array&>(*array_).Value(row);
      case arrow::Type::INT64:
        return static_cast<const arrow::Int64Array&>(*array_).Value(row);
      case arrow::Type::TIMESTAMP:
        return static_cast<const arrow::TimestampArray&>(*array_).Value(row);
      default:
        return std::nullopt;
    }
  }

  std::optional<bool> Bool(int64_t row) const {
    if (!Has(row) || array_->type_id() != arrow::Type::BOOL) return std::nullopt;
    return static_cast<const arrow::BooleanArray&>(*array_).Value(row);
  }

  /// The map's pairs as visit(key, value or nullopt).
  template <typename Visit>
  void ForEachPair(int64_t row, Visit&& visit) const {
    if (!Has(row) || array_->type_id() != arrow::Type::MAP) return;
    const auto& map = static_cast<const arrow::MapArray&>(*array_);
    const Column keys(map.keys());
    const Column values(map.items());
    for (int64_t i = map.value_offset(row); i < map.value_offset(row + 1); ++i) {
      if (const auto key = keys.Text(i); key.has_value()) visit(*key, values.Text(i));
    }
  }

  std::optional<std::vector<std::string>> TextList(int64_t row) const {
    if (!Has(row) || array_->type_id() != arrow::Type::LIST) return std::nullopt;
    const auto& list = static_cast<const arrow::ListArray&>(*array_);
    const Column values(list.values());
    std::vector<std::string> texts;
    for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
      if (const auto text = values.Text(i); text.has_value()) texts.emplace_back(*text);
    }
    return texts;
  }

 private:
  std::shared_ptr<arrow::Array> array_;
};

/// The map as a JSON object text, the form in which chunks keep it.
void MapToJson(const Column& map, int64_t row, std::string& out) {
  out = "{";
  map.ForEachPair(row, [&](std::string_view key, std::optional<std::string_view> value) {
    if (out.size() > 1) out += ',';
    AppendJsonString(out, key);
    out += ':';
    if (value.has_value()) {
      AppendJsonString(out, *value);
    } else {
      out += "null";
    }
  });
  out += '}';
}

std::optional<DeletionVector> ReadVector(const Column& column, int64_t row) {
  const auto type = column.Child("storageType").Text(row);
  if (!column.Has(row) || !type.has_value() || type->size() != 1) return std::nullopt;
  DeletionVector vector;
  vector.storage_type = (*type)[0];
  vector.path_or_inline = column.Child("pathOrInlineDv").Text(row).value_or("");
  if (const auto offset = column.Child("offset").Number(row)) vector.offset = static_cast<int32_t>(*offset);
  vector.size_in_bytes = static_cast<int32_t>(column.Child("sizeInBytes").Number(row).value_or(0));
  vector.cardinality = column.Child("cardinality").Number(row).value_or(0);
  return vector;
}

Status ReadAdds(const Column& add, int64_t rows, ParsedActions& actions) {
  const Column path = add.Child("path");
  const Column partition_values = add.Child("partitionValues");
  const Column size = add.Child("size");
  const Column modified = add.Child("modificationTime");
  const Column data_change = add.Child("dataChange");
  const Column stats = add.Child("stats");
  const Column parsed_stats = add.Child("stats_parsed");
  const Column tags = add.Child("tags");
  const Column vector = add.Child("deletionVector");
  std::string partition_json;
  std::string tags_json;
  for (int64_t row = 0; row < rows; ++row) {
    if (!add.Has(row)) continue;
    AddRecord record;
    record.path = path.Text(row).value_or("");
    if (record.path.empty()) return Status::Corruption("an add has no path");
    MapToJson(partition_values, row, partition_json);
    record.partition_values = partition_json;
    if (tags.Has(row)) {
      MapToJson(tags, row, tags_json);
      if (tags_json != "{}") record.tags = tags_json;
    }
    const auto bytes = size.Number(row);
    if (!bytes.has_value() || *bytes < 0) return Status::Corruption("an add has no size");
    record.size_bytes = *bytes;
    record.modification_time_millis = modified.Number(row).value_or(0);
    record.data_change = data_change.Bool(row).value_or(false);
    record.deletion_vector = ReadVector(vector, row);
    const auto text = stats.Text(row);
    if (!text.has_value() && parsed_stats.Has(row)) {
      TARN_RETURN_NOT_OK(actions.AddFromCheckpoint(record, StatsTextOf(*parsed_stats.array(), row)));
    } else {
      TARN_RETURN_NOT_OK(actions.AddFromCheckpoint(record, text.value_or("")));
    }
  }
  return Status::Ok();
}

Result<Remove> ReadRemove(const Column& column, int64_t row) {
  Remove remove;
  remove.path = column.Child("path").Text(row).value_or("");
  if (remove.path.empty()) return Status::Corruption("a remove has no path");
  remove.deletion_timestamp_millis = column.Child("deletionTimestamp").Number(row);
  remove.data_change = column.Child("dataChange").Bool(row).value_or(false);
  remove.extended_file_metadata = column.Child("extendedFileMetadata").Bool(row).value_or(false);
  column.Child("partitionValues").ForEachPair(row, [&](std::string_view key, auto value) {
    remove.partition_values.emplace_back(std::string(key),
                                         value.has_value() ? std::optional(std::string(*value)) : std::nullopt);
  });
  remove.size_bytes = column.Child("size").Number(row);
  remove.deletion_vector = ReadVector(column.Child("deletionVector"), row);
  return remove;
}

Status ReadProtocol(const Column& column, int64_t row, ParsedActions& actions) {
  Protocol protocol;
  const auto reader = column.Child("minReaderVersion").Number(row);
  const auto writer = column.Child("minWriterVersion").Number(row);
  if (!reader.has_value() || !writer.has_value()) return Status::Corruption("a protocol lacks its versions");
  protocol.min_reader_version = static_cast<int>(*reader);
  protocol.min_writer_version = static_cast<int>(*writer);
  if (protocol.min_reader_version >= 3) protocol.reader_features = column.Child("readerFeatures").TextList(row);
  if (protocol.min_writer_version >= 7) protocol.writer_features = column.Child("writerFeatures").TextList(row);
  return actions.OnProtocol(std::move(protocol));
}

Status ReadMetadata(const Column& column, int64_t row, ParsedActions& actions) {
  Metadata metadata;
  metadata.id = column.Child("id").Text(row).value_or("");
  if (const auto name = column.Child("name").Text(row)) metadata.name = std::string(*name);
  if (const auto text = column.Child("description").Text(row)) metadata.description = std::string(*text);
  const auto schema = column.Child("schemaString").Text(row);
  if (!schema.has_value()) return Status::Corruption("a metaData has no schemaString");
  metadata.schema_string = *schema;
  metadata.partition_columns = column.Child("partitionColumns").TextList(row).value_or(std::vector<std::string>());
  column.Child("configuration").ForEachPair(row, [&](std::string_view key, std::optional<std::string_view> value) {
    if (value.has_value()) metadata.configuration[std::string(key)] = *value;
  });
  metadata.created_time_millis = column.Child("createdTime").Number(row);
  return actions.OnMetadata(std::move(metadata));
}

Status ReadSmallActions(const arrow::RecordBatch& batch, ParsedActions& actions) {
  const Column protocol = Column::Of(batch, "protocol");
  const Column metadata = Column::Of(batch, "metaData");
  const Column txn = Column::Of(batch, "txn");
  const Column domain = Column::Of(batch, "domainMetadata");
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (protocol.Has(row)) TARN_RETURN_NOT_OK(ReadProtocol(protocol, row, actions));
    if (metadata.Has(row)) TARN_RETURN_NOT_OK(ReadMetadata(metadata, row, actions));
    if (txn.Has(row)) {
      const auto app = txn.Child("appId").Text(row);
      const auto version = txn.Child("version").Number(row);
      if (!app.has_value() || !version.has_value()) return Status::Corruption("a txn lacks appId or version");
      TARN_RETURN_NOT_OK(actions.OnTxn({std::string(*app), *version, txn.Child("lastUpdated").Number(row)}));
    }
    if (domain.Has(row)) {
      DomainMetadata action;
      action.domain = domain.Child("domain").Text(row).value_or("");
      action.configuration = domain.Child("configuration").Text(row).value_or("");
      action.removed = domain.Child("removed").Bool(row).value_or(false);
      TARN_RETURN_NOT_OK(actions.OnDomainMetadata(std::move(action)));
    }
  }
  return Status::Ok();
}

using Paths = std::vector<std::vector<std::string>>;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

std::vector<int> AllRowGroups(const columnar::ParquetFile& file) {
  std::vector<int> all(static_cast<size_t>(file.num_row_groups()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Reads the leaves below `paths` in some row groups, leaving out those in which every leaf of `marker` is null: the
/// rows there are of other kinds.
Status ReadLeaves(columnar::ParquetFile& file, const Paths& paths, const std::vector<std::string>& marker,
                  const std::vector<int>& row_groups, const columnar::BatchVisitor& visit) {
  columnar::ParquetSelection selection;
  for (const auto& path : paths) {
    const std::vector<int> leaves = file.FindLeaves(path);
    selection.leaves.insert(selection.leaves.end(), leaves.begin(), leaves.end());
  }
  if (selection.leaves.empty()) return Status::Ok();
  const std::vector<int> marker_leaves = file.FindLeaves(marker);
  for (const int group : row_groups) {
    bool all_null = !marker_leaves.empty();
    for (const int leaf : marker_leaves) {
      const auto nulls = file.NullCount(group, leaf);
      all_null = all_null && nulls.has_value() && *nulls == file.row_group_rows(group);
    }
    if (!all_null) selection.row_groups.push_back(group);
  }
  if (selection.row_groups.empty()) return Status::Ok();
  return file.Read(selection, visit);
}

constexpr char kJsonEnding[] = ".json";
/// JSON checkpoints are read in windows of this many bytes.
constexpr int64_t kWindowBytes = 2 << 20;

bool IsJson(const LogFile& file) { return file.key.ends_with(kJsonEnding); }

/// Key of a sidecar, which lies in the log's own folder for them and mostly is given by its name alone.
Result<std::string> KeyOfSidecar(std::string_view path, const storage::ObjectStore& table_store) {
  const std::string canonical = CanonicalPath(path, table_store.uri());
  return KeyOfCanonical(canonical.find('/') == std::string::npos ? SidecarKey(canonical) : canonical, table_store);
}

/// Hands a JSON checkpoint's actions on, all but the removes, and collects its sidecars.
class ManifestVisitor final : public ActionVisitor {
 public:
  ManifestVisitor(ParsedActions& actions, std::vector<std::string>& sidecars)
      : actions_(actions), sidecars_(sidecars) {}

  Status OnAdd(const AddRecord& add) override { return actions_.OnAdd(add); }
  Status OnProtocol(Protocol protocol) override { return actions_.OnProtocol(std::move(protocol)); }
  Status OnMetadata(Metadata metadata) override { return actions_.OnMetadata(std::move(metadata)); }
  Status OnTxn(Txn txn) override { return actions_.OnTxn(std::move(txn)); }
  Status OnDomainMetadata(DomainMetadata domain) override { return actions_.OnDomainMetadata(std::move(domain)); }
  Status OnSidecar(std::string_view path) override {
    sidecars_.emplace_back(path);
    return Status::Ok();
  }

 private:
  ParsedActions& actions_;
  std::vector<std::string>& sidecars_;
};

/// Reads the small actions and the sidecars' paths of one Parquet file of a checkpoint; these are read apart from the
/// adds, so that neither pays for the other's rows.
Status ReadManifest(columnar::ParquetFile& file, ParsedActions& actions, std::vector<std::string>& sidecars) {
  const std::pair<const char*, const char*> small[] = {
      {"protocol", "minReaderVersion"}, {"metaData", "schemaString"}, {"txn", "appId"}, {"domainMetadata", "domain"}};
  for (const auto& [action, field] : small) {
    TARN_RETURN_NOT_OK(ReadLeaves(file, {{action}}, {action, field}, AllRowGroups(file),
                                  [&](const BatchPtr& batch) { return ReadSmallActions(*batch, actions); }));
  }
  return ReadLeaves(file, {{"sidecar", "path"}}, {"sidecar", "path"}, AllRowGroups(file), [&](const BatchPtr& batch) {
    const Column path = Column::Of(*batch, "sidecar").Child("path");
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      if (const auto text = path.Text(row); text.has_value()) sidecars.emplace_back(*text);
    }
    return Status::Ok();
  });
}

/// True when some add of the row group has no statistics text: the file has none, or fewer than paths.
bool LacksStatsText(columnar::ParquetFile& file, int group) {
  const std::vector<int> stats = file.FindLeaves({"add", "stats"});
  const std::vector<int> path = file.FindLeaves({"add", "path"});
  if (stats.empty() || path.empty()) return true;
  const auto without_stats = file.NullCount(group, stats.front());
  const auto without_path = file.NullCount(group, path.front());
  return !without_stats.has_value() || !without_path.has_value() || *without_stats > *without_path;
}

Status ReadFileActions(columnar::ParquetFile& file, const std::vector<int>& row_groups, ParsedActions& actions) {
  Paths add = {{"add", "path"},       {"add", "partitionValues"}, {"add", "size"}, {"add", "modificationTime"},
               {"add", "dataChange"}, {"add", "stats"},           {"add", "tags"}, {"add", "deletionVector"}};
  const auto read = [&](const std::vector<int>& groups) {
    return ReadLeaves(file, add, {"add", "path"}, groups, [&](const BatchPtr& batch) {
      return ReadAdds(Column::Of(*batch, "add"), batch->num_rows(), actions);
    });
  };
  std::vector<int> with_text;
  std::vector<int> without_text;
  for (const int group : row_groups) (LacksStatsText(file, group) ? without_text : with_text).push_back(group);
  TARN_RETURN_NOT_OK(read(with_text));
  add.push_back({"add", "stats_parsed"});
  return read(without_text);
}

/// Some row groups of a Parquet file that may hold adds.
struct Task {
  std::string key;
  std::vector<int> row_groups;
  /// Where it is open already.
  std::unique_ptr<columnar::ParquetFile> file;
};

/// One checkpoint being read.
class CheckpointReader {
 public:
  CheckpointReader(const std::shared_ptr<storage::ObjectStore>& store, const CheckpointFiles& checkpoint)
      : store_(store), checkpoint_(checkpoint), uri_(store->uri()) {}

  Result<std::vector<std::unique_ptr<ParsedActions>>> Run(int max_threads) {
    TARN_ASSIGN_OR_RETURN(std::vector<std::string> sidecars, ReadOwnFiles(max_threads));
    for (std::string& key : sidecars) tasks_.push_back({.key = std::move(key)});
    const size_t base = units_.size();
    for (size_t i = 0; i < tasks_.size(); ++i) NewUnit();
    TARN_RETURN_NOT_OK(RunParallel(tasks_.size(), max_threads, [&](size_t i) {
      return Perform(tasks_[i], *units_[base + i]).WithContext(tasks_[i].key);
    }));
    return std::move(units_);
  }

  /// Reads the checkpoint's own files, all but the adds of Parquet ones, which become tasks; the keys of its sidecars.
  Result<std::vector<std::string>> ReadOwnFiles(int max_threads) {
    auto& small = NewUnit();
    for (const LogFile& part : checkpoint_.parts) {
      TARN_RETURN_NOT_OK(ReadOwn(part, *small, max_threads).WithContext(part.key));
    }
    small->Finish();
    std::vector<std::string> keys;
    for (const std::string& path : sidecars_) {
      TARN_ASSIGN_OR_RETURN(std::string key, KeyOfSidecar(path, *store_));
      keys.push_back(std::move(key));
    }
    return keys;
  }

 private:
  std::unique_ptr<ParsedActions>& NewUnit() {
    units_.push_back(std::make_unique<ParsedActions>(uri_, StatsSource()));
    units_.back()->BeginCommit(checkpoint_.version);
    return units_.back();
  }

  /// Reads one of the checkpoint's own files into `small`, all but the adds of a Parquet file, which become tasks.
  Status ReadOwn(const LogFile& part, ParsedActions& small, int max_threads) {
    if (IsJson(part)) {
      ManifestVisitor visitor(small, sidecars_);
      return CommitReader(*store_).ReadAll(part, kWindowBytes, visitor);
    }
    TARN_ASSIGN_OR_RETURN(auto file, columnar::ParquetFile::Open(*store_, part.key));
    TARN_RETURN_NOT_OK(ReadManifest(*file, small, sidecars_));
    // The one file of a large table is shared among threads, of several each takes some.
    const int shares = checkpoint_.parts.size() > 1 ? 1 : std::clamp(file->num_row_groups(), 1, max_threads);
    const size_t first = tasks_.size();
    for (int i = 0; i < shares; ++i) tasks_.push_back({.key = part.key});
    for (int group = 0; group < file->num_row_groups(); ++group) {
      tasks_[first + static_cast<size_t>(group * shares / file->num_row_groups())].row_groups.push_back(group);
    }
    // Of many parts none stays open.
    if (checkpoint_.parts.size() == 1) tasks_[first].file = std::move(file);
    return Status::Ok();
  }

  /// An empty list of row groups stands for all of a sidecar.
  Status Perform(Task& task, ParsedActions& unit) {
    auto file = std::move(task.file);
    if (file == nullptr) {
      TARN_ASSIGN_OR_RETURN(file, columnar::ParquetFile::Open(*store_, task.key));
    }
    TARN_RETURN_NOT_OK(ReadFileActions(*file, task.row_groups.empty() ? AllRowGroups(*file) : task.row_groups, unit));
    unit.Finish();
    return Status::Ok();
  }

  const std::shared_ptr<storage::ObjectStore>& store_;
  const CheckpointFiles& checkpoint_;
  const std::string uri_;
  std::vector<std::string> sidecars_;
  std::vector<Task> tasks_;
  std::vector<std::unique_ptr<ParsedActions>> units_;
};

using RemoveVisit = std::function<Status(const Remove&)>;

Status VisitRemovesOf(columnar::ParquetFile& file, const RemoveVisit& visit) {
  const Paths paths = {{"remove", "path"},
                       {"remove", "deletionTimestamp"},
                       {"remove", "dataChange"},
                       {"remove", "extendedFileMetadata"},
                       {"remove", "partitionValues"},
                       {"remove", "size"},
                       {"remove", "deletionVector"}};
  return ReadLeaves(file, paths, {"remove", "path"}, AllRowGroups(file), [&](const BatchPtr& batch) -> Status {
    const Column column = Column::Of(*batch, "remove");
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      if (!column.Has(row)) continue;
      TARN_ASSIGN_OR_RETURN(const Remove remove, ReadRemove(column, row));
      TARN_RETURN_NOT_OK(visit(remove));
    }
    return Status::Ok();
  });
}

}  // namespace

Result<std::vector<std::unique_ptr<ParsedActions>>> ReadCheckpoint(const std::shared_ptr<storage::ObjectStore>& store,
                                                                   const CheckpointFiles& checkpoint, int max_threads) {
  return CheckpointReader(store, checkpoint).Run(max_threads);
}

Result<std::vector<std::string>> ReadSidecarKeys(const std::shared_ptr<storage::ObjectStore>& store,
                                                 const CheckpointFiles& checkpoint) {
  return CheckpointReader(store, checkpoint).ReadOwnFiles(/*max_threads=*/1);
}

Status VisitCheckpointRemoves(const std::shared_ptr<storage::ObjectStore>& store, const CheckpointFiles& checkpoint,
                              const RemoveVisit& visit) {
  TARN_ASSIGN_OR_RETURN(std::vector<std::string> keys, ReadSidecarKeys(store, checkpoint));
  for (const LogFile& part : checkpoint.parts) {
    if (!IsJson(part)) {
      keys.push_back(part.key);
      continue;
    }
    RemoveVisitor visitor(visit);
    TARN_RETURN_NOT_OK(CommitReader(*store).ReadAll(part, kWindowBytes, visitor));
  }
  for (const std::string& key : keys) {
    TARN_ASSIGN_OR_RETURN(const auto file, columnar::ParquetFile::Open(*store, key));
    TARN_RETURN_NOT_OK(VisitRemovesOf(*file, visit).WithContext(key));
  }
  return Status::Ok();
}

}  // namespace tarn::delta
