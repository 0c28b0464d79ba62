#include "engine/result_types.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <memory>

#include "duckdb/common/type_visitor.hpp"

namespace tarn::engine {
namespace {

constexpr int32_t kHugeintDigits = 38;

bool ArrowFalsifies(const duckdb::LogicalType& type) {
  switch (type.id()) {
    case duckdb::LogicalTypeId::UHUGEINT:
    case duckdb::LogicalTypeId::BIT:
    case duckdb::LogicalTypeId::BIGNUM:
    case duckdb::LogicalTypeId::TIME_TZ:
    case duckdb::LogicalTypeId::VARIANT:
      return true;
    default:
      return false;
  }
}

bool HoldsTooLarge(const std::shared_ptr<arrow::ArrayData>& data) {
  if (data->type->id() == arrow::Type::DECIMAL128) {
    const arrow::Decimal128Array values(data);
    for (int64_t row = 0; row < values.length(); ++row) {
      if (values.IsValid(row) && !arrow::Decimal128(values.GetValue(row)).FitsInPrecision(kHugeintDigits)) return true;
    }
  }
  for (const auto& child : data->child_data) {
    if (HoldsTooLarge(child)) return true;
  }
  return false;
}

}  // namespace

Status CheckResultTypes(const duckdb::vector<duckdb::LogicalType>& types, const duckdb::vector<std::string>& names) {
  for (size_t i = 0; i < types.size(); ++i) {
    std::string falsified;
    const bool found = duckdb::TypeVisitor::Contains(types[i], [&](const duckdb::LogicalType& type) {
      if (ArrowFalsifies(type)) falsified = type.ToString();
      return !falsified.empty();
    });
    if (!found) continue;
    return Status::Unsupported("column \"" + names[i] + "\" " + (types[i].IsNested() ? "holds " : "is of ") +
                               "the type " + falsified +
                               ", which no result can carry; cast it, to VARCHAR for instance");
  }
  return Status::Ok();
}

HugeintCheck::HugeintCheck(const duckdb::vector<duckdb::LogicalType>& types) {
  for (size_t i = 0; i < types.size(); ++i) {
    if (duckdb::TypeVisitor::Contains(types[i], duckdb::LogicalTypeId::HUGEINT))
      columns_.push_back(static_cast<int>(i));
  }
}

Status HugeintCheck::operator()(const arrow::RecordBatch& batch) const {
  for (const int column : columns_) {
    if (!HoldsTooLarge(batch.column_data(column))) continue;
    return Status::InvalidArgument("column \"" + batch.column_name(column) +
                                   "\" has an integer of more than 38 digits; cast it to DOUBLE or VARCHAR");
  }
  return Status::Ok();
}

}  // namespace tarn::engine
