#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/optional_idx.hpp"
#include "duckdb/common/types/column/column_data_collection.hpp"
#include "duckdb/execution/physical_operator.hpp"
#include "engine/table_edit.h"
#include "lake/table_view.h"

/// What the operators have in common that change tables of the lake.
namespace tarn::engine {

/// Begins the edit when the statement runs: a plan that is only explained changes nothing.
using BeginEdit = std::function<Result<std::unique_ptr<TableEdit>>(duckdb::ClientContext& context)>;
/// Throws when the statement may not change the table.
BeginEdit EditOf(duckdb::TableCatalogEntry& table);

struct WriteState final : public duckdb::GlobalSinkState {
  explicit WriteState(std::unique_ptr<TableEdit> begun) : edit(std::move(begun)) {}

  const std::unique_ptr<TableEdit> edit;
  /// Rows that the statement tells of, and those among them that came, became others, and went.
  std::atomic<duckdb::idx_t> count = 0;
  std::atomic<duckdb::idx_t> inserted = 0;
  std::atomic<duckdb::idx_t> updated = 0;
  std::atomic<duckdb::idx_t> deleted = 0;
  Mutex mutex;
  /// What RETURNING gives.
  duckdb::unique_ptr<duckdb::ColumnDataCollection> returned GUARDED_BY(mutex);
  /// Deleted rows that it gives, too: they are read again at the end, since the plan reads no more of them than it
  /// needs to find them.
  delta::RowPlaces gone GUARDED_BY(mutex);
};

/// The columns of a table, as chunks of its rows have them.
struct RowLayout {
  duckdb::vector<duckdb::LogicalType> types;
  duckdb::vector<std::string> names;

  static RowLayout Of(const duckdb::ColumnList& columns) {
    return {columns.GetColumnTypes(), columns.GetColumnNames()};
  }
};

/// Where a chunk has the place of the row that it is about: its file's number and its position there.
struct PlaceColumns {
  duckdb::idx_t file = 0;
  duckdb::idx_t row = 0;
};

/// The last operator of a statement that changes a table: takes its rows, commits, and gives their number, or the rows
/// themselves for RETURNING.
class LakeWrite : public duckdb::PhysicalOperator {
 public:
  LakeWrite(duckdb::PhysicalPlan& plan, duckdb::vector<duckdb::LogicalType> types, lake::TableCatalog& catalog,
            BeginEdit begin, TableEdit::Statement statement, bool returns_rows)
      : PhysicalOperator(plan, duckdb::PhysicalOperatorType::EXTENSION, std::move(types), 1),
        catalog_(catalog),
        begin_(std::move(begin)),
        statement_(std::move(statement)),
        returns_rows_(returns_rows) {}

  bool IsSink() const override { return true; }
  bool IsSource() const override { return true; }
  bool ParallelSink() const override { return true; }

  duckdb::unique_ptr<duckdb::GlobalSinkState> GetGlobalSinkState(duckdb::ClientContext& context) const override;
  duckdb::SinkResultType Sink(duckdb::ExecutionContext& context, duckdb::DataChunk& chunk,
                              duckdb::OperatorSinkInput& input) const override;
  duckdb::SinkFinalizeType Finalize(duckdb::Pipeline& pipeline, duckdb::Event& event, duckdb::ClientContext& context,
                                    duckdb::OperatorSinkFinalizeInput& input) const override;
  duckdb::unique_ptr<duckdb::GlobalSourceState> GetGlobalSourceState(duckdb::ClientContext& context) const override;

 protected:
  /// Changes what the rows of one chunk say; by several threads at once.
  virtual void Take(duckdb::ClientContext& context, duckdb::DataChunk& chunk, WriteState& state) const = 0;
  /// Adds to commitInfo what is known only at the end.
  virtual void Describe(const WriteState&, TableEdit::Statement&) const {}

  void Insert(duckdb::ClientContext& context, const RowLayout& layout, duckdb::DataChunk& rows,
              WriteState& state) const;
  /// Keeps rows for RETURNING, where the statement has one.
  void Return(duckdb::DataChunk& rows, WriteState& state) const;
  /// The same for rows that were deleted, by their places.
  void ReturnDeleted(duckdb::DataChunk& chunk, const duckdb::SelectionVector& rows, duckdb::idx_t count,
                     const PlaceColumns& columns, WriteState& state) const;
  bool returns_rows() const { return returns_rows_; }

  duckdb::SourceResultType GetDataInternal(duckdb::ExecutionContext& context, duckdb::DataChunk& chunk,
                                           duckdb::OperatorSourceInput& input) const override;

 private:
  /// Reads the deleted rows and keeps them, in a MERGE with the word that it has for them.
  void ReadDeleted(duckdb::ClientContext& context, WriteState& state) const;

  lake::TableCatalog& catalog_;
  const BeginEdit begin_;
  const TableEdit::Statement statement_;
  const bool returns_rows_;
};

/// Removes the rows of the table that `about` names in a chunk; gives how many were not removed before, the first in
/// `fresh`.
duckdb::idx_t RemoveRows(duckdb::DataChunk& chunk, const duckdb::SelectionVector& about, duckdb::idx_t count,
                         const PlaceColumns& columns, WriteState& state, duckdb::SelectionVector& fresh);

/// Where a row as it becomes is in a chunk: for each column of the table the place of its value, or none for NULL.
using NewRow = duckdb::vector<duckdb::optional_idx>;

/// The rows that `selected` names in a chunk as they become; they refer to the chunk.
void MakeRows(const NewRow& columns, const RowLayout& layout, duckdb::DataChunk& chunk,
              const duckdb::SelectionVector& selected, duckdb::idx_t count, duckdb::DataChunk& rows);

/// The column of the chunks that an expression of a resolved plan is; Unsupported when it is more than one.
duckdb::idx_t ReferenceIn(const duckdb::Expression& expression);

}  // namespace tarn::engine
