#include "engine/system_scan.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "duckdb/main/client_context.hpp"
#include "engine/arrow_vectors.h"
#include "engine/exception_barrier.h"
#include "engine/lake_types.h"

namespace tarn::engine {
namespace {

struct SystemBindData final : public duckdb::TableFunctionData {
  std::string name;
  std::shared_ptr<SystemTable> table;
  std::shared_ptr<duckdb::TableCatalogEntry> entry;

  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    auto copy = duckdb::make_uniq<SystemBindData>();
    copy->name = name;
    copy->table = table;
    copy->entry = entry;
    return copy;
  }
  bool Equals(const duckdb::FunctionData& other) const override { return table == other.Cast<SystemBindData>().table; }
};

struct SystemScanState final : public duckdb::GlobalTableFunctionState {
  std::shared_ptr<arrow::RecordBatch> rows;
  duckdb::vector<duckdb::column_t> column_ids;
  int64_t next = 0;
};

duckdb::unique_ptr<duckdb::GlobalTableFunctionState> Begin(duckdb::ClientContext&,
                                                           duckdb::TableFunctionInitInput& input) {
  const auto& data = input.bind_data->Cast<SystemBindData>();
  auto state = duckdb::make_uniq<SystemScanState>();
  state->rows = ValueOrThrow(data.table->Read());
  if (!state->rows->schema()->Equals(*data.table->schema(), false)) {
    ThrowStatus(Status::Internal("system table " + data.name + " delivers columns that it does not declare"));
  }
  state->column_ids = input.column_ids;
  return state;
}

void Scan(duckdb::ClientContext& context, duckdb::TableFunctionInput& input, duckdb::DataChunk& output) {
  auto& state = input.global_state->Cast<SystemScanState>();
  int64_t count = std::min<int64_t>(STANDARD_VECTOR_SIZE, state.rows->num_rows() - state.next);
  for (size_t i = 0; i < state.column_ids.size() && count > 0; i++) {
    auto id = state.column_ids[i];
    if (duckdb::IsVirtualColumn(id)) {
      AppendNullRows(output.data[i], 0, count);
    } else {
      AppendArrowRows(context, *state.rows->column(static_cast<int>(id)), state.next, count, output.data[i], 0);
    }
  }
  state.next += count;
  output.SetCardinality(static_cast<duckdb::idx_t>(count));
}

duckdb::BindInfo TableOfScan(const duckdb::optional_ptr<duckdb::FunctionData> data) {
  return duckdb::BindInfo(*data->Cast<SystemBindData>().entry);
}

duckdb::InsertionOrderPreservingMap<std::string> Describe(duckdb::TableFunctionToStringInput& input) {
  duckdb::InsertionOrderPreservingMap<std::string> text;
  text["Table"] = "system." + input.bind_data->Cast<SystemBindData>().name;
  return text;
}

}  // namespace

duckdb::TableFunction MakeSystemScan(const std::string& name, std::shared_ptr<SystemTable> table,
                                     std::shared_ptr<duckdb::TableCatalogEntry> entry,
                                     duckdb::unique_ptr<duckdb::FunctionData>& bind_data) {
  duckdb::TableFunction function("system_scan", {}, Scan, nullptr, Begin);
  function.projection_pushdown = true;
  function.get_bind_info = TableOfScan;
  function.to_string = Describe;
  auto data = duckdb::make_uniq<SystemBindData>();
  data->name = name;
  data->table = std::move(table);
  data->entry = std::move(entry);
  bind_data = std::move(data);
  return function;
}

}  // namespace tarn::engine
