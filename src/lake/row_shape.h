#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/constraints.h"
#include "lake/table_view.h"

namespace tarn::lake {

// How a batch of a producer becomes rows of a table: names and types are matched here, once, before the rows are
// acknowledged; and what a changed table can still hold is decided here when its rows are flushed.

/// The columns whose meaning is fixed for ingested tables (DESIGN.md, "Time").
inline constexpr char kTimeColumn[] = "time";
inline constexpr char kTimeNsColumn[] = "time_ns";
inline constexpr char kTimeDateColumn[] = "time_date";

/// A table's columns as far as rows have to fit them.
struct TableColumns {
  std::shared_ptr<arrow::Schema> schema;
  /// Names, in partitioning order.
  std::vector<std::string> partition_columns;
  /// `time_date` is a partition column and comes from `time`.
  bool derives_time_date() const;
};

/// Where each column of a batch goes.
struct ColumnPlan {
  struct Column {
    int input = 0;
    std::shared_ptr<arrow::Field> target;
  };
  std::vector<Column> columns;
  /// Fields that the table does not have yet, all nullable, in order of appearance.
  std::vector<std::shared_ptr<arrow::Field>> added;
};

/// The columns of a table that begins with such a batch: partitioned by the date of `time` when it has one.
Result<TableColumns> ColumnsOfNewTable(const arrow::Schema& batch);

/// Matches a batch with a table. Touches no row. InvalidArgument for names that clash, reserved ones, types that Delta
/// cannot hold, and missing columns that must not be null; Unsupported for types that need a table feature;
/// Conflict when a type does not fit the table's.
Result<ColumnPlan> PlanColumns(const arrow::Schema& batch, const TableColumns& table);

/// Carries the plan out: the batch with its columns in the table's types and the plan's order. InvalidArgument when a
/// value cannot be converted without loss.
Result<std::shared_ptr<arrow::RecordBatch>> ApplyPlan(const arrow::RecordBatch& batch, const ColumnPlan& plan);

/// Cuts rows into segments of one partition each, in order of first appearance; rows keep their order. Partition
/// columns are left out of the segments' batches.
Result<std::vector<BufferSegment>> CutByPartition(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  const TableColumns& table);

/// Puts the partition columns of a segment back into its batches, as CutByPartition found them; `time_date` is left out
/// where it is derived.
Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> WholeRows(const BufferSegment& segment,
                                                                   const TableColumns& cut_by);

/// Rows divided by whether a table can hold them.
struct FittedRows {
  /// Null when no row fits. Columns that do not fit are gone: they hold no value in these rows.
  std::shared_ptr<arrow::RecordBatch> kept;
  /// Null when all rows fit.
  std::shared_ptr<arrow::RecordBatch> rejected;
  /// Why, naming the first column in the way.
  std::string reason;
};

/// Rows that are set aside together.
struct RejectedRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::string reason;
};

/// Rows were acknowledged with types that another writer may since have decided otherwise.
Result<FittedRows> FitRows(const std::shared_ptr<arrow::RecordBatch>& rows, const TableColumns& columns);

/// True when FitRows would keep all columns of such a batch, or merely add them to the table.
bool FitsWhole(const arrow::Schema& batch, const arrow::Schema& table_schema);

/// True unless some of the rows lack a value of a column that must not be null.
bool HasRequired(const arrow::RecordBatch& rows, const arrow::Field& field);

/// `rows` with exactly the columns of `schema`: absent ones are null, others are left out.
Result<std::shared_ptr<arrow::RecordBatch>> ConformRows(const arrow::RecordBatch& rows,
                                                        const std::shared_ptr<arrow::Schema>& schema);

/// Rows as a table with such columns and that schema has them: ConformRows, and `time_date` where it is derived.
Result<std::shared_ptr<arrow::RecordBatch>> TableRows(const arrow::RecordBatch& rows, const TableColumns& columns,
                                                      const std::shared_ptr<arrow::Schema>& schema);

/// The rows that keep the constraints; null when none does. The others go to `rejected`, one element a constraint.
Result<std::shared_ptr<arrow::RecordBatch>> RowsThatKeep(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                         const TableColumns& columns,
                                                         const delta::RowConstraints& constraints,
                                                         std::vector<RejectedRows>& rejected);

/// Index of the column with that name without regard to case, or -1.
int FindColumn(const arrow::Schema& schema, std::string_view name);

/// Bytes that the rows occupy in memory, slices counted by their share.
int64_t RowBytes(const arrow::RecordBatch& rows);

}  // namespace tarn::lake
