#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "delta/predicate.h"
#include "delta/snapshot.h"
#include "duckdb/common/multi_file/multi_file_list.hpp"
#include "duckdb/planner/table_filter.hpp"
#include "engine/scan_source.h"

namespace tarn::engine {

/// What a scan reads at one position of its list: a data file or a group of buffered rows.
struct ScanEntry {
  std::optional<delta::DataFile> file;
  const BufferGroup* group = nullptr;
  /// Among the groups and, behind them, the files of the whole table at this point.
  size_t number = 0;
};

/// The buffer groups and then the files of one scan. Files are kept as numbers and decoded one by one when they are
/// opened. The list of a plan is immutable; one with live filters (top-N) decides while it runs which file comes next,
/// under its own mutex. Thread-safe.
class LakeFileList final : public duckdb::MultiFileList {
 public:
  /// Everything in the view.
  explicit LakeFileList(std::shared_ptr<const ScanSource> source);

  const ScanSource& source() const { return *source_; }
  size_t num_files() const { return files_ ? files_->size() : source_->num_files(); }
  /// Files of the table that filters ruled out.
  struct SkippedFiles {
    size_t by_partition_values = 0;
    size_t by_statistics = 0;
  };
  /// Of those that are not in the list, which columns told so; judges the table's files once more.
  SkippedFiles CountSkipped() const;
  size_t num_groups() const { return source_->groups().size(); }
  /// The number of the i-th file in the snapshot.
  delta::FileIndex FileAt(size_t i) const { return files_ ? (*files_)[i] : static_cast<delta::FileIndex>(i); }
  /// The entry that GetFile gave out at this position.
  ScanEntry Entry(size_t position) const;
  /// Rows in all files and groups; nullopt when a file does not tell or has deleted rows.
  std::optional<int64_t> ExactRows() const;
  /// Rows by a sample of the files.
  int64_t EstimatedRows() const;

  duckdb::unique_ptr<duckdb::MultiFileList> ComplexFilterPushdown(
      duckdb::ClientContext& context, const duckdb::MultiFileOptions& options, duckdb::MultiFilePushdownInfo& info,
      duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& filters) const override;
  duckdb::unique_ptr<duckdb::MultiFileList> DynamicFilterPushdown(duckdb::ClientContext& context,
                                                                  const duckdb::MultiFileOptions& options,
                                                                  const duckdb::vector<std::string>& names,
                                                                  const duckdb::vector<duckdb::LogicalType>& types,
                                                                  const duckdb::vector<duckdb::column_t>& column_ids,
                                                                  duckdb::TableFilterSet& filters) const override;
  duckdb::vector<duckdb::OpenFileInfo> GetAllFiles() const override;
  duckdb::FileExpandResult GetExpandResult() const override;
  duckdb::idx_t GetTotalFileCount() const override;
  duckdb::MultiFileCount GetFileCount(duckdb::idx_t min_exact_count) const override;
  duckdb::vector<duckdb::OpenFileInfo> GetDisplayFileList(duckdb::optional_idx max_files) const override;
  duckdb::unique_ptr<duckdb::NodeStatistics> GetCardinality(duckdb::ClientContext& context) const override;
  duckdb::unique_ptr<duckdb::MultiFileList> Copy() const override;

 protected:
  duckdb::OpenFileInfo GetFile(duckdb::idx_t i) const override;

 private:
  /// A filter that tightens while the query runs.
  struct LiveFilter {
    int column;
    duckdb::unique_ptr<duckdb::TableFilter> filter;
  };
  /// Progress of a scan with live filters.
  struct Running {
    Mutex mutex;
    std::vector<delta::FileIndex> opened GUARDED_BY(mutex);
    /// What may still be opened, the next one last.
    std::vector<delta::FileIndex> waiting GUARDED_BY(mutex);
  };

  std::vector<delta::FileIndex> FileNumbers() const;
  /// The list without what these predicates rule out.
  duckdb::unique_ptr<LakeFileList> Restricted(std::vector<delta::FileIndex> files,
                                              std::vector<delta::Predicate> all_of) const;
  Result<std::vector<delta::FileIndex>> Select(const std::vector<delta::Predicate>& all_of) const;
  std::vector<delta::Predicate> LivePredicates() const;
  std::vector<delta::FileIndex> BestFirst(const LiveFilter& live) const;
  std::optional<delta::FileIndex> RunningFile(size_t position) const;
  /// Throws what is wrong with its path as a fault of the table.
  delta::DataFile DataFileOf(delta::FileIndex number) const;
  duckdb::OpenFileInfo OpenInfo(delta::FileIndex file) const;
  duckdb::OpenFileInfo GroupInfo(size_t group) const;

  std::shared_ptr<const ScanSource> source_;
  /// Nullopt for all files of the snapshot.
  std::optional<std::vector<delta::FileIndex>> files_;
  /// By what files were left out.
  std::vector<delta::Predicate> all_of_;
  duckdb::ClientContext* context_ = nullptr;
  std::vector<LiveFilter> live_;
  std::unique_ptr<Running> running_;
};

}  // namespace tarn::engine
