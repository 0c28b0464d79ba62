#include "delta/operations/row_condition.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "columnar/arrow_status.h"
#include "columnar/sql_order.h"
#include "columnar/value_array.h"

namespace tarn::delta {
namespace {

using Op = Predicate::Op;
using columnar::Value;
/// nullopt is SQL's unknown.
using Tristate = std::optional<bool>;

/// Neither is null.
Result<std::strong_ordering> Order(const Value& left, const Value& right) {
  const auto order = columnar::CompareSql(left, right);
  if (!order.has_value()) return Status::InvalidArgument("a condition compares values of different kinds");
  return *order;
}

Result<Tristate> CompareValues(Op op, const Value& left, const Value& right) {
  if (columnar::IsNull(left) || columnar::IsNull(right)) return Tristate();
  TARN_ASSIGN_OR_RETURN(const std::strong_ordering order, Order(left, right));
  switch (op) {
    case Op::kEq:
      return Tristate(order == 0);
    case Op::kNe:
      return Tristate(order != 0);
    case Op::kLt:
      return Tristate(order < 0);
    case Op::kLe:
      return Tristate(order <= 0);
    case Op::kGt:
      return Tristate(order > 0);
    default:
      return Tristate(order >= 0);
  }
}

Result<Tristate> IsAmong(const Value& value, const std::vector<Value>& values) {
  Tristate among = false;
  for (const Value& candidate : values) {
    TARN_ASSIGN_OR_RETURN(const Tristate equal, CompareValues(Op::kEq, value, candidate));
    if (equal == true) return equal;
    if (!equal.has_value()) among.reset();
  }
  return among;
}

/// Refuses what has no truth value, and collects the columns.
Status Check(const Predicate& predicate, const arrow::Schema& schema, std::vector<int>& columns) {
  switch (predicate.op) {
    case Op::kUnknown:
      return Status::InvalidArgument("a condition that cannot be decided selects no rows");
    case Op::kNot:
      if (predicate.children.size() != 1) return Status::InvalidArgument("a negation has one operand");
      [[fallthrough]];
    case Op::kAnd:
    case Op::kOr:
      for (const Predicate& child : predicate.children) TARN_RETURN_NOT_OK(Check(child, schema, columns));
      return Status::Ok();
    default:
      break;
  }
  if (predicate.column < 0 || predicate.column >= schema.num_fields()) {
    return Status::InvalidArgument("a condition names column " + std::to_string(predicate.column) + " of " +
                                   std::to_string(schema.num_fields()));
  }
  const arrow::Field& field = *schema.field(predicate.column);
  const bool on_nulls = predicate.op == Op::kIsNull || predicate.op == Op::kIsNotNull;
  if (!on_nulls && field.type()->num_fields() > 0) {
    return Status::InvalidArgument("the column '" + field.name() + "' is nested and cannot be compared");
  }
  if (!on_nulls && predicate.op != Op::kIn && predicate.values.size() != 1) {
    return Status::InvalidArgument("a comparison has one literal");
  }
  if (std::find(columns.begin(), columns.end(), predicate.column) == columns.end()) columns.push_back(predicate.column);
  return Status::Ok();
}

class PredicateCondition final : public RowCondition {
 public:
  PredicateCondition(std::vector<int> columns, std::vector<Predicate> all_of)
      : columns_(std::move(columns)), all_of_(std::move(all_of)) {}

  const std::vector<int>& columns() const override { return columns_; }
  const std::vector<Predicate>& predicates() const override { return all_of_; }

  Result<std::shared_ptr<arrow::BooleanArray>> Select(const arrow::RecordBatch& rows) override {
    const Predicate whole = Predicate::And(all_of_);
    arrow::BooleanBuilder mask;
    TARN_RETURN_ARROW_NOT_OK(mask.Reserve(rows.num_rows()));
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      TARN_ASSIGN_OR_RETURN(const Tristate truth, Evaluate(whole, rows, row));
      if (truth.has_value()) {
        mask.UnsafeAppend(*truth);
      } else {
        mask.UnsafeAppendNull();
      }
    }
    std::shared_ptr<arrow::BooleanArray> finished;
    TARN_RETURN_ARROW_NOT_OK(mask.Finish(&finished));
    return finished;
  }

 private:
  const arrow::Array& ColumnOf(const Predicate& leaf, const arrow::RecordBatch& rows) const {
    const auto place = std::find(columns_.begin(), columns_.end(), leaf.column) - columns_.begin();
    return *rows.column(static_cast<int>(place));
  }

  Result<Tristate> Evaluate(const Predicate& predicate, const arrow::RecordBatch& rows, int64_t row) const {
    switch (predicate.op) {
      case Op::kNot: {
        TARN_ASSIGN_OR_RETURN(const Tristate truth, Evaluate(predicate.children[0], rows, row));
        return truth.has_value() ? Tristate(!*truth) : truth;
      }
      case Op::kAnd:
      case Op::kOr: {
        const bool decisive = predicate.op == Op::kOr;
        Tristate all = !decisive;
        for (const Predicate& child : predicate.children) {
          TARN_ASSIGN_OR_RETURN(const Tristate truth, Evaluate(child, rows, row));
          if (truth == decisive) return truth;
          if (!truth.has_value()) all.reset();
        }
        return all;
      }
      case Op::kIsNull:
        return Tristate(ColumnOf(predicate, rows).IsNull(row));
      case Op::kIsNotNull:
        return Tristate(ColumnOf(predicate, rows).IsValid(row));
      case Op::kIn:
        return IsAmong(columnar::ValueAt(ColumnOf(predicate, rows), row), predicate.values);
      default:
        return CompareValues(predicate.op, columnar::ValueAt(ColumnOf(predicate, rows), row), predicate.values[0]);
    }
  }

  const std::vector<int> columns_;
  const std::vector<Predicate> all_of_;
};

}  // namespace

Result<std::unique_ptr<RowCondition>> MakeCondition(const arrow::Schema& schema, std::vector<Predicate> all_of) {
  std::vector<int> columns;
  for (const Predicate& predicate : all_of) TARN_RETURN_NOT_OK(Check(predicate, schema, columns));
  return std::unique_ptr<RowCondition>(std::make_unique<PredicateCondition>(std::move(columns), std::move(all_of)));
}

}  // namespace tarn::delta
