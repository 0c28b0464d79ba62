#include <arrow/type.h>

#include <algorithm>
#include <map>
#include <string>

#include "delta/operations/optimize.h"
#include "delta/operations/rewrite.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

struct Candidate {
  FileIndex index = 0;
  int64_t size_bytes = 0;
  int64_t modified_millis = 0;
  /// So much of it is deleted that it is rewritten for that alone.
  bool purged = false;
};

/// Whether the file is to be sorted along with others of its partition.
enum class Sorting : uint8_t { kUnsorted, kSortedButSmall, kDone };

Sorting SortingOf(const Add& add, const std::string& order, int64_t min_file_bytes) {
  const auto tag = add.tags.find(kSortedByTag);
  if (tag == add.tags.end() || tag->second != order) return Sorting::kUnsorted;
  return add.size_bytes < min_file_bytes ? Sorting::kSortedButSmall : Sorting::kDone;
}

/// Files with equal keys have equal partition values, however the log spells them.
std::string KeyOfPartition(const DataFile& file, const Snapshot& snapshot) {
  PartitionValues values;
  for (size_t i = 0; i < file.partition_values.size(); ++i) {
    const int column = snapshot.partition_columns()[i];
    values.emplace_back(std::string(), columnar::FormatPartitionValue(file.partition_values[i],
                                                                      *snapshot.schema()->field(column)->type()));
  }
  return PartitionKey(values);
}

bool IsPurged(const DataFile& file, double max_deleted_share) {
  if (!file.deletion_vector.has_value()) return false;
  if (file.num_records <= 0) return true;
  const auto deleted = static_cast<double>(file.deletion_vector->cardinality);
  return deleted > max_deleted_share * static_cast<double>(file.num_records);
}

int64_t TotalBytes(const std::vector<Candidate>& files) {
  int64_t total = 0;
  for (const Candidate& file : files) total += file.size_bytes;
  return total;
}

/// Leaves out the largest file while the others are too little to be worth writing it again, and gives those left out.
std::vector<Candidate> DropUngrown(std::vector<Candidate>& files, double min_growth) {
  std::vector<Candidate> dropped;
  while (files.size() > 1) {
    const auto largest = std::max_element(
        files.begin(), files.end(), [](const Candidate& a, const Candidate& b) { return a.size_bytes < b.size_bytes; });
    const int64_t others = TotalBytes(files) - largest->size_bytes;
    if (static_cast<double>(others) >= min_growth * static_cast<double>(largest->size_bytes)) break;
    dropped.push_back(*largest);
    files.erase(largest);
  }
  return dropped;
}

void SortByAge(std::vector<Candidate>& files) {
  std::sort(files.begin(), files.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(a.modified_millis, a.index) < std::pair(b.modified_millis, b.index);
  });
}

class Planner {
 public:
  explicit Planner(const OptimizeOptions& options) : options_(options) {}

  /// Packs the files of one partition, oldest first, so that neighbours in time end up together.
  void AddPartition(std::vector<Candidate> files) {
    if (files.size() < static_cast<size_t>(std::max(options_.min_files, 2))) return AddPurged(files);
    SortByAge(files);
    std::vector<Candidate> bin;
    int64_t bin_bytes = 0;
    for (const Candidate& file : files) {
      if (!bin.empty() && bin_bytes + file.size_bytes > options_.target_file_bytes) {
        Close(std::move(bin));
        bin = {};
        bin_bytes = 0;
      }
      bin.push_back(file);
      bin_bytes += file.size_bytes;
    }
    Close(std::move(bin));
  }

  /// Rewrites each of the files by itself that is to be.
  void AddPurged(const std::vector<Candidate>& files) {
    for (const Candidate& file : files) {
      if (file.purged) AddGroup({file});
    }
  }

  /// All files that are not sorted yet become one group, along with sorted ones that are small.
  void AddToSort(std::vector<Candidate> files, bool any_unsorted) {
    if (!any_unsorted && files.size() < 2) return AddPurged(files);
    SortByAge(files);
    AddGroup(files);
  }

  std::vector<OptimizeGroup> Take() { return std::move(groups_); }

 private:
  void Close(std::vector<Candidate> bin) {
    AddPurged(DropUngrown(bin, options_.min_growth));
    if (bin.size() < 2) return AddPurged(bin);
    AddGroup(bin);
  }

  void AddGroup(const std::vector<Candidate>& bin) {
    const int64_t bytes = TotalBytes(bin);
    // The first group goes in whatever its size, or a small bound would mean that nothing is ever done.
    if (!groups_.empty() && planned_bytes_ + bytes > options_.max_bytes_per_commit) return;
    planned_bytes_ += bytes;
    OptimizeGroup& group = groups_.emplace_back();
    for (const Candidate& file : bin) group.push_back(file.index);
  }

  const OptimizeOptions& options_;
  std::vector<OptimizeGroup> groups_;
  int64_t planned_bytes_ = 0;
};

Result<std::vector<OptimizeGroup>> PlanSorted(const Snapshot& snapshot, const OptimizeOptions& options,
                                              int64_t min_file_bytes) {
  TARN_ASSIGN_OR_RETURN(const RewriteOrder order, OrderBy(snapshot, options.sort_by));
  struct Partition {
    std::vector<Candidate> files;
    bool any_unsorted = false;
  };
  std::map<std::string, Partition> partitions;
  Planner planner(options);
  for (size_t i = 0; i < snapshot.num_files(); ++i) {
    const auto index = static_cast<FileIndex>(i);
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot.File(index));
    TARN_ASSIGN_OR_RETURN(const Add add, snapshot.AddAction(index));
    const Candidate candidate{index, file.size_bytes, file.modification_time_millis,
                              IsPurged(file, options.max_deleted_share)};
    const Sorting sorting = SortingOf(add, order.tag, min_file_bytes);
    // One that is rewritten for its deleted rows is sorted along with the others.
    if (sorting == Sorting::kDone && !candidate.purged) continue;
    Partition& partition = partitions[KeyOfPartition(file, snapshot)];
    partition.files.push_back(candidate);
    partition.any_unsorted = partition.any_unsorted || sorting == Sorting::kUnsorted;
  }
  for (auto& [key, partition] : partitions) planner.AddToSort(std::move(partition.files), partition.any_unsorted);
  return planner.Take();
}

}  // namespace

Result<std::vector<OptimizeGroup>> PlanOptimize(const Snapshot& snapshot, const OptimizeOptions& options) {
  if (options.target_file_bytes <= 0 || options.min_file_bytes < 0 || options.min_growth < 0 ||
      options.max_deleted_share < 0) {
    return Status::InvalidArgument("the target size of a file must be positive, and no bound negative");
  }
  const int64_t min_file_bytes =
      options.min_file_bytes > 0 ? options.min_file_bytes : options.target_file_bytes / 4 * 3;
  if (!options.sort_by.empty()) return PlanSorted(snapshot, options, min_file_bytes);
  std::map<std::string, std::vector<Candidate>> partitions;
  std::vector<Candidate> large;
  for (size_t i = 0; i < snapshot.num_files(); ++i) {
    const auto index = static_cast<FileIndex>(i);
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot.File(index));
    const Candidate candidate{index, file.size_bytes, file.modification_time_millis,
                              IsPurged(file, options.max_deleted_share)};
    if (file.size_bytes < min_file_bytes) {
      partitions[KeyOfPartition(file, snapshot)].push_back(candidate);
    } else {
      large.push_back(candidate);
    }
  }
  Planner planner(options);
  planner.AddPurged(large);
  for (auto& [key, files] : partitions) planner.AddPartition(std::move(files));
  return planner.Take();
}

}  // namespace tarn::delta
