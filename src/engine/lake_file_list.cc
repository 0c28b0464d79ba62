#include "engine/lake_file_list.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "duckdb/common/extra_operator_info.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/filter/conjunction_filter.hpp"
#include "duckdb/planner/filter/constant_filter.hpp"
#include "duckdb/planner/filter/dynamic_filter.hpp"
#include "duckdb/planner/filter/optional_filter.hpp"
#include "duckdb/storage/statistics/node_statistics.hpp"
#include "engine/data_file_errors.h"
#include "engine/exception_barrier.h"
#include "engine/lake_file_system.h"
#include "engine/lake_predicate.h"

namespace tarn::engine {
namespace {

using delta::FileIndex;
using delta::Predicate;

/// Estimates need no more than this many files; exact counts are read only where they pay.
constexpr size_t kSampledFiles = 64;
/// A guess for files without statistics.
constexpr int64_t kBytesPerRow = 16;

/// The top-N filter inside a pushed filter, if there is one.
const duckdb::DynamicFilter* FindDynamic(const duckdb::TableFilter& filter) {
  switch (filter.filter_type) {
    case duckdb::TableFilterType::DYNAMIC_FILTER:
      return &filter.Cast<duckdb::DynamicFilter>();
    case duckdb::TableFilterType::OPTIONAL_FILTER: {
      const auto& child = filter.Cast<duckdb::OptionalFilter>().child_filter;
      return child ? FindDynamic(*child) : nullptr;
    }
    case duckdb::TableFilterType::CONJUNCTION_AND:
    case duckdb::TableFilterType::CONJUNCTION_OR: {
      const auto& children = filter.filter_type == duckdb::TableFilterType::CONJUNCTION_AND
                                 ? filter.Cast<duckdb::ConjunctionAndFilter>().child_filters
                                 : filter.Cast<duckdb::ConjunctionOrFilter>().child_filters;
      for (const auto& child : children) {
        if (const auto* found = FindDynamic(*child)) return found;
      }
      return nullptr;
    }
    default:
      return nullptr;
  }
}

bool WantsLargest(const duckdb::DynamicFilter& filter) {
  if (!filter.filter_data) return false;
  duckdb::lock_guard<duckdb::mutex> lock(filter.filter_data->lock);
  if (!filter.filter_data->filter) return false;
  auto type = filter.filter_data->filter->comparison_type;
  return type == duckdb::ExpressionType::COMPARE_GREATERTHAN ||
         type == duckdb::ExpressionType::COMPARE_GREATERTHANOREQUALTO;
}

bool IsUsable(const columnar::Value& bound) {
  const auto* real = std::get_if<double>(&bound);
  return !columnar::IsNull(bound) && (real == nullptr || !std::isnan(*real));
}

/// Whether a predicate mentions no other columns.
bool IsOfColumns(const Predicate& predicate, const std::vector<int>& columns) {
  if (predicate.column >= 0 && std::find(columns.begin(), columns.end(), predicate.column) == columns.end()) {
    return false;
  }
  return std::all_of(predicate.children.begin(), predicate.children.end(),
                     [&](const Predicate& child) { return IsOfColumns(child, columns); });
}

}  // namespace

LakeFileList::LakeFileList(std::shared_ptr<const ScanSource> source) : source_(std::move(source)) {}

std::vector<FileIndex> LakeFileList::FileNumbers() const {
  if (files_) return *files_;
  std::vector<FileIndex> all(num_files());
  for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<FileIndex>(i);
  return all;
}

duckdb::unique_ptr<LakeFileList> LakeFileList::Restricted(std::vector<FileIndex> files,
                                                          std::vector<Predicate> all_of) const {
  auto list = duckdb::make_uniq<LakeFileList>(source_);
  list->files_ = std::move(files);
  list->all_of_ = all_of_;
  std::move(all_of.begin(), all_of.end(), std::back_inserter(list->all_of_));
  return list;
}

LakeFileList::SkippedFiles LakeFileList::CountSkipped() const {
  SkippedFiles skipped;
  const size_t all = source_->num_files();
  if (num_files() == all) return skipped;
  const std::vector<int>& partitioning = source_->snapshot()->partition_columns();
  std::vector<Predicate> of_partitions;
  for (const Predicate& predicate : all_of_) {
    if (IsOfColumns(predicate, partitioning)) of_partitions.push_back(predicate);
  }
  const size_t left = of_partitions.empty() ? all : ValueOrThrow(source_->snapshot()->Select(of_partitions)).size();
  skipped.by_partition_values = all - left;
  skipped.by_statistics = left - std::min(left, num_files());
  return skipped;
}

Result<std::vector<FileIndex>> LakeFileList::Select(const std::vector<Predicate>& all_of) const {
  if (!files_) return source_->snapshot()->Select(all_of);
  return source_->snapshot()->SelectAmong(*files_, all_of);
}

duckdb::unique_ptr<duckdb::MultiFileList> LakeFileList::ComplexFilterPushdown(
    duckdb::ClientContext& context, const duckdb::MultiFileOptions&, duckdb::MultiFilePushdownInfo& info,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& filters) const {
  if (filters.empty()) return nullptr;
  ColumnOfReference column_of = [&](const duckdb::Expression& expression) -> std::optional<int> {
    if (expression.GetExpressionClass() != duckdb::ExpressionClass::BOUND_COLUMN_REF) return std::nullopt;
    const auto& reference = expression.Cast<duckdb::BoundColumnRefExpression>();
    if (reference.depth != 0 || reference.binding.table_index != info.table_index ||
        reference.binding.column_index >= info.column_ids.size()) {
      return std::nullopt;
    }
    auto column = info.column_ids[reference.binding.column_index];
    if (column >= source_->columns().size() || !source_->columns()[column].in_snapshot ||
        expression.return_type != source_->columns()[column].type) {
      return std::nullopt;
    }
    return static_cast<int>(column);
  };
  std::vector<Predicate> all_of;
  for (const auto& filter : filters) {
    Predicate predicate = PredicateFromExpression(context, *filter, column_of);
    if (ExcludesNothing(predicate)) continue;
    all_of.push_back(std::move(predicate));
    if (!info.extra_info.file_filters.empty()) info.extra_info.file_filters += " AND ";
    info.extra_info.file_filters += filter->ToString();
  }
  if (all_of.empty()) return nullptr;
  source_->reads().Narrow(all_of);
  if (num_files() == 0) return nullptr;
  auto selected = ValueOrThrow(Select(all_of));
  info.extra_info.total_files = source_->num_files() + num_groups();
  info.extra_info.filtered_files = selected.size() + num_groups();
  if (selected.size() == num_files()) return nullptr;
  return Restricted(std::move(selected), std::move(all_of));
}

duckdb::unique_ptr<duckdb::MultiFileList> LakeFileList::DynamicFilterPushdown(
    duckdb::ClientContext& context, const duckdb::MultiFileOptions&, const duckdb::vector<std::string>&,
    const duckdb::vector<duckdb::LogicalType>&, const duckdb::vector<duckdb::column_t>& column_ids,
    duckdb::TableFilterSet& filters) const {
  if (num_files() == 0) return nullptr;
  std::vector<Predicate> all_of;
  std::vector<LiveFilter> live;
  for (const auto& [position, filter] : filters.filters) {
    auto column = column_ids[position];
    if (column >= source_->columns().size() || !source_->columns()[column].in_snapshot) continue;
    int index = static_cast<int>(column);
    Predicate predicate = PredicateFromFilter(context, *filter, index, source_->columns()[column].type);
    if (!ExcludesNothing(predicate)) all_of.push_back(std::move(predicate));
    if (FindDynamic(*filter) != nullptr) live.push_back({index, filter->Copy()});
  }
  if (all_of.empty() && live.empty()) return nullptr;
  std::vector<FileIndex> selected = all_of.empty() ? FileNumbers() : ValueOrThrow(Select(all_of));
  if (live.empty())
    return selected.size() == num_files() ? nullptr : Restricted(std::move(selected), std::move(all_of));
  auto list = Restricted(std::move(selected), std::move(all_of));
  list->context_ = &context;
  list->live_ = std::move(live);
  list->running_ = std::make_unique<Running>();
  std::vector<FileIndex> order = list->BestFirst(list->live_.front());
  std::reverse(order.begin(), order.end());
  MutexLock lock(list->running_->mutex);
  list->running_->waiting = std::move(order);
  return list;
}

std::vector<FileIndex> LakeFileList::BestFirst(const LiveFilter& live) const {
  bool largest = WantsLargest(*FindDynamic(*live.filter));
  std::vector<FileIndex> unknown;
  std::vector<std::pair<columnar::Value, FileIndex>> known;
  for (FileIndex file : *files_) {
    delta::ColumnBounds bounds = ValueOrThrow(source_->snapshot()->Bounds(file, live.column));
    columnar::Value& bound = largest ? bounds.max : bounds.min;
    if (!IsUsable(bound) || (largest && !bounds.max_covers_nan)) {
      unknown.push_back(file);
    } else {
      known.emplace_back(std::move(bound), file);
    }
  }
  std::sort(known.begin(), known.end(), [largest](const auto& left, const auto& right) {
    auto order = largest ? columnar::Compare(right.first, left.first) : columnar::Compare(left.first, right.first);
    return order && *order != 0 ? *order < 0 : left.second < right.second;
  });
  for (const auto& [bound, file] : known) unknown.push_back(file);
  return unknown;
}

std::vector<Predicate> LakeFileList::LivePredicates() const {
  std::vector<Predicate> all_of;
  for (const LiveFilter& live : live_) {
    const auto& type = source_->columns()[static_cast<size_t>(live.column)].type;
    Predicate predicate = PredicateFromFilter(*context_, *live.filter, live.column, type);
    if (!ExcludesNothing(predicate)) all_of.push_back(std::move(predicate));
  }
  return all_of;
}

std::optional<FileIndex> LakeFileList::RunningFile(size_t position) const {
  MutexLock lock(running_->mutex);
  auto& waiting = running_->waiting;
  while (running_->opened.size() <= position && !waiting.empty()) {
    std::vector<Predicate> all_of = LivePredicates();
    FileIndex next = waiting.back();
    if (!all_of.empty() && ValueOrThrow(source_->snapshot()->SelectAmong({next}, all_of)).empty()) {
      // Ordered by bounds, what follows is mostly excluded too: one call for all of it.
      std::reverse(waiting.begin(), waiting.end());
      waiting = ValueOrThrow(source_->snapshot()->SelectAmong(waiting, all_of));
      std::reverse(waiting.begin(), waiting.end());
      continue;
    }
    waiting.pop_back();
    running_->opened.push_back(next);
  }
  if (position >= running_->opened.size()) return std::nullopt;
  return running_->opened[position];
}

duckdb::OpenFileInfo LakeFileList::GetFile(duckdb::idx_t i) const {
  if (i < num_groups()) return GroupInfo(i);
  size_t position = i - num_groups();
  if (running_) {
    auto file = RunningFile(position);
    return file ? OpenInfo(*file) : duckdb::OpenFileInfo();
  }
  return position < num_files() ? OpenInfo(FileAt(position)) : duckdb::OpenFileInfo();
}

ScanEntry LakeFileList::Entry(size_t position) const {
  if (position < num_groups()) return {std::nullopt, &source_->groups()[position], position};
  position -= num_groups();
  FileIndex number = 0;
  if (running_) {
    MutexLock lock(running_->mutex);
    number = running_->opened.at(position);
  } else {
    number = FileAt(position);
  }
  return {DataFileOf(number), nullptr, num_groups() + number};
}

delta::DataFile LakeFileList::DataFileOf(FileIndex number) const {
  auto file = source_->snapshot()->File(number);
  // A path that no file can have.
  if (!file.ok()) ThrowStatus(FaultOfTable(file.status(), *source_, ""));
  return *std::move(file);
}

duckdb::OpenFileInfo LakeFileList::OpenInfo(FileIndex number) const {
  delta::DataFile file = DataFileOf(number);
  return MakeDataFileInfo(source_->path_prefix(), file, source_->view().store);
}

duckdb::OpenFileInfo LakeFileList::GroupInfo(size_t group) const {
  return MakeBufferInfo(source_->path_prefix(), group);
}

duckdb::vector<duckdb::OpenFileInfo> LakeFileList::GetAllFiles() const {
  duckdb::vector<duckdb::OpenFileInfo> all;
  for (duckdb::idx_t i = 0;; i++) {
    auto info = GetFile(i);
    if (info.path.empty()) return all;
    all.push_back(std::move(info));
  }
}

duckdb::FileExpandResult LakeFileList::GetExpandResult() const {
  // Never SINGLE_FILE: DuckDB would bound its threads by a footer that has not been read.
  return num_files() + num_groups() == 0 ? duckdb::FileExpandResult::NO_FILES
                                         : duckdb::FileExpandResult::MULTIPLE_FILES;
}

duckdb::idx_t LakeFileList::GetTotalFileCount() const { return num_files() + num_groups(); }

duckdb::MultiFileCount LakeFileList::GetFileCount(duckdb::idx_t) const {
  return duckdb::MultiFileCount(GetTotalFileCount());
}

duckdb::vector<duckdb::OpenFileInfo> LakeFileList::GetDisplayFileList(duckdb::optional_idx max_files) const {
  duckdb::vector<duckdb::OpenFileInfo> shown;
  duckdb::idx_t limit = max_files.IsValid() ? max_files.GetIndex() : 5;
  if (running_) return shown;
  for (duckdb::idx_t i = 0; i < std::min<duckdb::idx_t>(limit, GetTotalFileCount()); i++) shown.push_back(GetFile(i));
  return shown;
}

std::optional<int64_t> LakeFileList::ExactRows() const {
  int64_t rows = source_->buffered_rows();
  for (size_t i = 0; i < num_files(); i++) {
    delta::DataFile file = DataFileOf(FileAt(i));
    if (file.num_records < 0) return std::nullopt;
    rows += file.live_records();
  }
  return rows;
}

int64_t LakeFileList::EstimatedRows() const {
  size_t count = num_files();
  if (count == 0) return source_->buffered_rows();
  size_t step = std::max<size_t>(1, count / kSampledFiles);
  double sampled = 0;
  double rows = 0;
  for (size_t i = 0; i < count; i += step) {
    delta::DataFile file = DataFileOf(FileAt(i));
    rows += static_cast<double>(file.num_records >= 0 ? file.live_records() : file.size_bytes / kBytesPerRow);
    sampled += 1;
  }
  return source_->buffered_rows() + static_cast<int64_t>(rows / sampled * static_cast<double>(count));
}

duckdb::unique_ptr<duckdb::NodeStatistics> LakeFileList::GetCardinality(duckdb::ClientContext&) const {
  return duckdb::make_uniq<duckdb::NodeStatistics>(static_cast<duckdb::idx_t>(EstimatedRows()));
}

duckdb::unique_ptr<duckdb::MultiFileList> LakeFileList::Copy() const {
  auto list = duckdb::make_uniq<LakeFileList>(source_);
  list->files_ = files_;
  list->all_of_ = all_of_;
  return list;
}

}  // namespace tarn::engine
