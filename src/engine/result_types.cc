#include "engine/result_types.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "duckdb/common/type_visitor.hpp"
#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/types/vector.hpp"

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

/// The time part of more days than this, about 292 years, is no 64-bit number of nanoseconds.
constexpr int64_t kMaxIntervalMicros = std::numeric_limits<int64_t>::max() / 1000;

bool HoldsTooLong(duckdb::Vector& vector, duckdb::idx_t count) {
  vector.Flatten(count);
  switch (vector.GetType().InternalType()) {
    case duckdb::PhysicalType::INTERVAL: {
      const auto* intervals = duckdb::FlatVector::GetData<duckdb::interval_t>(vector);
      const auto& validity = duckdb::FlatVector::Validity(vector);
      for (duckdb::idx_t row = 0; row < count; ++row) {
        const int64_t micros = intervals[row].micros;
        if (validity.RowIsValid(row) && (micros > kMaxIntervalMicros || micros < -kMaxIntervalMicros)) return true;
      }
      return false;
    }
    case duckdb::PhysicalType::STRUCT: {
      auto& children = duckdb::StructVector::GetEntries(vector);
      return std::any_of(children.begin(), children.end(), [&](auto& child) { return HoldsTooLong(*child, count); });
    }
    case duckdb::PhysicalType::LIST:
      return HoldsTooLong(duckdb::ListVector::GetEntry(vector), duckdb::ListVector::GetListSize(vector));
    case duckdb::PhysicalType::ARRAY:
      return HoldsTooLong(duckdb::ArrayVector::GetEntry(vector), count * duckdb::ArrayType::GetSize(vector.GetType()));
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

IntervalCheck::IntervalCheck(const duckdb::vector<duckdb::LogicalType>& types,
                             const duckdb::vector<std::string>& names) {
  for (size_t i = 0; i < types.size(); ++i) {
    if (duckdb::TypeVisitor::Contains(types[i], duckdb::LogicalTypeId::INTERVAL)) columns_.emplace_back(i, names[i]);
  }
}

Status IntervalCheck::operator()(duckdb::DataChunk& rows) const {
  for (const auto& [column, name] : columns_) {
    if (!HoldsTooLong(rows.data[column], rows.size())) continue;
    return Status::InvalidArgument("column \"" + name +
                                   "\" has an interval whose time part is longer than 292 years; cast it to VARCHAR");
  }
  return Status::Ok();
}

}  // namespace tarn::engine
