#include "engine/arrow_vectors.h"

#include <arrow/array.h>
#include <arrow/c/bridge.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include <cstring>

#include "columnar/arrow_status.h"
#include "duckdb/common/arrow/arrow_wrapper.hpp"
#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "duckdb/function/table/arrow.hpp"
#include "duckdb/function/table/arrow/arrow_duck_schema.hpp"
#include "duckdb/main/client_context.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_types.h"

namespace tarn::engine {
namespace {

using duckdb::FlatVector;
using duckdb::Vector;

void CopyValidity(const arrow::Array& array, int64_t from, int64_t count, Vector& target, int64_t offset) {
  if (array.null_count() == 0) return;
  auto& validity = FlatVector::Validity(target);
  for (int64_t i = 0; i < count; i++) {
    if (array.IsNull(from + i)) validity.SetInvalid(static_cast<duckdb::idx_t>(offset + i));
  }
}

template <typename T>
void CopyFixed(const arrow::Array& array, int64_t from, int64_t count, Vector& target, int64_t offset) {
  const T* source = array.data()->GetValues<T>(1);
  std::memcpy(FlatVector::GetData<T>(target) + offset, source + from, static_cast<size_t>(count) * sizeof(T));
}

template <typename To>
void CopyDecimal(const arrow::Array& array, int64_t from, int64_t count, Vector& target, int64_t offset) {
  // Narrow decimals live in narrow integers; Arrow's are always 128 bits, little endian.
  struct Wide {
    uint64_t low;
    int64_t high;
  };
  const Wide* source = array.data()->GetValues<Wide>(1);
  To* out = FlatVector::GetData<To>(target) + offset;
  for (int64_t i = 0; i < count; i++) {
    if constexpr (std::is_same_v<To, duckdb::hugeint_t>) {
      out[i] = duckdb::hugeint_t(source[from + i].high, source[from + i].low);
    } else {
      out[i] = static_cast<To>(source[from + i].low);
    }
  }
}

void CopyBooleans(const arrow::Array& array, int64_t from, int64_t count, Vector& target, int64_t offset) {
  const uint8_t* bits = array.data()->GetValues<uint8_t>(1, 0);
  int64_t first = array.offset() + from;
  bool* out = FlatVector::GetData<bool>(target) + offset;
  for (int64_t i = 0; i < count; i++) out[i] = arrow::bit_util::GetBit(bits, first + i);
}

template <typename Offset>
void CopyStrings(const arrow::Array& array, int64_t from, int64_t count, Vector& target, int64_t offset) {
  const Offset* offsets = array.data()->GetValues<Offset>(1) + from;
  const auto& bytes = array.data()->buffers[2];
  const char* data = bytes ? reinterpret_cast<const char*>(bytes->data()) : "";
  auto* out = FlatVector::GetData<duckdb::string_t>(target) + offset;
  for (int64_t i = 0; i < count; i++) {
    if (array.IsNull(from + i)) {
      out[i] = duckdb::string_t();
      continue;
    }
    out[i] = duckdb::string_t(data + offsets[i], static_cast<uint32_t>(offsets[i + 1] - offsets[i]));
  }
}

/// True when the array's rows could be copied as they are.
bool CopySameType(const arrow::Array& array, int64_t from, int64_t count, Vector& target, int64_t offset) {
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      CopyBooleans(array, from, count, target, offset);
      break;
    case arrow::Type::INT8:
    case arrow::Type::UINT8:
      CopyFixed<int8_t>(array, from, count, target, offset);
      break;
    case arrow::Type::INT16:
    case arrow::Type::UINT16:
      CopyFixed<int16_t>(array, from, count, target, offset);
      break;
    case arrow::Type::INT32:
    case arrow::Type::UINT32:
    case arrow::Type::DATE32:
      CopyFixed<int32_t>(array, from, count, target, offset);
      break;
    case arrow::Type::INT64:
    case arrow::Type::UINT64:
    case arrow::Type::TIMESTAMP:
      CopyFixed<int64_t>(array, from, count, target, offset);
      break;
    case arrow::Type::FLOAT:
      CopyFixed<float>(array, from, count, target, offset);
      break;
    case arrow::Type::DOUBLE:
      CopyFixed<double>(array, from, count, target, offset);
      break;
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      CopyStrings<int32_t>(array, from, count, target, offset);
      break;
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      CopyStrings<int64_t>(array, from, count, target, offset);
      break;
    case arrow::Type::DECIMAL128:
      switch (target.GetType().InternalType()) {
        case duckdb::PhysicalType::INT16:
          CopyDecimal<int16_t>(array, from, count, target, offset);
          break;
        case duckdb::PhysicalType::INT32:
          CopyDecimal<int32_t>(array, from, count, target, offset);
          break;
        case duckdb::PhysicalType::INT64:
          CopyDecimal<int64_t>(array, from, count, target, offset);
          break;
        default:
          CopyDecimal<duckdb::hugeint_t>(array, from, count, target, offset);
      }
      break;
    default:
      return false;
  }
  CopyValidity(array, from, count, target, offset);
  return true;
}

/// Nested and dictionary types: through DuckDB's own conversion of the C data interface.
void ConvertByDuckDb(duckdb::ClientContext& context, const arrow::Array& array, int64_t from, int64_t count,
                     Vector& out) {
  duckdb::ArrowSchemaWrapper schema;
  auto chunk = duckdb::make_uniq<duckdb::ArrowArrayWrapper>();
  auto slice = array.Slice(from, count);
  ThrowIfError(columnar::FromArrow(arrow::ExportArray(*slice, &chunk->arrow_array, &schema.arrow_schema)));
  auto type = duckdb::ArrowType::GetArrowLogicalType(context, schema.arrow_schema);
  duckdb::ArrowArrayScanState state(context);
  state.owned_data = duckdb::shared_ptr<duckdb::ArrowArrayWrapper>(std::move(chunk));
  auto& raw = state.owned_data->arrow_array;
  auto size = static_cast<duckdb::idx_t>(count);
  if (type->HasDictionary()) {
    duckdb::ArrowToDuckDBConversion::ColumnArrowToDuckDBDictionary(out, raw, 0, state, size, *type);
  } else {
    duckdb::ArrowToDuckDBConversion::SetValidityMask(out, raw, 0, size, 0, -1);
    duckdb::ArrowToDuckDBConversion::ColumnArrowToDuckDB(out, raw, 0, state, size, *type);
  }
}

}  // namespace

void AppendNullRows(Vector& target, int64_t offset, int64_t count) {
  for (int64_t i = 0; i < count; i++) FlatVector::SetNull(target, static_cast<duckdb::idx_t>(offset + i), true);
}

void AppendArrowRows(duckdb::ClientContext& context, const arrow::Array& array, int64_t from, int64_t count,
                     Vector& target, int64_t offset) {
  if (array.type_id() == arrow::Type::NA) {
    AppendNullRows(target, offset, count);
    return;
  }
  auto own_type = ValueOrThrow(SqlType(*array.type()));
  if (own_type == target.GetType() && CopySameType(array, from, count, target, offset)) return;
  auto rows = static_cast<duckdb::idx_t>(count);
  Vector converted(own_type, rows);
  if (!CopySameType(array, from, count, converted, 0)) ConvertByDuckDb(context, array, from, count, converted);
  if (own_type != target.GetType()) {
    Vector cast(target.GetType(), rows);
    duckdb::VectorOperations::Cast(context, converted, cast, rows);
    duckdb::VectorOperations::Copy(cast, target, rows, 0, static_cast<duckdb::idx_t>(offset));
  } else {
    duckdb::VectorOperations::Copy(converted, target, rows, 0, static_cast<duckdb::idx_t>(offset));
  }
}

}  // namespace tarn::engine
