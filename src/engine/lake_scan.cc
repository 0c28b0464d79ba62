#include "engine/lake_scan.h"

#include <utility>

#include "delta/files/deletion_vector.h"
#include "delta/operations/table_changes.h"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/function/partition_stats.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/tableref/table_function_ref.hpp"
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/filter/conjunction_filter.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"
#include "duckdb/planner/filter/optional_filter.hpp"
#include "duckdb/storage/statistics/numeric_stats.hpp"
#include "engine/buffer_reader.h"
#include "engine/data_file_errors.h"
#include "engine/deletion_filter.h"
#include "engine/distant_files.h"
#include "engine/exception_barrier.h"
#include "engine/hot_files.h"
#include "engine/lake_file_list.h"
#include "engine/lake_file_system.h"
#include "engine/lake_types.h"
#include "engine/stored_columns.h"

namespace tarn::engine {
namespace {

using duckdb::MultiFileReader;

/// Statistics of columns are merged over at most this many files: the optimizer asks for each column of each query.
constexpr size_t kMaxFilesForStatistics = 64;

struct LakeScanInfo final : public duckdb::TableFunctionInfo {
  std::shared_ptr<const ScanSource> source;
  std::shared_ptr<duckdb::TableCatalogEntry> entry;
  /// Of DuckDB's Parquet scan.
  duckdb::table_function_t scan = nullptr;
  duckdb::table_function_init_local_t init_local = nullptr;
};

/// DuckDB 1.5 cannot rewrite a join's bloom filter for a file whose column is narrower than the table's ("Can't convert
/// TableFilterType"). It is optional, so it is left out for such a file.
bool HasBloom(const duckdb::TableFilter& filter) {
  switch (filter.filter_type) {
    case duckdb::TableFilterType::BLOOM_FILTER:
      return true;
    case duckdb::TableFilterType::OPTIONAL_FILTER: {
      const auto& child = filter.Cast<duckdb::OptionalFilter>().child_filter;
      return child && HasBloom(*child);
    }
    case duckdb::TableFilterType::CONJUNCTION_AND:
      for (const auto& child : filter.Cast<duckdb::ConjunctionAndFilter>().child_filters) {
        if (HasBloom(*child)) return true;
      }
      return false;
    default:
      return false;
  }
}

duckdb::unique_ptr<duckdb::TableFilter> WithoutBloom(const duckdb::TableFilter& filter) {
  if (!HasBloom(filter)) return filter.Copy();
  if (filter.filter_type != duckdb::TableFilterType::CONJUNCTION_AND) return nullptr;
  auto kept = duckdb::make_uniq<duckdb::ConjunctionAndFilter>();
  for (const auto& child : filter.Cast<duckdb::ConjunctionAndFilter>().child_filters) {
    if (auto copy = WithoutBloom(*child)) kept->child_filters.push_back(std::move(copy));
  }
  if (kept->child_filters.empty()) return nullptr;
  return kept;
}

/// Whether DuckDB may compare values of a file with constants of the table's type that it casts to the file's: a cast
/// that rounds would compare with another value.
bool CastsConstantsExactly(const duckdb::LogicalType& stored, const duckdb::LogicalType& wanted) {
  const auto is_instant = [](const duckdb::LogicalType& type) {
    return type.id() == duckdb::LogicalTypeId::TIMESTAMP || type.id() == duckdb::LogicalTypeId::TIMESTAMP_TZ;
  };
  return stored == wanted || (stored.IsIntegral() && wanted.IsIntegral()) || (is_instant(stored) && is_instant(wanted));
}

/// What of a filter has to hold, as an expression over the column as the table types it; null when nothing has to.
duckdb::unique_ptr<duckdb::Expression> RequiredOf(const duckdb::TableFilter& filter, const duckdb::Expression& column) {
  switch (filter.filter_type) {
    case duckdb::TableFilterType::OPTIONAL_FILTER:
    case duckdb::TableFilterType::DYNAMIC_FILTER:
    case duckdb::TableFilterType::BLOOM_FILTER:
      return nullptr;
    case duckdb::TableFilterType::CONJUNCTION_AND: {
      duckdb::unique_ptr<duckdb::Expression> all;
      for (const auto& child : filter.Cast<duckdb::ConjunctionAndFilter>().child_filters) {
        auto one = RequiredOf(*child, column);
        if (!one) continue;
        all = !all ? std::move(one)
                   : duckdb::make_uniq<duckdb::BoundConjunctionExpression>(duckdb::ExpressionType::CONJUNCTION_AND,
                                                                           std::move(all), std::move(one));
      }
      return all;
    }
    default:
      return filter.ToExpression(column);
  }
}

/// The filter for a file whose values are to be cast to the table's type before it is applied.
duckdb::unique_ptr<duckdb::TableFilter> AppliedAfterCast(const duckdb::TableFilter& filter,
                                                         const duckdb::LogicalType& type) {
  auto required = RequiredOf(filter, duckdb::BoundReferenceExpression(type, 0));
  return required ? duckdb::make_uniq<duckdb::ExpressionFilter>(std::move(required)) : nullptr;
}

struct LakeGlobalState final : public duckdb::MultiFileReaderGlobalState {
  using MultiFileReaderGlobalState::MultiFileReaderGlobalState;
};

/// Names, types and constants come from the log; a file's footer is read only when the file is.
struct LakeReader final : public MultiFileReader {
  explicit LakeReader(const LakeScanInfo& info)
      : source(info.source), entry(info.entry), scan(info.scan), init_local(info.init_local) {}
  LakeReader(const LakeReader& other)
      : source(other.source), entry(other.entry), scan(other.scan), init_local(other.init_local) {}

  std::shared_ptr<const ScanSource> source;
  std::shared_ptr<duckdb::TableCatalogEntry> entry;
  duckdb::table_function_t scan;
  duckdb::table_function_init_local_t init_local;

  using MultiFileReader::CreateFileList;
  using MultiFileReader::CreateMapping;
  using MultiFileReader::CreateReader;

  static duckdb::unique_ptr<MultiFileReader> Create(const duckdb::TableFunction& function) {
    return duckdb::make_uniq<LakeReader>(function.function_info->Cast<LakeScanInfo>());
  }
  duckdb::unique_ptr<MultiFileReader> Copy() const override { return duckdb::make_uniq<LakeReader>(*this); }

  duckdb::shared_ptr<duckdb::MultiFileList> CreateFileList(duckdb::ClientContext&, const duckdb::vector<std::string>&,
                                                           const duckdb::FileGlobInput&) override {
    return duckdb::make_shared_ptr<LakeFileList>(source);
  }

  bool Bind(duckdb::MultiFileOptions&, duckdb::MultiFileList&, duckdb::vector<duckdb::LogicalType>& types,
            duckdb::vector<std::string>& names, duckdb::MultiFileReaderBindData&) override {
    for (const ScanColumn& column : source->columns()) {
      names.push_back(column.name);
      types.push_back(column.type);
    }
    return true;
  }

  void BindOptions(duckdb::MultiFileOptions& options, duckdb::MultiFileList&,
                   duckdb::vector<duckdb::LogicalType>& types, duckdb::vector<std::string>& names,
                   duckdb::MultiFileReaderBindData& bind_data) override {
    options.auto_detect_hive_partitioning = false;
    options.hive_partitioning = false;
    options.union_by_name = false;
    bind_data.schema = duckdb::MultiFileColumnDefinition::ColumnsFromNamesAndTypes(names, types);
    for (size_t i = 0; i < bind_data.schema.size(); i++) {
      auto& definition = bind_data.schema[i];
      const ScanColumn& column = source->columns()[i];
      definition.default_expression = duckdb::make_uniq<duckdb::ConstantExpression>(duckdb::Value(column.type));
      definition.identifier = duckdb::Value(column.physical_name);
      // Lets GROUP BY on partition columns run per partition; change files hold several kinds of change.
      const bool constant_per_file = column.partition_index >= 0 && column.name != delta::kChangeTypeColumn;
      if (constant_per_file) bind_data.hive_partitioning_indexes.emplace_back(column.name, i);
    }
  }

  duckdb::unique_ptr<duckdb::MultiFileReaderGlobalState> InitializeGlobalState(
      duckdb::ClientContext& context, const duckdb::MultiFileOptions&, const duckdb::MultiFileReaderBindData&,
      const duckdb::MultiFileList& list, const duckdb::vector<duckdb::MultiFileColumnDefinition>&,
      const duckdb::vector<duckdb::ColumnIndex>&) override {
    DistantFiles::Of(context)->Want(context, dynamic_cast<const LakeFileList&>(list));
    return duckdb::make_uniq<LakeGlobalState>(duckdb::vector<duckdb::LogicalType>(), &list);
  }

  duckdb::shared_ptr<duckdb::BaseFileReader> CreateReader(duckdb::ClientContext& context,
                                                          duckdb::GlobalTableFunctionState& state,
                                                          const duckdb::OpenFileInfo& file, duckdb::idx_t index,
                                                          const duckdb::MultiFileBindData& bind_data) override {
    if (auto group = BufferGroupOf(file)) {
      return duckdb::make_shared_ptr<BufferReader>(file, source, source->groups()[*group]);
    }
    if (source->files_have_names() && !HasDeletions(file)) {
      if (auto hot = HotFiles::Of(context)->Open(context, file.path, DataFileOf(file), *source)) {
        source->Hold(hot);
        return duckdb::make_shared_ptr<BufferReader>(file, source, std::move(hot));
      }
    }
    return OpeningDataFile(*source, file.path,
                           [&] { return MultiFileReader::CreateReader(context, state, file, index, bind_data); });
  }

  void FinalizeBind(duckdb::MultiFileReaderData& reader_data, const duckdb::MultiFileOptions& file_options,
                    const duckdb::MultiFileReaderBindData& bind_data,
                    const duckdb::vector<duckdb::MultiFileColumnDefinition>& global_columns,
                    const duckdb::vector<duckdb::ColumnIndex>& column_ids, duckdb::ClientContext& context,
                    duckdb::optional_ptr<duckdb::MultiFileReaderGlobalState> state) override {
    duckdb::MultiFileReaderBindData without_hive = bind_data;
    // The base class would read partition values out of the path.
    without_hive.hive_partitioning_indexes.clear();
    MultiFileReader::FinalizeBind(reader_data, file_options, without_hive, global_columns, column_ids, context, state);
    const auto& list = dynamic_cast<const LakeFileList&>(*state->file_list);
    ScanEntry entry = list.Entry(reader_data.reader->file_list_idx.GetIndex());
    if (entry.file && HasDeletions(*entry.file)) {
      auto rows = delta::LiveRows::Read(*source->view().store, *entry.file);
      if (!rows.ok()) ThrowStatus(FaultOfTable(rows.status(), *source, reader_data.reader->GetFileName()));
      reader_data.reader->deletion_filter = duckdb::make_uniq<DeletionFilter>(*std::move(rows));
    }
    const auto& values = entry.group != nullptr ? *entry.group->partition_values : entry.file->partition_values;
    for (auto& constant : reader_data.constant_map) {
      // The base class counts the files that this scan opens, in that order; rows are found again by the file's number.
      const auto id = column_ids[constant.column_idx.GetIndex()].GetPrimaryIndex();
      if (id == COLUMN_IDENTIFIER_FILE_INDEX) constant.value = duckdb::Value::UBIGINT(entry.number);
    }
    for (size_t i = 0; i < column_ids.size(); i++) {
      auto id = column_ids[i].GetPrimaryIndex();
      if (duckdb::IsVirtualColumn(id)) continue;
      const ScanColumn& column = source->columns()[id];
      auto index = static_cast<size_t>(column.partition_index);
      if (column.partition_index < 0 || index >= values.size()) continue;
      reader_data.constant_map.Add(duckdb::MultiFileGlobalIndex(i),
                                   ValueOrThrow(ToSqlValue(values[index], column.type)));
    }
  }

  duckdb::ReaderInitializeType CreateMapping(duckdb::ClientContext& context, duckdb::MultiFileReaderData& reader_data,
                                             const duckdb::vector<duckdb::MultiFileColumnDefinition>& global_columns,
                                             const duckdb::vector<duckdb::ColumnIndex>& column_ids,
                                             duckdb::optional_ptr<duckdb::TableFilterSet> filters,
                                             duckdb::MultiFileList& list,
                                             const duckdb::MultiFileReaderBindData& bind_data,
                                             const duckdb::virtual_column_map_t& virtual_columns) override {
    const bool is_buffer = BufferGroupOf(reader_data.reader->file).has_value();
    for (const auto& id : column_ids) {
      if (!is_buffer && !id.IsVirtualColumn()) CheckKindOfColumn(*reader_data.reader, *source, id.GetPrimaryIndex());
    }
    duckdb::TableFilterSet usable;
    bool changed = false;
    if (filters) {
      for (const auto& [position, filter] : filters->filters) {
        auto copy = UsableFilter(*reader_data.reader, column_ids[position], *filter);
        changed = changed || copy.has_value();
        auto used = copy ? std::move(*copy) : filter->Copy();
        if (used) usable.filters[position] = std::move(used);
      }
    }
    const auto kept = changed ? duckdb::optional_ptr<duckdb::TableFilterSet>(&usable) : filters;
    if (is_buffer || source->files_have_names()) {
      return MultiFileReader::CreateMapping(context, reader_data, global_columns, column_ids, kept, list, bind_data,
                                            virtual_columns);
    }
    const auto as_stored = ColumnsAsStored(global_columns, *reader_data.reader, *source);
    return MultiFileReader::CreateMapping(context, reader_data, as_stored, column_ids, kept, list, bind_data,
                                          virtual_columns);
  }

 private:
  /// What stands for a filter in one file, null for nothing; nullopt when it serves as it is.
  std::optional<duckdb::unique_ptr<duckdb::TableFilter>> UsableFilter(const duckdb::BaseFileReader& reader,
                                                                      const duckdb::ColumnIndex& id,
                                                                      const duckdb::TableFilter& filter) const {
    if (id.IsVirtualColumn()) return HasBloom(filter) ? std::optional(WithoutBloom(filter)) : std::nullopt;
    const auto& type = source->columns()[id.GetPrimaryIndex()].type;
    const auto* stored = StoredColumn(reader, *source, id.GetPrimaryIndex());
    if (stored != nullptr && !CastsConstantsExactly(stored->type, type)) return AppliedAfterCast(filter, type);
    if (HasBloom(filter) && (stored == nullptr || stored->type != type)) return WithoutBloom(filter);
    return std::nullopt;
  }
};

const LakeFileList& ListOf(const duckdb::FunctionData& bind_data) {
  return dynamic_cast<const LakeFileList&>(*bind_data.Cast<duckdb::MultiFileBindData>().file_list);
}

const LakeReader& ReaderOf(const duckdb::FunctionData& bind_data) {
  return dynamic_cast<const LakeReader&>(*bind_data.Cast<duckdb::MultiFileBindData>().multi_file_reader);
}

void Scan(duckdb::ClientContext& context, duckdb::TableFunctionInput& input, duckdb::DataChunk& output) {
  const LakeReader& reader = ReaderOf(*input.bind_data);
  try {
    reader.scan(context, input, output);
  } catch (const std::exception& error) {
    const auto* local = input.local_state ? &input.local_state->Cast<duckdb::MultiFileLocalState>() : nullptr;
    const bool named = local != nullptr && local->reader;
    RethrowOfScan(error, *reader.source, named ? local->reader->GetFileName() : std::string());
  }
}

duckdb::unique_ptr<duckdb::LocalTableFunctionState> InitLocal(duckdb::ExecutionContext& context,
                                                              duckdb::TableFunctionInitInput& input,
                                                              duckdb::GlobalTableFunctionState* global) {
  const LakeReader& reader = ReaderOf(*input.bind_data);
  try {
    return reader.init_local(context, input, global);
  } catch (const std::exception& error) {
    RethrowOfScan(error, *reader.source, "");
  }
}

duckdb::virtual_column_map_t VirtualColumns(duckdb::ClientContext&, duckdb::optional_ptr<duckdb::FunctionData> data) {
  auto columns = LakeVirtualColumns();
  data->Cast<duckdb::MultiFileBindData>().virtual_columns = columns;
  return columns;
}

/// Counts by the log answer count(*) without opening a file.
duckdb::vector<duckdb::PartitionStatistics> CountsByTheLog(duckdb::ClientContext&,
                                                           duckdb::GetPartitionStatsInput& input) {
  duckdb::vector<duckdb::PartitionStatistics> statistics;
  auto rows = ListOf(*input.bind_data).ExactRows();
  if (!rows) return statistics;
  duckdb::PartitionStatistics all;
  all.row_start = 0;
  all.count = static_cast<duckdb::idx_t>(*rows);
  all.count_type = duckdb::CountType::COUNT_EXACT;
  statistics.push_back(std::move(all));
  return statistics;
}

/// Bounds of integers, dates and timestamps, as far as every file of the scan tells them and no row is buffered. Bounds
/// may be wider than the data, which DuckDB allows for.
duckdb::unique_ptr<duckdb::BaseStatistics> ColumnStatistics(duckdb::ClientContext&, const duckdb::FunctionData* data,
                                                            duckdb::column_t id) {
  const LakeFileList& list = ListOf(*data);
  const ScanSource& source = list.source();
  size_t files = list.num_files();
  if (id >= source.columns().size() || !source.columns()[id].in_snapshot) return nullptr;
  if (list.num_groups() != 0 || files == 0 || files > kMaxFilesForStatistics) return nullptr;
  const ScanColumn& column = source.columns()[id];
  columnar::Value min;
  columnar::Value max;
  bool may_be_null = false;
  for (size_t i = 0; i < files; i++) {
    delta::ColumnBounds bounds = ValueOrThrow(source.snapshot()->Bounds(list.FileAt(i), static_cast<int>(id)));
    if (!std::holds_alternative<int64_t>(bounds.min) || !std::holds_alternative<int64_t>(bounds.max)) return nullptr;
    if (i == 0 || std::get<int64_t>(bounds.min) < std::get<int64_t>(min)) min = bounds.min;
    if (i == 0 || std::get<int64_t>(bounds.max) > std::get<int64_t>(max)) max = bounds.max;
    may_be_null = may_be_null || bounds.null_count != 0;
  }
  auto sql_min = ToSqlValue(min, column.type);
  auto sql_max = ToSqlValue(max, column.type);
  if (!sql_min.ok() || !sql_max.ok()) return nullptr;
  auto statistics = duckdb::BaseStatistics::CreateEmpty(column.type);
  duckdb::NumericStats::SetMin(statistics, *sql_min);
  duckdb::NumericStats::SetMax(statistics, *sql_max);
  statistics.SetHasNoNull();
  if (may_be_null) statistics.SetHasNull();
  return statistics.ToUnique();
}

duckdb::InsertionOrderPreservingMap<std::string> Describe(duckdb::TableFunctionToStringInput& input) {
  duckdb::InsertionOrderPreservingMap<std::string> text;
  const LakeFileList& list = ListOf(*input.bind_data);
  const ScanSource& source = list.source();
  text["Table"] = source.view().name.ToString();
  text["Version"] = std::to_string(source.version());
  text["Files"] = std::to_string(list.num_files()) + " of " + std::to_string(source.num_files());
  const LakeFileList::SkippedFiles skipped = list.CountSkipped();
  text["Skipped"] = std::to_string(skipped.by_partition_values) + " by partition values, " +
                    std::to_string(skipped.by_statistics) + " by statistics";
  text["Buffer"] =
      std::to_string(source.view().segments.size()) + " segments, " + std::to_string(source.buffered_rows()) + " rows";
  return text;
}

duckdb::BindInfo TableOfScan(const duckdb::optional_ptr<duckdb::FunctionData> data) {
  const LakeReader& reader = ReaderOf(*data);
  // Virtual columns resolve only on a scan that names its table.
  return reader.entry ? duckdb::BindInfo(*reader.entry) : duckdb::BindInfo(duckdb::ScanType::EXTERNAL);
}

void RefuseToSerialize(duckdb::Serializer&, const duckdb::optional_ptr<duckdb::FunctionData>,
                       const duckdb::TableFunction&) {
  ThrowStatus(Status::Unsupported("plans over lake tables cannot be serialized"));
}

duckdb::TableFunction ParquetScan(duckdb::ClientContext& context) {
  auto& entry = duckdb::Catalog::GetSystemCatalog(context).GetEntry<duckdb::TableFunctionCatalogEntry>(
      context, DEFAULT_SCHEMA, "parquet_scan");
  return entry.functions.GetFunctionByArguments(context, {duckdb::LogicalType::VARCHAR});
}

}  // namespace

duckdb::virtual_column_map_t LakeVirtualColumns() {
  duckdb::virtual_column_map_t columns;
  columns.insert(std::make_pair(MultiFileReader::COLUMN_IDENTIFIER_FILENAME,
                                duckdb::TableColumn("filename", duckdb::LogicalType::VARCHAR)));
  columns.insert(std::make_pair(MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER,
                                duckdb::TableColumn("file_row_number", duckdb::LogicalType::BIGINT)));
  columns.insert(std::make_pair(MultiFileReader::COLUMN_IDENTIFIER_FILE_INDEX,
                                duckdb::TableColumn("file_index", duckdb::LogicalType::UBIGINT)));
  columns.insert(
      std::make_pair(duckdb::COLUMN_IDENTIFIER_EMPTY, duckdb::TableColumn("", duckdb::LogicalType::BOOLEAN)));
  return columns;
}

duckdb::TableFunction MakeLakeScan(duckdb::ClientContext& context, std::shared_ptr<const ScanSource> source,
                                   std::shared_ptr<duckdb::TableCatalogEntry> entry,
                                   duckdb::unique_ptr<duckdb::FunctionData>& bind_data) {
  duckdb::TableFunction function = ParquetScan(context);
  function.name = "lake_scan";
  function.get_multi_file_reader = LakeReader::Create;
  auto info = duckdb::make_shared_ptr<LakeScanInfo>();
  info->scan = std::exchange(function.function, Scan);
  info->init_local = std::exchange(function.init_local, InitLocal);
  function.statistics = ColumnStatistics;
  function.get_partition_stats = CountsByTheLog;
  function.get_virtual_columns = VirtualColumns;
  function.get_bind_info = TableOfScan;
  function.to_string = Describe;
  function.serialize = RefuseToSerialize;
  function.deserialize = nullptr;
  function.late_materialization = false;
  function.get_row_id_columns = nullptr;
  function.get_metrics = nullptr;
  info->source = std::move(source);
  info->entry = std::move(entry);
  function.function_info = std::move(info);

  duckdb::vector<duckdb::Value> inputs{duckdb::Value("")};
  duckdb::named_parameter_map_t named;
  // Footers leave NaN out of their bounds, and DuckDB takes NaN for the greatest value: trust no maximum of a float.
  named["can_have_nan"] = duckdb::Value::BOOLEAN(true);
  duckdb::vector<duckdb::LogicalType> types;
  duckdb::vector<std::string> names;
  duckdb::TableFunctionRef reference;
  duckdb::TableFunctionBindInput input(inputs, named, types, names, function.function_info.get(), nullptr, function,
                                       reference);
  bind_data = function.bind(context, input, types, names);
  return function;
}

}  // namespace tarn::engine
