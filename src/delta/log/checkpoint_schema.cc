#include "delta/log/checkpoint_schema.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "columnar/arrow_status.h"
#include "delta/log/parsed_statistics.h"

namespace tarn::delta {
namespace {

/// A batch is handed over at whichever comes first, which bounds memory also when statistics are long.
constexpr int64_t kBatchRows = 4096;
constexpr size_t kBatchBytes = 4 << 20;

std::shared_ptr<arrow::DataType> TextMap() { return arrow::map(arrow::utf8(), arrow::utf8()); }
std::shared_ptr<arrow::DataType> TextList() { return arrow::list(arrow::field("element", arrow::utf8())); }

std::shared_ptr<arrow::DataType> DeletionVectorType() {
  return arrow::struct_({arrow::field("storageType", arrow::utf8()), arrow::field("pathOrInlineDv", arrow::utf8()),
                         arrow::field("offset", arrow::int32()), arrow::field("sizeInBytes", arrow::int32()),
                         arrow::field("cardinality", arrow::int64())});
}

std::shared_ptr<arrow::DataType> AddType(const CheckpointLayout& layout) {
  arrow::FieldVector fields = {arrow::field("path", arrow::utf8()),
                               arrow::field("partitionValues", TextMap()),
                               arrow::field("size", arrow::int64()),
                               arrow::field("modificationTime", arrow::int64()),
                               arrow::field("dataChange", arrow::boolean()),
                               arrow::field("stats", arrow::utf8()),
                               arrow::field("tags", TextMap()),
                               arrow::field("deletionVector", DeletionVectorType())};
  if (layout.parsed_stats != nullptr) fields.push_back(arrow::field("stats_parsed", layout.parsed_stats));
  if (layout.parsed_partition != nullptr) {
    fields.push_back(arrow::field("partitionValues_parsed", layout.parsed_partition));
  }
  return arrow::struct_(std::move(fields));
}

std::shared_ptr<arrow::DataType> RemoveType() {
  return arrow::struct_({arrow::field("path", arrow::utf8()), arrow::field("deletionTimestamp", arrow::int64()),
                         arrow::field("dataChange", arrow::boolean()),
                         arrow::field("extendedFileMetadata", arrow::boolean()),
                         arrow::field("partitionValues", TextMap()), arrow::field("size", arrow::int64()),
                         arrow::field("deletionVector", DeletionVectorType())});
}

std::shared_ptr<arrow::DataType> MetadataType() {
  const auto format = arrow::struct_({arrow::field("provider", arrow::utf8()), arrow::field("options", TextMap())});
  return arrow::struct_({arrow::field("id", arrow::utf8()), arrow::field("name", arrow::utf8()),
                         arrow::field("description", arrow::utf8()), arrow::field("format", format),
                         arrow::field("schemaString", arrow::utf8()), arrow::field("partitionColumns", TextList()),
                         arrow::field("configuration", TextMap()), arrow::field("createdTime", arrow::int64())});
}

std::shared_ptr<arrow::DataType> ProtocolType() {
  return arrow::struct_({arrow::field("minReaderVersion", arrow::int32()),
                         arrow::field("minWriterVersion", arrow::int32()), arrow::field("readerFeatures", TextList()),
                         arrow::field("writerFeatures", TextList())});
}

std::shared_ptr<arrow::Field> FieldOf(const CheckpointLayout& layout, CheckpointColumn column) {
  const auto structure = [](const char* name, arrow::FieldVector fields) {
    return arrow::field(name, arrow::struct_(std::move(fields)));
  };
  switch (column) {
    case CheckpointColumn::kTxn:
      return structure("txn", {arrow::field("appId", arrow::utf8()), arrow::field("version", arrow::int64()),
                               arrow::field("lastUpdated", arrow::int64())});
    case CheckpointColumn::kAdd:
      return arrow::field("add", AddType(layout));
    case CheckpointColumn::kRemove:
      return arrow::field("remove", RemoveType());
    case CheckpointColumn::kMetadata:
      return arrow::field("metaData", MetadataType());
    case CheckpointColumn::kProtocol:
      return arrow::field("protocol", ProtocolType());
    case CheckpointColumn::kDomainMetadata:
      return structure("domainMetadata",
                       {arrow::field("domain", arrow::utf8()), arrow::field("configuration", arrow::utf8()),
                        arrow::field("removed", arrow::boolean())});
    case CheckpointColumn::kCheckpointMetadata:
      return structure("checkpointMetadata",
                       {arrow::field("version", arrow::int64()), arrow::field("tags", TextMap())});
    case CheckpointColumn::kSidecar:
      return structure("sidecar", {arrow::field("path", arrow::utf8()), arrow::field("sizeInBytes", arrow::int64()),
                                   arrow::field("modificationTime", arrow::int64()), arrow::field("tags", TextMap())});
  }
  TARN_CHECK(false);
  return nullptr;
}

/// Fills one row of a struct, member after member in the order of its type.
class StructRow {
 public:
  explicit StructRow(arrow::ArrayBuilder* builder) : builder_(static_cast<arrow::StructBuilder*>(builder)) {
    Keep(builder_->Append());
  }
  StructRow& Text(const std::optional<std::string_view>& text) { return Value<arrow::StringBuilder>(text); }
  StructRow& Long(const std::optional<int64_t>& number) { return Value<arrow::Int64Builder>(number); }
  StructRow& Int(const std::optional<int32_t>& number) { return Value<arrow::Int32Builder>(number); }
  StructRow& Bool(bool flag) { return Value<arrow::BooleanBuilder>(std::optional(flag)); }

  /// Pairs of text and text or optional text.
  template <typename Pairs>
  StructRow& Map(const Pairs& pairs) {
    auto* map = Next<arrow::MapBuilder>();
    Keep(map->Append());
    auto* keys = static_cast<arrow::StringBuilder*>(map->key_builder());
    auto* values = static_cast<arrow::StringBuilder*>(map->item_builder());
    for (const auto& [key, value] : pairs) {
      const std::optional<std::string_view> text = value;
      Keep(keys->Append(key));
      Keep(text.has_value() ? values->Append(*text) : values->AppendNull());
    }
    return *this;
  }
  StructRow& List(const std::optional<std::vector<std::string>>& texts) {
    auto* list = Next<arrow::ListBuilder>();
    if (!texts.has_value()) {
      Keep(list->AppendNull());
      return *this;
    }
    Keep(list->Append());
    Keep(static_cast<arrow::StringBuilder*>(list->value_builder())->AppendValues(*texts));
    return *this;
  }
  StructRow& Null() {
    Keep(Next<arrow::ArrayBuilder>()->AppendNull());
    return *this;
  }
  StructRow& DeletionVector(const std::optional<delta::DeletionVector>& vector) {
    if (!vector.has_value()) return Null();
    StructRow row(Next<arrow::ArrayBuilder>());
    row.Text(std::string_view(&vector->storage_type, 1))
        .Text(vector->path_or_inline)
        .Int(vector->offset)
        .Int(vector->size_in_bytes)
        .Long(vector->cardinality);
    Keep(row.status_);
    return *this;
  }
  /// The next member, for those who fill it themselves.
  StructRow& With(const std::function<Status(arrow::ArrayBuilder& member)>& fill) {
    Status filled = fill(*Next<arrow::ArrayBuilder>());
    if (failure_.ok()) failure_ = std::move(filled);
    return *this;
  }
  /// The format of data files: always Parquet, without options.
  StructRow& ParquetFormat() {
    StructRow row(Next<arrow::ArrayBuilder>());
    row.Text("parquet").Map(std::map<std::string, std::string>());
    Keep(row.status_);
    return *this;
  }
  Status Done() const {
    TARN_CHECK(next_ == builder_->num_children());
    TARN_RETURN_NOT_OK(failure_);
    return columnar::FromArrow(status_);
  }

 private:
  template <typename Builder>
  Builder* Next() {
    return static_cast<Builder*>(builder_->child(next_++));
  }
  template <typename Builder, typename T>
  StructRow& Value(const std::optional<T>& value) {
    auto* child = Next<Builder>();
    Keep(value.has_value() ? child->Append(*value) : child->AppendNull());
    return *this;
  }
  void Keep(const arrow::Status& status) {
    if (status_.ok()) status_ = status;
  }

  arrow::StructBuilder* const builder_;
  int next_ = 0;
  arrow::Status status_;
  Status failure_;
};

std::optional<std::string_view> TextOrNull(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

size_t BytesOf(const PartitionValues& values) {
  size_t bytes = 0;
  for (const auto& [key, value] : values) bytes += key.size() + (value.has_value() ? value->size() : 0);
  return bytes;
}

}  // namespace

CheckpointLayout CheckpointLayout::Classic(bool with_domains) {
  CheckpointLayout layout{{CheckpointColumn::kTxn, CheckpointColumn::kAdd, CheckpointColumn::kRemove,
                           CheckpointColumn::kMetadata, CheckpointColumn::kProtocol}};
  if (with_domains) layout.columns.push_back(CheckpointColumn::kDomainMetadata);
  return layout;
}

CheckpointLayout CheckpointLayout::Manifest() {
  CheckpointLayout layout = Classic(/*with_domains=*/true);
  layout.columns.push_back(CheckpointColumn::kCheckpointMetadata);
  layout.columns.push_back(CheckpointColumn::kSidecar);
  return layout;
}

CheckpointLayout CheckpointLayout::OfSidecar() { return {{CheckpointColumn::kAdd, CheckpointColumn::kRemove}}; }

std::shared_ptr<arrow::Schema> CheckpointLayout::Schema() const {
  arrow::FieldVector fields;
  for (const CheckpointColumn column : columns) fields.push_back(FieldOf(*this, column));
  return arrow::schema(std::move(fields));
}

struct CheckpointRows::Builders {
  explicit Builders(const CheckpointLayout& layout) : schema(layout.Schema()) {
    for (size_t i = 0; i < layout.columns.size(); ++i) {
      places[layout.columns[i]] = i;
      columns.push_back(arrow::MakeBuilder(schema->field(static_cast<int>(i))->type()).ValueOrDie());
    }
  }
  size_t PlaceOf(CheckpointColumn column) const {
    const auto found = places.find(column);
    TARN_CHECK(found != places.end());
    return found->second;
  }
  arrow::ArrayBuilder* Of(CheckpointColumn column) { return columns[PlaceOf(column)].get(); }

  const std::shared_ptr<arrow::Schema> schema;
  std::map<CheckpointColumn, size_t> places;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> columns;
};

CheckpointRows::CheckpointRows(CheckpointLayout layout, Sink sink)
    : layout_(std::move(layout)), sink_(std::move(sink)), builders_(std::make_unique<Builders>(layout_)) {}

CheckpointRows::~CheckpointRows() = default;

Status CheckpointRows::Begin(CheckpointColumn column) {
  if (column != column_) TARN_RETURN_NOT_OK(Flush());
  column_ = column;
  return Status::Ok();
}

Status CheckpointRows::End(const Status& row, size_t bytes) {
  TARN_RETURN_NOT_OK(row);
  ++gathered_rows_;
  gathered_bytes_ += bytes;
  if (gathered_rows_ < kBatchRows && gathered_bytes_ < kBatchBytes) return Status::Ok();
  return Flush();
}

Status CheckpointRows::Flush() {
  if (gathered_rows_ == 0) return Status::Ok();
  const size_t own = builders_->PlaceOf(column_);
  arrow::ArrayVector columns;
  for (size_t i = 0; i < builders_->columns.size(); ++i) {
    std::shared_ptr<arrow::Array> array;
    if (own == i) {
      TARN_RETURN_ARROW_NOT_OK(builders_->columns[i]->Finish(&array));
    } else {
      TARN_ASSIGN_OR_RETURN_ARROW(
          array, arrow::MakeArrayOfNull(builders_->schema->field(static_cast<int>(i))->type(), gathered_rows_));
    }
    columns.push_back(std::move(array));
  }
  const auto batch = arrow::RecordBatch::Make(builders_->schema, gathered_rows_, std::move(columns));
  num_rows_ += gathered_rows_;
  gathered_rows_ = 0;
  gathered_bytes_ = 0;
  return sink_(*batch);
}

Status CheckpointRows::Append(const Protocol& protocol) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kProtocol));
  StructRow row(builders_->Of(column_));
  row.Int(protocol.min_reader_version)
      .Int(protocol.min_writer_version)
      .List(protocol.reader_features)
      .List(protocol.writer_features);
  return End(row.Done(), 0);
}

Status CheckpointRows::Append(const Metadata& metadata) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kMetadata));
  StructRow row(builders_->Of(column_));
  row.Text(metadata.id)
      .Text(metadata.name)
      .Text(metadata.description)
      .ParquetFormat()
      .Text(metadata.schema_string)
      .List(metadata.partition_columns)
      .Map(metadata.configuration)
      .Long(metadata.created_time_millis);
  return End(row.Done(), metadata.schema_string.size());
}

Status CheckpointRows::Append(const Txn& txn) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kTxn));
  StructRow row(builders_->Of(column_));
  row.Text(txn.app_id).Long(txn.version).Long(txn.last_updated_millis);
  return End(row.Done(), txn.app_id.size());
}

Status CheckpointRows::Append(const DomainMetadata& domain) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kDomainMetadata));
  StructRow row(builders_->Of(column_));
  row.Text(domain.domain).Text(domain.configuration).Bool(domain.removed);
  return End(row.Done(), domain.domain.size() + domain.configuration.size());
}

Status CheckpointRows::Append(const Remove& remove) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kRemove));
  StructRow row(builders_->Of(column_));
  row.Text(remove.path).Long(remove.deletion_timestamp_millis).Bool(false).Bool(remove.extended_file_metadata);
  // Without extended metadata the rest is unknown, and an empty map would say that there is no partition.
  if (remove.extended_file_metadata) {
    row.Map(remove.partition_values);
  } else {
    row.Null();
  }
  row.Long(remove.size_bytes).DeletionVector(remove.deletion_vector);
  return End(row.Done(), remove.path.size() + BytesOf(remove.partition_values));
}

Status CheckpointRows::Append(const Add& add) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kAdd));
  StructRow row(builders_->Of(column_));
  row.Text(add.path)
      .Map(add.partition_values)
      .Long(add.size_bytes)
      .Long(add.modification_time_millis)
      .Bool(false)
      .Text(layout_.stats_as_json ? TextOrNull(add.stats) : std::nullopt);
  if (add.tags.empty()) {
    row.Null();
  } else {
    row.Map(add.tags);
  }
  row.DeletionVector(add.deletion_vector);
  if (layout_.parsed_stats != nullptr) {
    row.With([&](arrow::ArrayBuilder& member) { return AppendParsedStats(member, *layout_.parsed_stats, add.stats); });
  }
  if (layout_.parsed_partition != nullptr) {
    row.With([&](arrow::ArrayBuilder& member) {
      return AppendParsedPartition(member, *layout_.parsed_partition, add.partition_values);
    });
  }
  return End(row.Done(), add.path.size() + add.stats.size() + BytesOf(add.partition_values));
}

Status CheckpointRows::AppendCheckpointMetadata(int64_t version) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kCheckpointMetadata));
  StructRow row(builders_->Of(column_));
  row.Long(version).Null();
  return End(row.Done(), 0);
}

Status CheckpointRows::Append(const Sidecar& sidecar) {
  TARN_RETURN_NOT_OK(Begin(CheckpointColumn::kSidecar));
  StructRow row(builders_->Of(column_));
  row.Text(sidecar.name).Long(sidecar.size_bytes).Long(sidecar.modified_millis).Null();
  return End(row.Done(), sidecar.name.size());
}

}  // namespace tarn::delta
