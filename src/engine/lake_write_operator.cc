#include "engine/lake_write_operator.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "engine/arrow_vectors.h"
#include "engine/chunk_rows.h"
#include "engine/exception_barrier.h"
#include "engine/lake_catalog.h"
#include "engine/lake_table.h"
#include "engine/lake_transaction.h"

namespace tarn::engine {

using duckdb::DataChunk;
using duckdb::idx_t;

namespace {

struct WriteSource final : public duckdb::GlobalSourceState {
  duckdb::ColumnDataScanState scan;
  bool begun = false;
};

/// Calls with each row's place.
template <typename Visit>
void ForEachPlace(DataChunk& chunk, const duckdb::SelectionVector& about, idx_t count, const PlaceColumns& columns,
                  const Visit& visit) {
  duckdb::UnifiedVectorFormat files;
  duckdb::UnifiedVectorFormat rows;
  chunk.data[columns.file].ToUnifiedFormat(chunk.size(), files);
  chunk.data[columns.row].ToUnifiedFormat(chunk.size(), rows);
  const auto* file_values = duckdb::UnifiedVectorFormat::GetData<uint64_t>(files);
  const auto* row_values = duckdb::UnifiedVectorFormat::GetData<int64_t>(rows);
  for (idx_t i = 0; i < count; i++) {
    const idx_t at = about.get_index(i);
    const auto file = static_cast<delta::FileIndex>(file_values[files.sel->get_index(at)]);
    visit(at, file, row_values[rows.sel->get_index(at)]);
  }
}

/// A partition column holds no empty text: as one it is read as NULL, and so it is told. In a copy, since other columns
/// may share the values.
void MakeEmptyNull(DataChunk& rows, idx_t column) {
  const duckdb::LogicalType& type = rows.data[column].GetType();
  if (type.InternalType() != duckdb::PhysicalType::VARCHAR) return;
  duckdb::UnifiedVectorFormat values;
  rows.data[column].ToUnifiedFormat(rows.size(), values);
  const auto* texts = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(values);
  const auto is_empty = [&](idx_t row) {
    const idx_t at = values.sel->get_index(row);
    return values.validity.RowIsValid(at) && texts[at].GetSize() == 0;
  };
  idx_t row = 0;
  while (row < rows.size() && !is_empty(row)) row++;
  if (row == rows.size()) return;
  duckdb::Vector changed(type, rows.size());
  duckdb::VectorOperations::Copy(rows.data[column], changed, rows.size(), 0, 0);
  for (; row < rows.size(); row++) {
    if (is_empty(row)) duckdb::FlatVector::SetNull(changed, row, true);
  }
  rows.data[column].Reference(changed);
}

}  // namespace

BeginEdit EditOf(duckdb::TableCatalogEntry& table) {
  const auto& of_lake = table.Cast<LakeTable>();
  const auto& target = of_lake.for_change();
  if (!target) ThrowStatus(ReadOnlyError());
  return [target = *target, source = of_lake.source(),
          &catalog = table.catalog](duckdb::ClientContext& context) -> Result<std::unique_ptr<TableEdit>> {
    TARN_ASSIGN_OR_RETURN(delta::Reads reads, source->reads().Of(*target.view->snapshot));
    // What its history tells may be different behind a commit of somebody else, like the table itself.
    const auto& transaction = duckdb::Transaction::Get(context, catalog).Cast<LakeTransaction>();
    if (transaction.ReadsPastOf(target.view->name)) reads = {.whole_table = true};
    return TableEdit::Change(target, std::move(reads));
  };
}

duckdb::unique_ptr<duckdb::GlobalSinkState> LakeWrite::GetGlobalSinkState(duckdb::ClientContext& context) const {
  auto state = duckdb::make_uniq<WriteState>(ValueOrThrow(begin_(context)));
  if (returns_rows_) {
    MutexLock lock(state->mutex);
    state->returned = duckdb::make_uniq<duckdb::ColumnDataCollection>(context, types);
  }
  return state;
}

duckdb::SinkResultType LakeWrite::Sink(duckdb::ExecutionContext& context, DataChunk& chunk,
                                       duckdb::OperatorSinkInput& input) const {
  Take(context.client, chunk, input.global_state.Cast<WriteState>());
  return duckdb::SinkResultType::NEED_MORE_INPUT;
}

duckdb::SinkFinalizeType LakeWrite::Finalize(duckdb::Pipeline&, duckdb::Event&, duckdb::ClientContext& context,
                                             duckdb::OperatorSinkFinalizeInput& input) const {
  auto& state = input.global_state.Cast<WriteState>();
  TableEdit::Statement statement = statement_;
  Describe(state, statement);
  if (const auto condition = ConditionOf(context)) statement.parameters.merge(delta::PredicateParameter(*condition));
  if (returns_rows_) ReadDeleted(context, state);
  if (const auto snapshot = ValueOrThrow(state.edit->Commit(statement))) {
    catalog_.NoteCommit(state.edit->name(), snapshot);
  }
  return duckdb::SinkFinalizeType::READY;
}

duckdb::unique_ptr<duckdb::GlobalSourceState> LakeWrite::GetGlobalSourceState(duckdb::ClientContext&) const {
  return duckdb::make_uniq<WriteSource>();
}

void LakeWrite::Insert(duckdb::ClientContext& context, const RowLayout& layout, DataChunk& rows,
                       WriteState& state) const {
  if (rows.size() == 0) return;
  for (const int column : state.edit->partition_columns()) MakeEmptyNull(rows, static_cast<idx_t>(column));
  const ChunkRows converter(layout.types, layout.names, context.GetClientProperties());
  const auto batch = ValueOrThrow(converter.Take(rows));
  ThrowIfError(state.edit->Insert(*batch));
}

void LakeWrite::Return(DataChunk& rows, WriteState& state) const {
  if (!returns_rows_ || rows.size() == 0) return;
  MutexLock lock(state.mutex);
  state.returned->Append(rows);
}

void LakeWrite::ReturnDeleted(DataChunk& chunk, const duckdb::SelectionVector& rows, idx_t count,
                              const PlaceColumns& columns, WriteState& state) const {
  if (!returns_rows_) return;
  std::vector<std::pair<delta::FileIndex, int64_t>> places;
  ForEachPlace(chunk, rows, count, columns,
               [&](idx_t, delta::FileIndex file, int64_t row) { places.emplace_back(file, row); });
  MutexLock lock(state.mutex);
  for (const auto& [file, row] : places) state.gone.Add(file, row);
}

void LakeWrite::ReadDeleted(duckdb::ClientContext& context, WriteState& state) const {
  MutexLock lock(state.mutex);
  DataChunk rows;
  rows.Initialize(context, types);
  const auto keep = [&](const std::shared_ptr<arrow::RecordBatch>& batch) REQUIRES(state.mutex) -> Status {
    const auto columns = static_cast<size_t>(batch->num_columns());
    for (int64_t from = 0; from < batch->num_rows(); from += STANDARD_VECTOR_SIZE) {
      if (context.interrupted) throw duckdb::InterruptException();
      const int64_t count = std::min<int64_t>(STANDARD_VECTOR_SIZE, batch->num_rows() - from);
      rows.Reset();
      for (size_t i = 0; i < columns; i++) {
        AppendArrowRows(context, *batch->column(static_cast<int>(i)), from, count, rows.data[i], 0);
      }
      if (columns < types.size()) rows.data[columns].Reference(duckdb::Value("DELETE"));
      rows.SetCardinality(static_cast<idx_t>(count));
      state.returned->Append(rows);
    }
    return Status::Ok();
  };
  ThrowIfError(state.edit->Read(state.gone, keep));
}

duckdb::SourceResultType LakeWrite::GetDataInternal(duckdb::ExecutionContext&, DataChunk& chunk,
                                                    duckdb::OperatorSourceInput& input) const {
  auto& state = sink_state->Cast<WriteState>();
  if (!returns_rows_) {
    chunk.SetCardinality(1);
    chunk.SetValue(0, 0, duckdb::Value::BIGINT(static_cast<int64_t>(state.count.load())));
    return duckdb::SourceResultType::FINISHED;
  }
  auto& source = input.global_state.Cast<WriteSource>();
  MutexLock lock(state.mutex);
  if (!source.begun) state.returned->InitializeScan(source.scan);
  source.begun = true;
  state.returned->Scan(source.scan, chunk);
  return chunk.size() == 0 ? duckdb::SourceResultType::FINISHED : duckdb::SourceResultType::HAVE_MORE_OUTPUT;
}

idx_t RemoveRows(DataChunk& chunk, const duckdb::SelectionVector& about, idx_t count, const PlaceColumns& columns,
                 WriteState& state, duckdb::SelectionVector& fresh) {
  idx_t removed = 0;
  ForEachPlace(chunk, about, count, columns, [&](idx_t at, delta::FileIndex file, int64_t row) {
    if (state.edit->Delete(file, row)) fresh.set_index(removed++, at);
  });
  return removed;
}

void MakeRows(const NewRow& columns, const RowLayout& layout, DataChunk& chunk, const duckdb::SelectionVector& selected,
              idx_t count, DataChunk& rows) {
  rows.InitializeEmpty(layout.types);
  for (idx_t i = 0; i < columns.size(); i++) {
    if (columns[i].IsValid()) {
      rows.data[i].Slice(chunk.data[columns[i].GetIndex()], selected, count);
    } else {
      rows.data[i].Reference(duckdb::Value(layout.types[i]));
    }
  }
  rows.SetCardinality(count);
}

idx_t ReferenceIn(const duckdb::Expression& expression) {
  if (expression.GetExpressionClass() != duckdb::ExpressionClass::BOUND_REF) {
    ThrowStatus(Status::Unsupported("this kind of change: " + expression.ToString()));
  }
  return expression.Cast<duckdb::BoundReferenceExpression>().index;
}

}  // namespace tarn::engine
