#include "columnar/parquet_writer.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_writer.h>
#include <parquet/properties.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "columnar/arrow_status.h"
#include "columnar/column_statistics.h"
#include "columnar/delta_schema.h"
#include "columnar/dictionary_choice.h"
#include "columnar/object_streams.h"

namespace tarn::columnar {
namespace {

/// The first rows of a file wait for as many as show which columns repeat their values.
constexpr int64_t kSampleRows = 32 << 10;
constexpr int64_t kSampleBytes = 4 << 20;

constexpr char kColumnMappingId[] = "json:delta.columnMapping.id";
constexpr char kParquetFieldId[] = "PARQUET:field_id";

/// Hands everything to a file writer of Parquet's and keeps hold of its open row group, which the Arrow layer on top
/// does not show: its size decides when the next row group and the next file begin.
class MeteredContents final : public parquet::ParquetFileWriter::Contents {
 public:
  MeteredContents(std::unique_ptr<parquet::ParquetFileWriter> writer,
                  std::shared_ptr<parquet::schema::GroupNode> schema, parquet::RowGroupWriter** open_group)
      : Contents(std::move(schema), nullptr), writer_(std::move(writer)), open_group_(open_group) {}

  void Close() override {
    *open_group_ = nullptr;
    writer_->Close();
    file_metadata_ = writer_->metadata();
  }
  parquet::RowGroupWriter* AppendRowGroup() override { return writer_->AppendRowGroup(); }
  parquet::RowGroupWriter* AppendBufferedRowGroup() override {
    return *open_group_ = writer_->AppendBufferedRowGroup();
  }
  int64_t num_rows() const override { return writer_->num_rows(); }
  int num_columns() const override { return writer_->num_columns(); }
  int num_row_groups() const override { return writer_->num_row_groups(); }
  const std::shared_ptr<parquet::WriterProperties>& properties() const override { return writer_->properties(); }
  void AddKeyValueMetadata(const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) override {
    writer_->AddKeyValueMetadata(metadata);
  }

 private:
  const std::unique_ptr<parquet::ParquetFileWriter> writer_;
  parquet::RowGroupWriter** const open_group_;
};

/// The field as the file stores it: all metadata gone except the field id of column mapping.
std::shared_ptr<arrow::Field> StoredField(const arrow::Field& field);

std::shared_ptr<arrow::DataType> StoredType(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::STRUCT: {
      arrow::FieldVector fields;
      for (const auto& field : type->fields()) fields.push_back(StoredField(*field));
      return arrow::struct_(fields);
    }
    case arrow::Type::LIST:
      return arrow::list(StoredField(*type->field(0)));
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      return std::make_shared<arrow::MapType>(StoredField(*map.key_field()), StoredField(*map.item_field()));
    }
    default:
      return type;
  }
}

std::shared_ptr<arrow::Field> StoredField(const arrow::Field& field) {
  std::shared_ptr<const arrow::KeyValueMetadata> metadata;
  if (field.HasMetadata()) {
    if (arrow::Result<std::string> id = field.metadata()->Get(kColumnMappingId); id.ok()) {
      metadata = arrow::key_value_metadata({kParquetFieldId}, {*std::move(id)});
    }
  }
  return arrow::field(field.name(), StoredType(field.type()), field.nullable(), std::move(metadata));
}

/// Only what Parquet and Delta both hold, so that what is read back is what was written.
Status CheckStorable(const arrow::Field& field, const std::string& path) {
  const arrow::DataType& type = *field.type();
  if (type.id() == arrow::Type::NA || (type.id() == arrow::Type::STRUCT && type.num_fields() == 0)) {
    return Status::InvalidArgument("column '" + path + "' of type " + DeltaTypeName(type) +
                                   " cannot be stored in a Parquet file");
  }
  for (const auto& child : type.fields()) TARN_RETURN_NOT_OK(CheckStorable(*child, path + "." + child->name()));
  return Status::Ok();
}

Status CheckSchema(const arrow::Schema& schema) {
  if (schema.num_fields() == 0) return Status::InvalidArgument("a Parquet file needs at least one column");
  TARN_ASSIGN_OR_RETURN(const auto canonical, CanonicalSchema(schema));
  for (int i = 0; i < schema.num_fields(); ++i) {
    const arrow::Field& field = *schema.field(i);
    if (!field.type()->Equals(canonical->field(i)->type())) {
      return Status::InvalidArgument("column '" + field.name() + "' has the type " + field.type()->ToString() +
                                     " where a file needs " + canonical->field(i)->type()->ToString());
    }
    TARN_RETURN_NOT_OK(CheckStorable(field, field.name()));
  }
  return Status::Ok();
}

class ParquetWriterImpl final : public ParquetWriter {
 public:
  ParquetWriterImpl(std::string key, const arrow::Schema& schema, const ParquetWriterOptions& options)
      : key_(std::move(key)), options_(options), statistics_(schema, options.indexed_columns, options.indexed_leaves) {
    arrow::FieldVector fields;
    for (const auto& field : schema.fields()) fields.push_back(StoredField(*field));
    schema_ = arrow::schema(std::move(fields));
  }
  ~ParquetWriterImpl() override {
    // Parquet's writer closes the file when it is destroyed; that must cost no I/O.
    if (!finished_ && stream_ != nullptr) stream_->Abandon();
  }

  Status Open(storage::ObjectStore& store);
  Status Append(const arrow::RecordBatch& batch) override;
  Status EndRowGroup() override;
  int64_t bytes_written() const override;
  Result<WrittenFile> Finish() override;

 private:
  /// Opens the file with what the rows that waited say of their columns, and writes them.
  Status Begin();
  Status OpenWriter();
  Status Encode(const arrow::RecordBatch& batch);
  Status Write(const arrow::RecordBatch& batch);
  /// Encoded bytes of the open row group.
  int64_t OpenGroupBytes() const;
  /// Remembers the first error; the store's own comes before what Arrow makes of it.
  Status Keep(Status status);

  const std::string key_;
  const ParquetWriterOptions options_;
  std::shared_ptr<arrow::Schema> schema_;
  StatisticsCollector statistics_;
  std::shared_ptr<ObjectStream> stream_;
  /// Rows that wait until `writer_` is opened.
  std::vector<std::shared_ptr<arrow::RecordBatch>> sample_;
  /// Numbers of these batches behind which a row group ends.
  std::set<size_t> sample_group_ends_;
  int64_t sample_rows_ = 0;
  int64_t sample_bytes_ = 0;
  // Set by the contents that `writer_` owns, and read only while it lives.
  parquet::RowGroupWriter* open_group_ = nullptr;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t open_group_rows_ = 0;
  bool finished_ = false;
  Status status_;
};

Status ParquetWriterImpl::Keep(Status status) {
  if (status.ok() || !status_.ok()) return status_.ok() ? status : status_;
  if (!stream_->status().ok()) status = stream_->status();
  status_ = status.WithContext(key_);
  return status_;
}

Status ParquetWriterImpl::Open(storage::ObjectStore& store) {
  TARN_ASSIGN_OR_RETURN(auto object, store.OpenWriter(key_, options_.precondition));
  stream_ = std::make_shared<ObjectStream>(std::move(object));
  return Status::Ok();
}

/// Bounds in the footer leave NaN aside, and DuckDB, which sorts it above everything, then skips row groups that hold a
/// match. The table's own statistics know about NaN, so the footer has none for these columns.
void DisableFloatStatistics(const parquet::SchemaDescriptor& descriptor, parquet::WriterProperties::Builder& builder) {
  for (int i = 0; i < descriptor.num_columns(); ++i) {
    const parquet::ColumnDescriptor& column = *descriptor.Column(i);
    if (column.physical_type() != parquet::Type::FLOAT && column.physical_type() != parquet::Type::DOUBLE) continue;
    builder.disable_statistics(column.path())->disable_write_page_index(column.path());
  }
}

Status ParquetWriterImpl::OpenWriter() {
  // The Arrow schema is not stored: every type here follows from the Parquet schema alone, and readers that know Arrow
  // should see exactly what the others see.
  const auto arrow_properties =
      parquet::ArrowWriterProperties::Builder().enable_compliant_nested_types()->set_use_threads(false)->build();
  parquet::WriterProperties::Builder builder;
  builder.compression(parquet::Compression::ZSTD)
      ->compression_level(options_.zstd_level)
      ->data_page_version(parquet::ParquetDataPageVersion::V1)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->max_row_group_length(options_.row_group_rows)
      ->created_by("tarn")
      // INT32 and INT64 where the precision allows, as Spark writes them.
      ->enable_store_decimal_as_integer()
      ->enable_page_checksum();
  std::shared_ptr<parquet::SchemaDescriptor> descriptor;
  TARN_RETURN_ARROW_NOT_OK(
      parquet::arrow::ToParquetSchema(schema_.get(), *builder.build(), *arrow_properties, &descriptor));
  DisableFloatStatistics(*descriptor, builder);
  for (const int leaf : LeavesWithoutRepetition(sample_)) {
    builder.disable_dictionary(descriptor->Column(leaf)->path());
  }
  const std::shared_ptr<parquet::WriterProperties> properties = builder.build();
  const auto root = std::static_pointer_cast<parquet::schema::GroupNode>(descriptor->schema_root());
  auto file = std::make_unique<parquet::ParquetFileWriter>();
  file->Open(std::make_unique<MeteredContents>(parquet::ParquetFileWriter::Open(stream_, root, properties), root,
                                               &open_group_));
  return FromArrow(parquet::arrow::FileWriter::Make(arrow::default_memory_pool(), std::move(file), schema_,
                                                    arrow_properties, &writer_));
}

/// In memory.
int64_t BytesOf(const arrow::RecordBatch& batch) {
  return arrow::util::ReferencedBufferSize(batch).ValueOr(arrow::util::TotalBufferSize(batch));
}

int64_t ParquetWriterImpl::OpenGroupBytes() const {
  if (open_group_ == nullptr) return 0;
  const parquet::RowGroupWriter::BufferedStats buffered = open_group_->estimated_buffered_stats();
  return open_group_->total_compressed_bytes() + open_group_->total_compressed_bytes_written() +
         buffered.def_level_bytes + buffered.rep_level_bytes + buffered.value_bytes + buffered.dict_bytes;
}

int64_t ParquetWriterImpl::bytes_written() const {
  const arrow::Result<int64_t> flushed = stream_->Tell();
  return flushed.ValueOr(0) + (status_.ok() && !finished_ ? sample_bytes_ + OpenGroupBytes() : 0);
}

Status ParquetWriterImpl::Append(const arrow::RecordBatch& batch) {
  TARN_RETURN_NOT_OK(status_);
  TARN_CHECK(!finished_);
  if (!batch.schema()->Equals(*schema_, /*check_metadata=*/false)) {
    return Status::InvalidArgument(key_ + ": a batch of schema {" + batch.schema()->ToString() +
                                   "} does not fit the file's {" + schema_->ToString() + "}");
  }
  if (batch.num_rows() == 0) return Status::Ok();
  if (writer_ == nullptr) {
    sample_.push_back(batch.Slice(0));
    sample_rows_ += batch.num_rows();
    sample_bytes_ += BytesOf(batch);
    if (sample_rows_ >= kSampleRows || sample_bytes_ >= kSampleBytes) TARN_RETURN_NOT_OK(Begin());
  } else {
    TARN_RETURN_NOT_OK(Encode(batch));
  }
  return Keep(statistics_.Observe(batch));
}

Status ParquetWriterImpl::EndRowGroup() {
  TARN_RETURN_NOT_OK(status_);
  open_group_rows_ = 0;
  // The few rows of a first row group would not show what the encodings should be.
  if (writer_ == nullptr) sample_group_ends_.insert(sample_.size());
  return Status::Ok();
}

Status ParquetWriterImpl::Begin() {
  TARN_RETURN_NOT_OK(Keep(ArrowBarrier([this] { return OpenWriter(); })));
  sample_bytes_ = 0;
  const auto sample = std::exchange(sample_, {});
  for (size_t i = 0; i < sample.size(); ++i) {
    if (sample_group_ends_.contains(i)) open_group_rows_ = 0;
    TARN_RETURN_NOT_OK(Encode(*sample[i]));
  }
  if (sample_group_ends_.contains(sample.size())) open_group_rows_ = 0;
  return Status::Ok();
}

Status ParquetWriterImpl::Encode(const arrow::RecordBatch& batch) {
  // Slices small enough that the size of the open row group is seen before it goes far beyond its bound.
  const int64_t pieces =
      std::min(batch.num_rows(), 1 + BytesOf(batch) / std::max<int64_t>(options_.row_group_bytes / 8, 1));
  const int64_t step = pieces == 0 ? 1 : (batch.num_rows() + pieces - 1) / pieces;
  for (int64_t start = 0; start < batch.num_rows();) {
    const int64_t room = options_.row_group_rows - open_group_rows_;
    const int64_t rows = std::min({step, room, batch.num_rows() - start});
    const auto slice = batch.Slice(start, rows);
    TARN_RETURN_NOT_OK(Keep(ArrowBarrier([&] { return Write(*slice); })));
    start += rows;
  }
  return Status::Ok();
}

Status ParquetWriterImpl::Write(const arrow::RecordBatch& batch) {
  if (open_group_rows_ == 0) TARN_RETURN_ARROW_NOT_OK(writer_->NewBufferedRowGroup());
  TARN_RETURN_ARROW_NOT_OK(writer_->WriteRecordBatch(batch));
  open_group_rows_ += batch.num_rows();
  if (open_group_rows_ >= options_.row_group_rows || OpenGroupBytes() >= options_.row_group_bytes) {
    open_group_rows_ = 0;
  }
  return Status::Ok();
}

Result<WrittenFile> ParquetWriterImpl::Finish() {
  TARN_RETURN_NOT_OK(status_);
  TARN_CHECK(!finished_);
  if (writer_ == nullptr) TARN_RETURN_NOT_OK(Begin());
  finished_ = true;
  TARN_RETURN_NOT_OK(Keep(ArrowBarrier([this] { return FromArrow(writer_->Close()); })));
  Result<storage::ObjectInfo> info = stream_->Finish();
  if (!info.ok()) return Keep(info.status());
  return WrittenFile{key_, info->size_bytes, statistics_.num_records(), info->modified_micros, statistics_.ToJson()};
}

}  // namespace

Result<std::unique_ptr<ParquetWriter>> ParquetWriter::Open(storage::ObjectStore& store, const std::string& key,
                                                           std::shared_ptr<arrow::Schema> schema,
                                                           const ParquetWriterOptions& options) {
  TARN_CHECK(schema != nullptr && options.row_group_rows > 0 && options.row_group_bytes > 0);
  TARN_RETURN_NOT_OK(CheckSchema(*schema));
  auto writer = std::make_unique<ParquetWriterImpl>(key, *schema, options);
  TARN_RETURN_NOT_OK(writer->Open(store));
  return std::unique_ptr<ParquetWriter>(std::move(writer));
}

}  // namespace tarn::columnar
