#include "columnar/parquet_reader.h"

#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <numeric>

#include "columnar/arrow_status.h"
#include "columnar/delta_schema.h"
#include "columnar/object_streams.h"

namespace tarn::columnar {
namespace {

/// Read ahead per leaf column.
constexpr int64_t kReadBufferBytes = 256 << 10;
/// A batch has fewer rows than asked for where so many would be larger, going by what the file says of its columns.
constexpr int64_t kMaxBatchBytes = 8 << 20;

class ParquetFileImpl final : public ParquetFile {
 public:
  explicit ParquetFileImpl(std::string key) : key_(std::move(key)) {}

  Status Open(storage::ObjectStore& store);

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  int64_t num_rows() const override { return metadata_->num_rows(); }
  int num_row_groups() const override { return metadata_->num_row_groups(); }
  int64_t row_group_rows(int row_group) const override { return metadata_->RowGroup(row_group)->num_rows(); }
  std::vector<int> FindLeaves(const std::vector<std::string>& path) const override;
  std::optional<int64_t> NullCount(int row_group, int leaf) const override;
  Status Read(const ParquetSelection& selection, const BatchVisitor& visit) override;

 private:
  /// An error met while reading: the store's own, or else what it says about the file.
  Status Located(const Status& status) const;
  Status OpenReader();
  Status Stream(const ParquetSelection& selection, const BatchVisitor& visit, Status& visited);
  int64_t BatchRows(const ParquetSelection& selection) const;

  const std::string key_;
  std::shared_ptr<ObjectFile> file_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  std::shared_ptr<arrow::Schema> schema_;
  /// Of each leaf. The library makes one anew each time that it is asked.
  std::vector<std::vector<std::string>> leaf_paths_;
};

/// The column's canonical type, or its own when Delta has none for it.
std::shared_ptr<arrow::Field> Canonical(const std::shared_ptr<arrow::Field>& field) {
  Result<std::shared_ptr<arrow::Schema>> canonical = CanonicalSchema(*arrow::schema({field}));
  return canonical.ok() ? (*canonical)->field(0) : field;
}

std::shared_ptr<arrow::Schema> CanonicalColumns(const arrow::Schema& schema) {
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) fields.push_back(Canonical(field));
  return arrow::schema(std::move(fields));
}

Result<std::shared_ptr<arrow::RecordBatch>> Conform(const arrow::RecordBatch& batch,
                                                    const std::shared_ptr<arrow::Schema>& schema) {
  arrow::ArrayVector columns = batch.columns();
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& type = schema->field(static_cast<int>(i))->type();
    if (columns[i]->type()->Equals(*type)) continue;
    TARN_ASSIGN_OR_RETURN_ARROW(columns[i], arrow::compute::Cast(*columns[i], type));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

Status ParquetFileImpl::Located(const Status& status) const {
  if (status.ok()) return status;
  if (file_ != nullptr && !file_->status().ok()) return file_->status().WithContext(key_);
  switch (status.code()) {
    case StatusCode::kResourceExhausted:
    case StatusCode::kUnsupported:
    case StatusCode::kCancelled:
      return status.WithContext(key_);
    default:
      return Status::Corruption(key_ + ": " + status.message());
  }
}

Status ParquetFileImpl::Open(storage::ObjectStore& store) {
  TARN_ASSIGN_OR_RETURN(auto object, store.Open(key_));
  file_ = std::make_shared<ObjectFile>(std::move(object));
  return Located(ArrowBarrier([this] { return OpenReader(); }));
}

Status ParquetFileImpl::OpenReader() {
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();
  properties.set_buffer_size(kReadBufferBytes);
  properties.set_page_checksum_verification(true);
  parquet::ArrowReaderProperties arrow_properties;
  arrow_properties.set_use_threads(false);
  // Pre-buffering would load every selected column chunk of every row group at once.
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_coerce_int96_timestamp_unit(arrow::TimeUnit::MICRO);
  parquet::arrow::FileReaderBuilder builder;
  TARN_RETURN_ARROW_NOT_OK(builder.Open(file_, properties));
  builder.properties(arrow_properties);
  TARN_ASSIGN_OR_RETURN_ARROW(reader_, builder.Build());
  metadata_ = reader_->parquet_reader()->metadata();
  std::shared_ptr<arrow::Schema> stored;
  TARN_RETURN_ARROW_NOT_OK(reader_->GetSchema(&stored));
  schema_ = CanonicalColumns(*stored);
  const parquet::SchemaDescriptor& descriptor = *metadata_->schema();
  for (int i = 0; i < descriptor.num_columns(); ++i) leaf_paths_.push_back(descriptor.Column(i)->path()->ToDotVector());
  return Status::Ok();
}

std::vector<int> ParquetFileImpl::FindLeaves(const std::vector<std::string>& path) const {
  std::vector<int> leaves;
  for (size_t i = 0; i < leaf_paths_.size(); ++i) {
    const std::vector<std::string>& leaf = leaf_paths_[i];
    if (leaf.size() < path.size() || !std::equal(path.begin(), path.end(), leaf.begin())) continue;
    leaves.push_back(static_cast<int>(i));
  }
  return leaves;
}

std::optional<int64_t> ParquetFileImpl::NullCount(int row_group, int leaf) const {
  std::optional<int64_t> count;
  // Statistics that cannot be decoded are as good as none.
  (void)ArrowBarrier([&] {
    const auto statistics = metadata_->RowGroup(row_group)->ColumnChunk(leaf)->statistics();
    if (statistics != nullptr && statistics->HasNullCount()) count = statistics->null_count();
    return Status::Ok();
  });
  return count;
}

Status ParquetFileImpl::Read(const ParquetSelection& selection, const BatchVisitor& visit) {
  Status visited;
  const Status read = ArrowBarrier([&] { return Stream(selection, visit, visited); });
  if (!visited.ok()) return visited;
  return Located(read);
}

int64_t ParquetFileImpl::BatchRows(const ParquetSelection& selection) const {
  int64_t least = selection.batch_rows;
  for (const int group : selection.row_groups) {
    const auto metadata = metadata_->RowGroup(group);
    int64_t bytes = 0;
    for (const int leaf : selection.leaves) {
      bytes += std::max<int64_t>(metadata->ColumnChunk(leaf)->total_uncompressed_size(), 0);
    }
    const int64_t row_bytes = bytes / std::max<int64_t>(metadata->num_rows(), 1);
    if (row_bytes > 0) least = std::min(least, std::max<int64_t>(kMaxBatchBytes / row_bytes, 1));
  }
  return least;
}

Status ParquetFileImpl::Stream(const ParquetSelection& selection, const BatchVisitor& visit, Status& visited) {
  reader_->set_batch_size(BatchRows(selection));
  TARN_ASSIGN_OR_RETURN_ARROW(auto batches, reader_->GetRecordBatchReader(selection.row_groups, selection.leaves));
  const std::shared_ptr<arrow::Schema> schema = CanonicalColumns(*batches->schema());
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TARN_RETURN_ARROW_NOT_OK(batches->ReadNext(&batch));
    if (batch == nullptr) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(batch, Conform(*batch, schema));
    visited = visit(batch);
    if (!visited.ok()) return visited;
  }
}

}  // namespace

Result<std::unique_ptr<ParquetFile>> ParquetFile::Open(storage::ObjectStore& store, const std::string& key) {
  auto file = std::make_unique<ParquetFileImpl>(key);
  TARN_RETURN_NOT_OK(file->Open(store));
  return std::unique_ptr<ParquetFile>(std::move(file));
}

Status ReadParquet(storage::ObjectStore& store, const std::string& key, const ParquetReadOptions& options,
                   const BatchVisitor& visit) {
  TARN_ASSIGN_OR_RETURN(const auto file, ParquetFile::Open(store, key));
  ParquetSelection selection;
  selection.batch_rows = options.batch_rows;
  selection.row_groups.resize(static_cast<size_t>(file->num_row_groups()));
  std::iota(selection.row_groups.begin(), selection.row_groups.end(), 0);
  if (options.columns.empty()) {
    selection.leaves = file->FindLeaves({});
    return file->Read(selection, visit);
  }
  std::vector<std::string> present;
  for (const std::string& column : options.columns) {
    const std::vector<int> leaves = file->FindLeaves({column});
    if (leaves.empty()) continue;
    present.push_back(column);
    selection.leaves.insert(selection.leaves.end(), leaves.begin(), leaves.end());
  }
  return file->Read(selection, [&](const std::shared_ptr<arrow::RecordBatch>& batch) -> Status {
    std::vector<int> order;
    for (const std::string& column : present) order.push_back(batch->schema()->GetFieldIndex(column));
    TARN_ASSIGN_OR_RETURN_ARROW(const auto ordered, batch->SelectColumns(order));
    return visit(ordered);
  });
}

}  // namespace tarn::columnar
