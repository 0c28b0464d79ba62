#include "columnar/row_sorter.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <numeric>
#include <system_error>
#include <utility>

#include "base/uri.h"
#include "columnar/arrow_status.h"

namespace tarn::columnar {

namespace {

/// Runs that are merged at once: each has a file open and a batch in memory.
constexpr size_t kMaxRuns = 64;
/// Rows in memory, the same rows in one piece, and their keys.
constexpr int64_t kMemoryParts = 3;
constexpr int64_t kLeastBatchBytes = 16 << 10;
constexpr int64_t kMostBatchRows = 64 << 10;

/// Open for reading and writing, without a name.
Result<int> OpenUnnamed(const std::string& folder) {
  std::error_code error;
  const std::string place = folder.empty() ? std::filesystem::temp_directory_path(error).string() : folder;
  if (error) return Status::ResourceExhausted("sorting needs a folder for temporary files: TMPDIR: " + error.message());
  std::string path = JoinPath(place, "tarn-sort-XXXXXX");
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) {
    return Status::ResourceExhausted("sorting needs a temporary file: " + path + ": " +
                                     std::generic_category().message(errno));
  }
  unlink(path.c_str());
  return fd;
}

/// The rows of `batch` in another order, which may leave some out.
Result<std::shared_ptr<arrow::RecordBatch>> Gather(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                   const std::vector<int64_t>& rows) {
  arrow::Int64Builder builder;
  TARN_RETURN_NOT_OK(FromArrow(builder.AppendValues(rows)));
  TARN_ASSIGN_OR_RETURN(const auto indices, FromArrow(builder.Finish()));
  TARN_ASSIGN_OR_RETURN(const arrow::Datum taken,
                        FromArrow(arrow::compute::Take(arrow::Datum(batch), arrow::Datum(indices))));
  return taken.record_batch();
}

}  // namespace

/// Sorted rows in a file, read once.
class RowSorter::Run {
 public:
  /// Takes the descriptor over.
  static Result<std::unique_ptr<Run>> Open(int fd, const std::vector<int>& columns) {
    auto run = std::make_unique<Run>();
    run->columns_ = columns;
    if (lseek(fd, 0, SEEK_SET) != 0) return Status::Unavailable("a temporary file cannot be read");
    TARN_ASSIGN_OR_RETURN(const auto file, FromArrow(arrow::io::ReadableFile::Open(fd)));
    TARN_ASSIGN_OR_RETURN(run->reader_, FromArrow(arrow::ipc::RecordBatchStreamReader::Open(file)));
    TARN_RETURN_NOT_OK(run->NextBatch());
    return run;
  }

  bool at_end() const { return batch_ == nullptr; }
  std::string_view key() const { return keys_[row_]; }
  const std::shared_ptr<arrow::RecordBatch>& batch() const { return batch_; }
  size_t row() const { return row_; }
  bool is_last_of_batch() const { return row_ + 1 == keys_.size(); }
  Status Next() {
    if (!is_last_of_batch()) {
      ++row_;
      return Status::Ok();
    }
    return NextBatch();
  }

 private:
  Status NextBatch() {
    row_ = 0;
    do {
      TARN_RETURN_NOT_OK(FromArrow(reader_->ReadNext(&batch_)));
      if (batch_ == nullptr) return Status::Ok();
    } while (batch_->num_rows() == 0);
    TARN_ASSIGN_OR_RETURN(keys_, SortKeys::Of(*batch_, columns_));
    return Status::Ok();
  }

  std::vector<int> columns_;
  std::shared_ptr<arrow::RecordBatchReader> reader_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  SortKeys keys_;
  size_t row_ = 0;
};

/// Merges runs, of equal rows those of earlier runs first.
class RowSorter::Merge {
 public:
  Merge(std::vector<std::unique_ptr<Run>>& runs, int64_t batch_bytes) : batch_bytes_(batch_bytes) {
    for (auto& run : runs) sources_.push_back({run.get(), -1, 0});
  }

  Status Go(const Visit& visit) {
    std::vector<size_t> heap;
    const auto later = [&](size_t a, size_t b) {
      const int order = sources_[a].run->key().compare(sources_[b].run->key());
      return order != 0 ? order > 0 : a > b;
    };
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (!sources_[i].run->at_end()) heap.push_back(i);
    }
    std::make_heap(heap.begin(), heap.end(), later);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), later);
      Source& source = sources_[heap.back()];
      TARN_RETURN_NOT_OK(Take(source));
      if (source.run->at_end()) {
        heap.pop_back();
      } else {
        std::push_heap(heap.begin(), heap.end(), later);
      }
      if (bytes_ >= batch_bytes_ || rows_.size() >= static_cast<size_t>(kMostBatchRows)) {
        TARN_RETURN_NOT_OK(Emit(visit));
      }
    }
    return Emit(visit);
  }

 private:
  struct Source {
    Run* run;
    /// Of what was taken of its batch for the batch being put together; -1 when nothing was.
    int slice;
    int64_t bytes_per_row;
  };
  /// Rows that follow each other in one batch of one run.
  struct Slice {
    std::shared_ptr<arrow::RecordBatch> batch;
    int64_t begin;
    int64_t length;
  };
  struct Place {
    int slice;
    int64_t row;
  };

  Status Take(Source& source) {
    Run& run = *source.run;
    if (source.slice < 0) {
      source.slice = static_cast<int>(slices_.size());
      slices_.push_back({run.batch(), static_cast<int64_t>(run.row()), 0});
      TARN_ASSIGN_OR_RETURN(const int64_t bytes, FromArrow(arrow::util::ReferencedBufferSize(*run.batch())));
      source.bytes_per_row = bytes / run.batch()->num_rows() + 1;
    }
    Slice& slice = slices_[static_cast<size_t>(source.slice)];
    rows_.push_back({source.slice, slice.length++});
    bytes_ += source.bytes_per_row;
    if (run.is_last_of_batch()) source.slice = -1;
    return run.Next();
  }

  Status Emit(const Visit& visit) {
    if (rows_.empty()) return Status::Ok();
    arrow::RecordBatchVector parts;
    std::vector<int64_t> begins;
    int64_t total = 0;
    for (const Slice& slice : slices_) {
      parts.push_back(slice.batch->Slice(slice.begin, slice.length));
      begins.push_back(total);
      total += slice.length;
    }
    TARN_ASSIGN_OR_RETURN(const auto whole, FromArrow(arrow::ConcatenateRecordBatches(parts)));
    std::vector<int64_t> order;
    order.reserve(rows_.size());
    for (const Place& place : rows_) order.push_back(begins[static_cast<size_t>(place.slice)] + place.row);
    slices_.clear();
    rows_.clear();
    bytes_ = 0;
    for (Source& source : sources_) source.slice = -1;
    TARN_ASSIGN_OR_RETURN(const auto merged, Gather(whole, order));
    return visit(merged);
  }

  const int64_t batch_bytes_;
  std::vector<Source> sources_;
  std::vector<Slice> slices_;
  std::vector<Place> rows_;
  int64_t bytes_ = 0;
};

RowSorter::RowSorter(std::shared_ptr<arrow::Schema> schema, RowSortOptions options)
    : schema_(std::move(schema)), options_(std::move(options)) {}

RowSorter::~RowSorter() = default;

int64_t RowSorter::BatchBytes() const {
  const int64_t allowed = options_.memory_bytes / static_cast<int64_t>(4 * kMaxRuns);
  return std::max(std::min(options_.batch_bytes, allowed), kLeastBatchBytes);
}

Status RowSorter::Add(std::shared_ptr<arrow::RecordBatch> batch) {
  if (batch->num_rows() == 0) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(const int64_t bytes, FromArrow(arrow::util::ReferencedBufferSize(*batch)));
  buffered_bytes_ += bytes;
  batches_.push_back(std::move(batch));
  return buffered_bytes_ * kMemoryParts < options_.memory_bytes ? Status::Ok() : Spill();
}

Status RowSorter::VisitSorted(const Visit& visit) {
  if (batches_.empty()) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(const auto whole, FromArrow(arrow::ConcatenateRecordBatches(batches_)));
  const int64_t bytes_per_row = buffered_bytes_ / whole->num_rows() + 1;
  batches_.clear();
  buffered_bytes_ = 0;
  std::vector<int64_t> order(static_cast<size_t>(whole->num_rows()));
  std::iota(order.begin(), order.end(), 0);
  {
    TARN_ASSIGN_OR_RETURN(const SortKeys keys, SortKeys::Of(*whole, options_.columns));
    // Rows of equal keys keep their order. Not by std::stable_sort: its buffer is a call that C++17 deprecated, and
    // memory that no bound of ours counts.
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      const auto by_key = keys[static_cast<size_t>(a)].compare(keys[static_cast<size_t>(b)]);
      return by_key == 0 ? a < b : by_key < 0;
    });
  }
  const int64_t step = std::clamp<int64_t>(BatchBytes() / bytes_per_row, 1, kMostBatchRows);
  for (size_t begin = 0; begin < order.size(); begin += static_cast<size_t>(step)) {
    const size_t end = std::min(order.size(), begin + static_cast<size_t>(step));
    const auto from = order.begin() + static_cast<std::ptrdiff_t>(begin);
    TARN_ASSIGN_OR_RETURN(const auto sorted,
                          Gather(whole, std::vector<int64_t>(from, from + static_cast<std::ptrdiff_t>(end - begin))));
    TARN_RETURN_NOT_OK(visit(sorted));
  }
  return Status::Ok();
}

Result<std::unique_ptr<RowSorter::Run>> RowSorter::WriteRun(const std::function<Status(const Visit&)>& produce) {
  TARN_ASSIGN_OR_RETURN(const int fd, OpenUnnamed(options_.temp_folder));
  // The stream closes its descriptor, the reader needs one to the same file.
  const int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  const auto write = [&]() -> Status {
    TARN_ASSIGN_OR_RETURN(const auto file, FromArrow(arrow::io::FileOutputStream::Open(fd)));
    TARN_ASSIGN_OR_RETURN(const auto writer, FromArrow(arrow::ipc::MakeStreamWriter(file, schema_)));
    TARN_RETURN_NOT_OK(produce([&](const auto& batch) { return FromArrow(writer->WriteRecordBatch(*batch)); }));
    TARN_RETURN_NOT_OK(FromArrow(writer->Close()));
    return FromArrow(file->Close());
  };
  if (again < 0) {
    close(fd);
    return Status::ResourceExhausted("sorting has too many files open");
  }
  if (const Status written = write(); !written.ok()) {
    close(again);
    return written.WithContext("sorting in temporary files");
  }
  ++runs_written_;
  return Run::Open(again, options_.columns);
}

Status RowSorter::Spill() {
  TARN_ASSIGN_OR_RETURN(auto run, WriteRun([&](const Visit& visit) { return VisitSorted(visit); }));
  runs_.push_back(std::move(run));
  if (runs_.size() < kMaxRuns) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(run, WriteRun([&](const Visit& visit) { return MergeRuns(visit); }));
  runs_.push_back(std::move(run));
  return Status::Ok();
}

Status RowSorter::MergeRuns(const Visit& visit) {
  const Status merged = Merge(runs_, BatchBytes()).Go(visit);
  runs_.clear();
  return merged;
}

Status RowSorter::Finish(const Visit& visit) {
  if (runs_.empty()) return VisitSorted(visit);
  if (!batches_.empty()) TARN_RETURN_NOT_OK(Spill());
  return MergeRuns(visit);
}

}  // namespace tarn::columnar
