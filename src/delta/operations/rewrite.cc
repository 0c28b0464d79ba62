#include "delta/operations/rewrite.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <atomic>

#include "columnar/row_sorter.h"
#include "columnar/sort_keys.h"
#include "delta/files/data_file_reader.h"
#include "delta/files/data_file_writer.h"
#include "delta/letter_case.h"
#include "delta/log/commit_json.h"
#include "delta/operations/batch_pipe.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

/// One rewrite in progress: the open output and what is done so far.
class Rewriter {
 public:
  Rewriter(const TableContext& table, const Snapshot& snapshot, const RewriteOptions& options)
      : table_(table),
        snapshot_(snapshot),
        options_(options),
        columns_(DataFileColumns(snapshot)),
        schema_(DataFileSchema(snapshot)) {}

  Status Run(const std::vector<FileIndex>& files);
  Rewritten& done() { return done_; }

 private:
  /// The rows of all files, one after the other. Touches nothing that `Write` does but `bytes_left_`.
  Status Read(const std::vector<FileIndex>& files, const columnar::BatchVisitor& visit);
  /// The same, decoded by a thread of its own if that is asked for.
  Status Pass(const std::vector<FileIndex>& files, const columnar::BatchVisitor& take);
  Status Sort(const std::vector<FileIndex>& files);
  Status Write(const arrow::RecordBatch& batch);
  Status OpenOutput();
  Status CloseOutput();

  const TableContext& table_;
  const Snapshot& snapshot_;
  const RewriteOptions& options_;
  const std::vector<int> columns_;
  const std::shared_ptr<arrow::Schema> schema_;
  PartitionValues partition_values_;
  /// Input bytes behind the file being read, which may be a little ahead of what is written.
  std::atomic<int64_t> bytes_left_ = 0;
  /// Of `output_`.
  std::string key_;
  std::unique_ptr<DataFileWriter> output_;
  Rewritten done_;
};

Status Rewriter::Run(const std::vector<FileIndex>& files) {
  bool is_spelled_alike = true;
  for (const FileIndex index : files) {
    TARN_ASSIGN_OR_RETURN(const Add add, snapshot_.AddAction(index));
    if (done_.removes.empty()) partition_values_ = add.partition_values;
    is_spelled_alike = is_spelled_alike && add.partition_values == partition_values_;
    bytes_left_ += add.size_bytes;
    done_.bytes_read += add.size_bytes;
    done_.removes.push_back(RemoveOf(add, table_.clock->WallMicros() / kMicrosPerMilli, /*data_change=*/false));
  }
  if (!is_spelled_alike) {
    // Times without a zone are other times to a reader that takes another zone for theirs, and these rows have both.
    TARN_ASSIGN_OR_RETURN(const DataFile first, snapshot_.File(files.front()));
    partition_values_ = PartitionTexts(snapshot_, first.partition_values);
  }
  if (options_.order.has_value()) {
    TARN_RETURN_NOT_OK(Sort(files));
  } else {
    TARN_RETURN_NOT_OK(Pass(files, [&](const auto& batch) { return Write(*batch); }));
  }
  return CloseOutput();
}

Status Rewriter::Pass(const std::vector<FileIndex>& files, const columnar::BatchVisitor& take) {
  if (!options_.decode_ahead) return Read(files, take);
  return PipeBatches([&](const columnar::BatchVisitor& visit) { return Read(files, visit); }, take);
}

Status Rewriter::Sort(const std::vector<FileIndex>& files) {
  const RewriteOrder& order = *options_.order;
  // A file ends with a batch.
  columnar::RowSortOptions sort{.memory_bytes = order.memory_bytes,
                                .batch_bytes = std::min<int64_t>(options_.target_file_bytes, 1 << 20),
                                .temp_folder = order.temp_folder};
  for (const int column : order.columns) {
    const auto found = std::find(columns_.begin(), columns_.end(), column);
    sort.columns.push_back(static_cast<int>(found - columns_.begin()));
  }
  columnar::RowSorter sorter(schema_, std::move(sort));
  int64_t rows_left = 0;
  TARN_RETURN_NOT_OK(Pass(files, [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    rows_left += batch->num_rows();
    return sorter.Add(batch);
  }));
  // As if the inputs' bytes were spread evenly over the rows.
  const double bytes_per_row =
      static_cast<double>(done_.bytes_read) / static_cast<double>(std::max<int64_t>(rows_left, 1));
  return sorter.Finish([&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    bytes_left_ = static_cast<int64_t>(bytes_per_row * static_cast<double>(rows_left));
    rows_left -= batch->num_rows();
    return Write(*batch);
  });
}

Status Rewriter::Read(const std::vector<FileIndex>& files, const columnar::BatchVisitor& visit) {
  for (const FileIndex index : files) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot_.File(index));
    bytes_left_ -= file.size_bytes;
    TARN_RETURN_NOT_OK(ReadDataFile(*table_.store, snapshot_, file, columns_, visit));
  }
  return Status::Ok();
}

Status Rewriter::Write(const arrow::RecordBatch& batch) {
  if (batch.num_rows() == 0) return Status::Ok();
  // A new file begins only when what is left fills it well enough not to be compacted again.
  if (output_ != nullptr && output_->bytes_written() >= options_.target_file_bytes &&
      bytes_left_ >= options_.min_file_bytes) {
    TARN_RETURN_NOT_OK(CloseOutput());
  }
  if (output_ == nullptr) TARN_RETURN_NOT_OK(OpenOutput());
  return output_->Append(batch);
}

Status Rewriter::OpenOutput() {
  DataFileOptions options = DataFileOptionsOf(snapshot_);
  options.parquet.precondition = storage::Precondition::IfAbsent();
  key_ = PartitionFolder(partition_values_) + "part-" + table_.random->Uuid() + ".zstd.parquet";
  TARN_ASSIGN_OR_RETURN(output_, DataFileWriter::Open(*table_.store, key_, schema_, options));
  return Status::Ok();
}

Status Rewriter::CloseOutput() {
  if (output_ == nullptr) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(Add add, output_->Finish(partition_values_));
  output_.reset();
  add.data_change = false;
  if (options_.order.has_value()) add.tags[kSortedByTag] = options_.order->tag;
  done_.keys.push_back(key_);
  done_.bytes_written += add.size_bytes;
  done_.adds.push_back(std::move(add));
  return Status::Ok();
}

}  // namespace

std::vector<int> DataFileColumns(const Snapshot& snapshot) {
  const std::vector<int>& partition_columns = snapshot.partition_columns();
  std::vector<int> columns;
  for (int i = 0; i < snapshot.schema()->num_fields(); ++i) {
    const bool partition = std::find(partition_columns.begin(), partition_columns.end(), i) != partition_columns.end();
    if (!partition && snapshot.schema()->field(i)->type()->id() != arrow::Type::NA) columns.push_back(i);
  }
  return columns;
}

Result<RewriteOrder> OrderBy(const Snapshot& snapshot, const std::vector<std::string>& columns) {
  RewriteOrder order;
  std::vector<std::string> names;
  const std::vector<int> stored = DataFileColumns(snapshot);
  for (const std::string& name : columns) {
    const auto found = std::find_if(stored.begin(), stored.end(), [&](int column) {
      return SameButForCase(snapshot.schema()->field(column)->name(), name);
    });
    if (found == stored.end()) {
      return Status::InvalidArgument("rows cannot be sorted by '" + name +
                                     "': no column of that name is in the table's data files");
    }
    if (std::find(order.columns.begin(), order.columns.end(), *found) != order.columns.end()) {
      return Status::InvalidArgument("rows cannot be sorted by '" + name + "' twice");
    }
    const auto& field = snapshot.schema()->field(*found);
    TARN_RETURN_NOT_OK(columnar::CheckSortable(*field));
    order.columns.push_back(*found);
    names.push_back(columnar::PhysicalName(*field));
  }
  order.tag = JsonList(names);
  return order;
}

std::shared_ptr<arrow::Schema> DataFileSchema(const Snapshot& snapshot) {
  arrow::FieldVector fields;
  for (const int column : DataFileColumns(snapshot)) fields.push_back(snapshot.schema()->field(column));
  return arrow::schema(std::move(fields));
}

PartitionValues PartitionTexts(const Snapshot& snapshot, const std::vector<columnar::Value>& values) {
  PartitionValues texts;
  for (size_t i = 0; i < values.size(); ++i) {
    const int column = snapshot.partition_columns()[i];
    texts.emplace_back(snapshot.StoredName(column),
                       columnar::FormatPartitionValue(values[i], *snapshot.schema()->field(column)->type()));
  }
  return texts;
}

bool SameLayout(const Snapshot& a, const Snapshot& b) {
  return a.metadata().id == b.metadata().id && a.metadata().schema_string == b.metadata().schema_string &&
         a.metadata().partition_columns == b.metadata().partition_columns &&
         a.metadata().configuration == b.metadata().configuration;
}

Result<Rewritten> RewriteFiles(const TableContext& table, const Snapshot& snapshot, const std::vector<FileIndex>& files,
                               const RewriteOptions& options) {
  Rewriter rewriter(table, snapshot, options);
  const Status status = rewriter.Run(files);
  if (status.ok()) return std::move(rewriter.done());
  DeleteUncommitted(table, rewriter.done().keys);
  return status;
}

void DeleteUncommitted(const TableContext& table, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) (void)table.store->Delete(key);
}

}  // namespace tarn::delta
