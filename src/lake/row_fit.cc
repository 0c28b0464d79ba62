#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <map>

#include "columnar/arrow_status.h"
#include "columnar/delta_schema.h"
#include "columnar/time_text.h"
#include "columnar/value_array.h"
#include "lake/row_shape.h"

namespace tarn::lake {

namespace {

/// Why a column of acknowledged rows does not fit a table; empty when it does (or the table lacks it).
std::string Misfit(const arrow::Field& column, const arrow::Schema& table_schema) {
  const int index = FindColumn(table_schema, column.name());
  if (index < 0) return {};
  const arrow::Field& field = *table_schema.field(index);
  if (field.name() != column.name()) {
    return "column '" + column.name() + "' differs only in case from '" + field.name() + "'";
  }
  if (field.type()->Equals(*column.type())) return {};
  const std::string theirs = columnar::DeltaTypeName(*field.type());
  const std::string ours = columnar::DeltaTypeName(*column.type());
  if (theirs == ours) return {};
  return "column '" + column.name() + "' is " + theirs + " in the table, not " + ours;
}

/// Derived with every row, so that rows do not have it themselves.
bool IsDerived(const arrow::Field& field, const TableColumns& columns) {
  return field.name() == kTimeDateColumn && columns.derives_time_date();
}

/// Marks the rows that lack a value which the table must have.
void RejectNulls(const arrow::RecordBatch& rows, const arrow::Field& field, std::vector<bool>& rejected,
                 std::string& reason) {
  if (HasRequired(rows, field)) return;
  const auto column = rows.GetColumnByName(field.name());
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    if (column == nullptr || column->IsNull(row)) rejected[static_cast<size_t>(row)] = true;
  }
  if (reason.empty()) reason = "column '" + field.name() + "' must not be null in the table";
}

Result<std::shared_ptr<arrow::RecordBatch>> TakeWhere(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                      const std::vector<bool>& rejected, bool which) {
  arrow::Int64Builder indices;
  for (size_t row = 0; row < rejected.size(); ++row) {
    if (rejected[row] == which) TARN_RETURN_NOT_OK(columnar::FromArrow(indices.Append(static_cast<int64_t>(row))));
  }
  if (indices.length() == 0) return std::shared_ptr<arrow::RecordBatch>();
  if (indices.length() == rows->num_rows()) return rows;
  std::shared_ptr<arrow::Array> index_array;
  TARN_RETURN_NOT_OK(columnar::FromArrow(indices.Finish(&index_array)));
  TARN_ASSIGN_OR_RETURN(auto taken,
                        columnar::FromArrow(arrow::compute::Take(arrow::Datum(rows), arrow::Datum(index_array))));
  return taken.record_batch();
}

}  // namespace

bool FitsWhole(const arrow::Schema& batch, const arrow::Schema& table_schema) {
  for (const auto& column : batch.fields()) {
    if (!Misfit(*column, table_schema).empty()) return false;
  }
  return true;
}

bool HasRequired(const arrow::RecordBatch& rows, const arrow::Field& field) {
  if (field.nullable() || rows.num_rows() == 0) return true;
  const auto column = rows.GetColumnByName(field.name());
  return column != nullptr && column->null_count() == 0;
}

Result<FittedRows> FitRows(const std::shared_ptr<arrow::RecordBatch>& rows, const TableColumns& columns) {
  const arrow::Schema& table_schema = *columns.schema;
  FittedRows fitted;
  std::vector<bool> rejected(static_cast<size_t>(rows->num_rows()), false);
  for (const auto& field : table_schema.fields()) {
    if (!IsDerived(*field, columns)) RejectNulls(*rows, *field, rejected, fitted.reason);
  }
  std::vector<int> misfits;
  for (int i = 0; i < rows->num_columns(); ++i) {
    const std::string reason = Misfit(*rows->schema()->field(i), table_schema);
    if (reason.empty()) continue;
    misfits.push_back(i);
    const auto& column = rows->column(i);
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      if (column->IsNull(row)) continue;
      rejected[static_cast<size_t>(row)] = true;
      if (fitted.reason.empty()) fitted.reason = reason;
    }
  }
  TARN_ASSIGN_OR_RETURN(fitted.rejected, TakeWhere(rows, rejected, true));
  TARN_ASSIGN_OR_RETURN(fitted.kept, TakeWhere(rows, rejected, false));
  for (size_t i = misfits.size(); fitted.kept != nullptr && i-- > 0;) {
    TARN_ASSIGN_OR_RETURN(fitted.kept, columnar::FromArrow(fitted.kept->RemoveColumn(misfits[i])));
  }
  return fitted;
}

Result<std::shared_ptr<arrow::RecordBatch>> ConformRows(const arrow::RecordBatch& rows,
                                                        const std::shared_ptr<arrow::Schema>& schema) {
  arrow::ArrayVector arrays;
  for (const auto& field : schema->fields()) {
    auto array = rows.GetColumnByName(field->name());
    if (array == nullptr) {
      TARN_ASSIGN_OR_RETURN(array, columnar::FromArrow(arrow::MakeArrayOfNull(field->type(), rows.num_rows())));
    } else if (!array->type()->Equals(*field->type())) {
      // Only names inside nested types differ: the layout is the same.
      TARN_ASSIGN_OR_RETURN(array, columnar::FromArrow(array->View(field->type())));
    }
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(schema, rows.num_rows(), std::move(arrays));
}

Result<std::shared_ptr<arrow::RecordBatch>> TableRows(const arrow::RecordBatch& rows, const TableColumns& columns,
                                                      const std::shared_ptr<arrow::Schema>& schema) {
  TARN_ASSIGN_OR_RETURN(auto conformed, ConformRows(rows, schema));
  const int date = schema->GetFieldIndex(kTimeDateColumn);
  if (date < 0 || !columns.derives_time_date()) return conformed;
  const auto time = std::static_pointer_cast<arrow::TimestampArray>(conformed->GetColumnByName(kTimeColumn));
  arrow::Date32Builder days;
  for (int64_t row = 0; row < time->length(); ++row) {
    TARN_RETURN_ARROW_NOT_OK(time->IsNull(row)
                                 ? days.AppendNull()
                                 : days.Append(static_cast<int32_t>(columnar::DayOfMicros(time->Value(row)))));
  }
  TARN_ASSIGN_OR_RETURN_ARROW(auto column, days.Finish());
  return columnar::FromArrow(conformed->SetColumn(date, schema->field(date), std::move(column)));
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsThatKeep(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                         const TableColumns& columns,
                                                         const delta::RowConstraints& constraints,
                                                         std::vector<RejectedRows>& rejected) {
  if (constraints.empty()) return rows;
  TARN_ASSIGN_OR_RETURN(const auto whole, TableRows(*rows, columns, constraints.schema()));
  const std::vector<bool> none(static_cast<size_t>(rows->num_rows()), false);
  std::vector<bool> all = none;
  struct Violators {
    std::string reason;
    std::vector<bool> rows;
  };
  std::map<size_t, Violators> by_constraint;
  for (const auto& violation : constraints.Find(*whole, none.size())) {
    auto [violators, is_new] = by_constraint.try_emplace(violation.constraint);
    if (is_new) violators->second = {constraints.Reason(violation), none};
    violators->second.rows[static_cast<size_t>(violation.row)] = true;
    all[static_cast<size_t>(violation.row)] = true;
  }
  for (auto& [constraint, violators] : by_constraint) {
    TARN_ASSIGN_OR_RETURN(auto taken, TakeWhere(rows, violators.rows, true));
    rejected.push_back({std::move(taken), std::move(violators.reason)});
  }
  return TakeWhere(rows, all, false);
}

Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> WholeRows(const BufferSegment& segment,
                                                                   const TableColumns& cut_by) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> whole;
  for (const auto& batch : segment.batches) {
    std::shared_ptr<arrow::RecordBatch> rows = batch;
    for (size_t i = 0; i < cut_by.partition_columns.size(); ++i) {
      const std::string& name = cut_by.partition_columns[i];
      if (name == kTimeDateColumn && cut_by.derives_time_date()) continue;
      const auto& type = cut_by.schema->GetFieldByName(name)->type();
      TARN_ASSIGN_OR_RETURN(auto column, columnar::ConstantArray(segment.partition_values[i], type, rows->num_rows()));
      TARN_ASSIGN_OR_RETURN(
          rows, columnar::FromArrow(rows->AddColumn(rows->num_columns(), arrow::field(name, type), std::move(column))));
    }
    whole.push_back(std::move(rows));
  }
  return whole;
}

}  // namespace tarn::lake
