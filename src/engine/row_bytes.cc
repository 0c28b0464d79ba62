#include "engine/row_bytes.h"

#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/types/vector.hpp"

namespace tarn::engine {
namespace {

/// A number, or an offset and a bit of validity.
constexpr int64_t kFixedBytes = 8;

using Format = duckdb::RecursiveUnifiedVectorFormat;

bool IsFixed(const Format& format) {
  const duckdb::PhysicalType type = format.logical_type.InternalType();
  return type != duckdb::PhysicalType::VARCHAR && !format.logical_type.IsNested();
}

int64_t ValueBytes(const Format& format, duckdb::idx_t row);

int64_t ElementBytes(const Format& elements, duckdb::idx_t begin, duckdb::idx_t count) {
  if (IsFixed(elements)) return static_cast<int64_t>(count) * kFixedBytes;
  int64_t bytes = 0;
  for (duckdb::idx_t i = 0; i < count; ++i) bytes += ValueBytes(elements, begin + i);
  return bytes;
}

int64_t ValueBytes(const Format& format, duckdb::idx_t row) {
  const duckdb::idx_t index = format.unified.sel->get_index(row);
  const bool is_null = !format.unified.validity.RowIsValid(index);
  switch (format.logical_type.InternalType()) {
    case duckdb::PhysicalType::VARCHAR: {
      if (is_null) return kFixedBytes;
      const auto* texts = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(format.unified);
      return kFixedBytes + texts[index].GetSize();
    }
    case duckdb::PhysicalType::LIST: {
      if (is_null) return kFixedBytes;
      const auto& list = duckdb::UnifiedVectorFormat::GetData<duckdb::list_entry_t>(format.unified)[index];
      return kFixedBytes + ElementBytes(format.children[0], list.offset, list.length);
    }
    case duckdb::PhysicalType::ARRAY: {
      const duckdb::idx_t size = duckdb::ArrayType::GetSize(format.logical_type);
      return kFixedBytes + ElementBytes(format.children[0], index * size, size);
    }
    case duckdb::PhysicalType::STRUCT: {
      int64_t bytes = kFixedBytes;
      if (is_null) return bytes;
      for (const Format& child : format.children) bytes += ValueBytes(child, index);
      return bytes;
    }
    default:
      return kFixedBytes;
  }
}

}  // namespace

std::vector<int64_t> RowBytes(duckdb::DataChunk& chunk) {
  std::vector<int64_t> bytes(chunk.size(), static_cast<int64_t>(chunk.ColumnCount()) * kFixedBytes);
  for (duckdb::Vector& column : chunk.data) {
    const duckdb::LogicalType& type = column.GetType();
    if (type.InternalType() != duckdb::PhysicalType::VARCHAR && !type.IsNested()) continue;
    // In a struct whose rows are picked from others, fields would be counted by the rows of those.
    if (type.InternalType() != duckdb::PhysicalType::VARCHAR) column.Flatten(chunk.size());
    Format format;
    duckdb::Vector::RecursiveToUnifiedFormat(column, chunk.size(), format);
    for (duckdb::idx_t row = 0; row < chunk.size(); ++row) bytes[row] += ValueBytes(format, row);
  }
  return bytes;
}

}  // namespace tarn::engine
