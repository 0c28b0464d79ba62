#include "delta/validate/validate_files.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <limits>

#include "columnar/parquet_reader.h"
#include "columnar/value_array.h"
#include "delta/files/data_file_reader.h"
#include "delta/files/deletion_vector.h"
#include "delta/files/statistics.h"
#include "delta/operations/rewrite.h"
#include "delta/table_path.h"

namespace tarn::delta::validation {
namespace {

using columnar::Value;

/// The files of one snapshot, one after the other.
class FileChecker {
 public:
  FileChecker(const TableContext& table, const Snapshot& snapshot, const TableShape& shape, bool data,
              Findings& findings)
      : store_(*table.store), snapshot_(snapshot), shape_(shape), data_(data), findings_(findings) {}

  Status Run() {
    for (FileIndex i = 0; i < snapshot_.num_files(); ++i) {
      TARN_ASSIGN_OR_RETURN(const Add add, snapshot_.AddAction(i));
      auto file = snapshot_.File(i);
      // What lies outside of the table is checked where it can be reached.
      if (!file.ok() && IsOutside(CanonicalPath(add.path, store_.uri()))) {
        findings_.Warn("file-outside", {add.path}, "not checked: " + file.status().message());
        continue;
      }
      TARN_RETURN_NOT_OK(file.status());
      TARN_RETURN_NOT_OK(Check(add, *file));
    }
    return Status::Ok();
  }

 private:
  Status Check(const Add& add, const DataFile& file) {
    const Place place{file.key};
    const auto info = store_.Head(file.key);
    if (info.status().Is(StatusCode::kNotFound)) {
      findings_.Error("file-missing", place, "the file is live, but not there");
      return Status::Ok();
    }
    TARN_RETURN_NOT_OK(info.status());
    if (info->size_bytes != file.size_bytes) {
      findings_.Error(
          "file-size", place,
          "the file has " + std::to_string(info->size_bytes) + " bytes, by the log " + std::to_string(file.size_bytes));
    }
    if (file.deletion_vector.has_value()) TARN_RETURN_NOT_OK(CheckVector(file, place));
    if (!data_ || shape_.schema == nullptr) return Status::Ok();
    const Status status = CheckData(add, file, place);
    if (status.Is(StatusCode::kCorruption)) {
      findings_.Error("file-data", place, status.message());
      return Status::Ok();
    }
    return status;
  }

  Status CheckVector(const DataFile& file, const Place& place) {
    const auto vector = ReadDeletionVector(store_, *file.deletion_vector);
    const StatusCode code = vector.status().code();
    if (code == StatusCode::kCorruption || code == StatusCode::kNotFound) {
      findings_.Error("vector", place, vector.status().message());
      return Status::Ok();
    }
    if (code == StatusCode::kPermissionDenied) {
      findings_.Warn("file-outside", place, "not checked: " + vector.status().message());
      return Status::Ok();
    }
    TARN_RETURN_NOT_OK(vector.status());
    if (file.num_records < 0) return Status::Ok();
    std::vector<int64_t> beyond;
    (*vector)->AppendRange(file.num_records, std::numeric_limits<int64_t>::max(), beyond);
    if (!beyond.empty()) {
      findings_.Error(
          "vector", place,
          "the deletion vector names row " + std::to_string(beyond.back()) + " of " + std::to_string(file.num_records));
    }
    return Status::Ok();
  }

  Status CheckData(const Add& add, const DataFile& file, const Place& place) {
    TARN_ASSIGN_OR_RETURN(const auto parquet, columnar::ParquetFile::Open(store_, file.key));
    if (file.num_records >= 0 && file.num_records != parquet->num_rows()) {
      findings_.Error("stats-records", place,
                      "the file has " + std::to_string(parquet->num_rows()) + " rows, by its statistics " +
                          std::to_string(file.num_records));
    }
    TARN_ASSIGN_OR_RETURN(const FileFacts facts, parser_.Parse(add.stats, shape_.columns));
    const bool tight = add.stats.find("\"tightBounds\":false") == std::string::npos;
    DataFile whole = file;
    whole.deletion_vector.reset();
    std::vector<int64_t> nulls(shape_.columns.size());
    std::vector<bool> wrong(shape_.columns.size());
    TARN_RETURN_NOT_OK(ReadDataFile(store_, snapshot_, whole, DataFileColumns(snapshot_), [&](const auto& batch) {
      for (size_t i = 0; i < nulls.size(); ++i) {
        nulls[i] += batch->column(static_cast<int>(i))->null_count();
        wrong[i] = wrong[i] || !AllWithin(*batch->column(static_cast<int>(i)), facts.columns[i]);
      }
      return Status::Ok();
    }));
    for (size_t i = 0; i < nulls.size(); ++i) {
      const std::string of = "the statistics of " + shape_.columns[i].name;
      if (wrong[i]) findings_.Error("stats-bounds", place, of + " do not bound its values");
      if (tight && facts.columns[i].null_count >= 0 && facts.columns[i].null_count != nulls[i]) {
        findings_.Error("stats-nulls", place,
                        of + " count " + std::to_string(facts.columns[i].null_count) + " nulls, the file has " +
                            std::to_string(nulls[i]));
      }
    }
    return Status::Ok();
  }

  /// NaN compares with nothing, and is covered or not by `max_covers_nan`.
  static bool AllWithin(const arrow::Array& values, const ColumnBounds& bounds) {
    for (int64_t row = 0; row < values.length(); ++row) {
      const Value value = columnar::ValueAt(values, row);
      if (columnar::Compare(value, bounds.min) == std::strong_ordering::less) return false;
      if (columnar::Compare(value, bounds.max) == std::strong_ordering::greater) return false;
    }
    return true;
  }

  storage::ObjectStore& store_;
  const Snapshot& snapshot_;
  const TableShape& shape_;
  const bool data_;
  Findings& findings_;
  StatsParser parser_;
};

}  // namespace

Status CheckFiles(const TableContext& table, const TableShape& shape, bool data, Findings& findings) {
  const auto snapshot = LoadSnapshot(table);
  if (!snapshot.ok()) {
    const StatusCode code = snapshot.status().code();
    return code == StatusCode::kCorruption || code == StatusCode::kUnsupported ? Status::Ok() : snapshot.status();
  }
  return FileChecker(table, **snapshot, shape, data, findings).Run();
}

}  // namespace tarn::delta::validation
