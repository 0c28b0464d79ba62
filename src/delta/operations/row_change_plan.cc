#include "delta/operations/row_change_plan.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "columnar/arrow_status.h"
#include "delta/files/data_file_reader.h"
#include "delta/files/deletion_vector_writer.h"
#include "delta/files/statistics.h"
#include "delta/operations/rewrite.h"
#include "delta/protocol_features.h"

namespace tarn::delta {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// How many of a file's rows are selected.
enum class Share : uint8_t { kNone, kSome, kAll };

struct Selection {
  Share share = Share::kNone;
  /// Positions in the file, ascending; not filled for kAll by the partition alone.
  std::vector<int64_t> rows;
  /// Rows in the file, deleted ones included; -1 when it was not read.
  int64_t rows_in_file = -1;
};

Result<BatchPtr> Filtered(const BatchPtr& batch, const std::shared_ptr<arrow::Array>& mask) {
  TARN_ASSIGN_OR_RETURN_ARROW(const arrow::Datum kept, arrow::compute::Filter(arrow::Datum(batch), arrow::Datum(mask)));
  return kept.record_batch();
}

Result<std::shared_ptr<arrow::Array>> MaskOf(const std::vector<bool>& bits) {
  arrow::BooleanBuilder builder;
  TARN_RETURN_ARROW_NOT_OK(builder.AppendValues(bits));
  std::shared_ptr<arrow::Array> mask;
  TARN_RETURN_ARROW_NOT_OK(builder.Finish(&mask));
  return mask;
}

bool WritesVectors(const Snapshot& snapshot) {
  return FeaturesOf(snapshot.protocol()).contains("deletionVectors") &&
         PropertyIsTrue(snapshot.metadata(), "delta.enableDeletionVectors");
}

class Planner {
 public:
  Planner(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot, const ChangeRequest& request)
      : table_(table),
        snapshot_(*snapshot),
        condition_(request.condition),
        places_(request.places),
        update_(request.update),
        with_vectors_(WritesVectors(*snapshot)),
        has_change_feed_(PropertyIsTrue(snapshot->metadata(), "delta.enableChangeDataFeed")),
        all_columns_(static_cast<size_t>(snapshot->schema()->num_fields())),
        writer_(table, snapshot, request.files),
        vectors_(*table.store, *table.random),
        done_{.reads = request.reads} {
    std::iota(all_columns_.begin(), all_columns_.end(), 0);
    const std::vector<int>& partition_columns = snapshot_.partition_columns();
    if (condition_ == nullptr) return;
    by_partition_ = std::all_of(condition_->columns().begin(), condition_->columns().end(), [&](int column) {
      return std::find(partition_columns.begin(), partition_columns.end(), column) != partition_columns.end();
    });
  }

  Status Run();
  PlannedChange& done() { return done_; }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys = writer_.keys();
    keys.insert(keys.end(), vectors_.keys().begin(), vectors_.keys().end());
    return keys;
  }

 private:
  Status ChangeFile(FileIndex index);
  Result<Selection> Select(const DataFile& file, const RowBitmap& deleted);
  Result<Selection> SelectPlaces(FileIndex index, const DataFile& file, const RowBitmap& deleted);
  Result<std::vector<bool>> Ask(const arrow::RecordBatch& rows);
  /// Writes the selected rows as they become, and the others too where they lose their file.
  Status WriteRows(const DataFile& file, const RowBitmap& deleted, const Selection& selected);
  Status WriteBatch(const FileRows& live, const Selection& selected);
  Status RemoveFile(const DataFile& file, const Add& add);
  Status ReplaceVector(const Add& add, const RowBitmap& deleted, const Selection& selected);
  void CountRows(int64_t rows) {
    if (done_.counts.rows.has_value()) *done_.counts.rows += rows;
  }

  const TableContext& table_;
  const Snapshot& snapshot_;
  RowCondition* const condition_;
  const RowPlaces* const places_;
  RowUpdate* const update_;
  const bool with_vectors_;
  const bool has_change_feed_;
  /// Whether the condition is decided by what all rows of a file share.
  bool by_partition_ = false;
  std::vector<int> all_columns_;
  TableWriter writer_;
  DeletionVectorWriter vectors_;
  PlannedChange done_;
};

Status Planner::Run() {
  std::vector<FileIndex> files;
  if (places_ != nullptr) {
    files = places_->Files();
  } else {
    done_.reads.conditions = {condition_->predicates()};
    TARN_ASSIGN_OR_RETURN(files, snapshot_.Select(condition_->predicates()));
  }
  for (const FileIndex index : files) TARN_RETURN_NOT_OK(ChangeFile(index));
  TARN_RETURN_NOT_OK(vectors_.Finish());
  TARN_ASSIGN_OR_RETURN(std::vector<Add> written, writer_.Finish());
  done_.counts.files_added = static_cast<int64_t>(written.size());
  for (Add& add : written) {
    done_.counts.bytes_added += add.size_bytes;
    done_.adds.push_back(std::move(add));
  }
  return Status::Ok();
}

Status Planner::ChangeFile(FileIndex index) {
  TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot_.File(index));
  Selection selected;
  std::shared_ptr<const RowBitmap> deleted;
  if (by_partition_) {
    TARN_ASSIGN_OR_RETURN(const BatchPtr row, PartitionRow(snapshot_, file, condition_->columns()));
    TARN_ASSIGN_OR_RETURN(const std::vector<bool> truth, Ask(*row));
    if (!truth[0]) return Status::Ok();
    selected.share = Share::kAll;
  } else {
    TARN_ASSIGN_OR_RETURN(deleted, DeletedRows(*table_.store, file));
    TARN_ASSIGN_OR_RETURN(selected, places_ != nullptr ? SelectPlaces(index, file, *deleted) : Select(file, *deleted));
  }
  done_.reads.files.push_back(index);
  if (selected.share == Share::kNone) return Status::Ok();
  if (has_change_feed_ && (update_ != nullptr || selected.share == Share::kSome)) {
    return Status::Unsupported(
        "changing single rows of a table with a change feed (delta.enableChangeDataFeed) is not possible yet; "
        "removing whole files is");
  }
  TARN_ASSIGN_OR_RETURN(const Add add, snapshot_.AddAction(index));
  const bool keeps_file = with_vectors_ && selected.share == Share::kSome;
  if (update_ != nullptr || (selected.share == Share::kSome && !keeps_file)) {
    if (deleted == nullptr) {
      TARN_ASSIGN_OR_RETURN(deleted, DeletedRows(*table_.store, file));
    }
    TARN_RETURN_NOT_OK(WriteRows(file, *deleted, selected));
  } else if (selected.share == Share::kAll && selected.rows_in_file < 0) {
    if (file.live_records() < 0) done_.counts.rows.reset();
    CountRows(file.live_records());
  } else {
    CountRows(static_cast<int64_t>(selected.rows.size()));
  }
  return keeps_file ? ReplaceVector(add, *deleted, selected) : RemoveFile(file, add);
}

Result<std::vector<bool>> Planner::Ask(const arrow::RecordBatch& rows) {
  TARN_ASSIGN_OR_RETURN(const std::shared_ptr<arrow::BooleanArray> mask, condition_->Select(rows));
  if (mask == nullptr || mask->length() != rows.num_rows()) {
    return Status::Internal("a condition did not answer for every row");
  }
  std::vector<bool> truth(static_cast<size_t>(rows.num_rows()));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    truth[static_cast<size_t>(row)] = mask->IsValid(row) && mask->Value(row);
  }
  return truth;
}

Result<Selection> Planner::Select(const DataFile& file, const RowBitmap& deleted) {
  Selection selected;
  int64_t live = 0;
  const auto look = [&](const FileRows& rows) -> Status {
    live += rows.batch->num_rows();
    TARN_ASSIGN_OR_RETURN(const std::vector<bool> truth, Ask(*rows.batch));
    for (size_t i = 0; i < truth.size(); ++i) {
      if (truth[i]) selected.rows.push_back(rows.positions[i]);
    }
    return Status::Ok();
  };
  TARN_ASSIGN_OR_RETURN(selected.rows_in_file,
                        ScanDataFile(*table_.store, snapshot_, file, condition_->columns(), deleted, look));
  if (!selected.rows.empty()) {
    selected.share = static_cast<int64_t>(selected.rows.size()) == live ? Share::kAll : Share::kSome;
  }
  return selected;
}

Result<Selection> Planner::SelectPlaces(FileIndex index, const DataFile& file, const RowBitmap& deleted) {
  Selection selected;
  selected.rows_in_file = file.num_records;
  if (selected.rows_in_file < 0) {
    const auto skip = [](const FileRows&) { return Status::Ok(); };
    TARN_ASSIGN_OR_RETURN(selected.rows_in_file, ScanDataFile(*table_.store, snapshot_, file, {}, deleted, skip));
  }
  for (const int64_t row : places_->RowsOf(index)) {
    std::vector<int64_t> dead;
    deleted.AppendRange(row, row + 1, dead);
    if (dead.empty() && row < selected.rows_in_file) selected.rows.push_back(row);
  }
  if (!selected.rows.empty()) {
    const int64_t live = selected.rows_in_file - deleted.count();
    selected.share = static_cast<int64_t>(selected.rows.size()) == live ? Share::kAll : Share::kSome;
  }
  return selected;
}

Status Planner::WriteRows(const DataFile& file, const RowBitmap& deleted, const Selection& selected) {
  return ScanDataFile(*table_.store, snapshot_, file, all_columns_, deleted,
                      [&](const FileRows& live) { return WriteBatch(live, selected); })
      .status();
}

Status Planner::WriteBatch(const FileRows& live, const Selection& selected) {
  std::vector<bool> chosen(live.positions.size(), selected.share == Share::kAll);
  if (selected.share == Share::kSome) {
    auto next = std::lower_bound(selected.rows.begin(), selected.rows.end(), live.positions.front());
    for (size_t i = 0; i < chosen.size() && next != selected.rows.end(); ++i) {
      if (*next != live.positions[i]) continue;
      chosen[i] = true;
      ++next;
    }
  }
  std::vector<bool> kept = chosen;
  kept.flip();
  const bool loses_file = !with_vectors_ || selected.share == Share::kAll;
  if (loses_file && selected.share == Share::kSome) {
    TARN_ASSIGN_OR_RETURN(const auto mask, MaskOf(kept));
    TARN_ASSIGN_OR_RETURN(const BatchPtr rows, Filtered(live.batch, mask));
    done_.counts.rows_copied += rows->num_rows();
    TARN_RETURN_NOT_OK(writer_.AppendCopied(*rows));
  }
  TARN_ASSIGN_OR_RETURN(const auto mask, MaskOf(chosen));
  TARN_ASSIGN_OR_RETURN(const BatchPtr rows, Filtered(live.batch, mask));
  CountRows(rows->num_rows());
  if (update_ == nullptr || rows->num_rows() == 0) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(const BatchPtr updated, update_->Apply(rows));
  if (updated == nullptr || updated->num_rows() != rows->num_rows()) {
    return Status::Internal("an update did not give one row for each");
  }
  return writer_.Append(*updated);
}

Status Planner::RemoveFile(const DataFile& file, const Add& add) {
  done_.removes.push_back(RemoveOf(add, table_.clock->WallMicros() / kMicrosPerMilli, /*data_change=*/true));
  ++done_.counts.files_removed;
  done_.counts.bytes_removed += file.size_bytes;
  if (add.deletion_vector.has_value()) ++done_.counts.vectors_removed;
  return Status::Ok();
}

/// The file stays, with the selected rows deleted as well.
Status Planner::ReplaceVector(const Add& add, const RowBitmap& deleted, const Selection& selected) {
  std::vector<int64_t> before;
  deleted.AppendRange(0, std::numeric_limits<int64_t>::max(), before);
  std::vector<int64_t> dead;
  dead.reserve(before.size() + selected.rows.size());
  std::merge(before.begin(), before.end(), selected.rows.begin(), selected.rows.end(), std::back_inserter(dead));
  Add again = add;
  TARN_ASSIGN_OR_RETURN(again.deletion_vector, vectors_.Write(RowBitmap::Of(dead)));
  again.data_change = true;
  again.stats = WithWideBounds(add.stats, selected.rows_in_file);
  done_.removes.push_back(RemoveOf(add, table_.clock->WallMicros() / kMicrosPerMilli, /*data_change=*/true));
  done_.adds.push_back(std::move(again));
  ++done_.counts.vectors_added;
  if (add.deletion_vector.has_value()) {
    ++done_.counts.vectors_updated;
    ++done_.counts.vectors_removed;
  }
  return Status::Ok();
}

}  // namespace

Result<PlannedChange> PlanRowChange(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                                    const ChangeRequest& request) {
  Planner planner(table, snapshot, request);
  const Status status = planner.Run();
  if (!status.ok()) {
    DeleteUncommitted(table, planner.Keys());
    return status;
  }
  planner.done().keys = planner.Keys();
  return std::move(planner.done());
}

}  // namespace tarn::delta
