#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "frontends/encoding/byte_buffer.h"

namespace tarn::frontends {

enum class CellStyle : uint8_t {
  /// A JSON value; null, NaN and the infinities are `null`.
  kJson,
  /// Text without quotes, for formats that quote themselves; null is nothing. Nested values are JSON.
  kText,
};

/// Formats the values of one column. Thread-compatible.
class CellFormatter {
 public:
  virtual ~CellFormatter() = default;
  static std::unique_ptr<CellFormatter> Make(const arrow::DataType& type, CellStyle style);

  /// The array that Append reads from, until the next Bind; it must live as long.
  virtual void Bind(const arrow::Array& array) = 0;
  virtual void Append(int64_t row, ByteBuffer& out) = 0;
};

/// `{"a":` and then `,"b":` for each field. Names that repeat, empty ones too, get _1, _2, … as in DuckDB's JSON files:
/// two keys of one name would hide each other in most parsers.
std::vector<std::string> JsonKeys(const arrow::FieldVector& fields);

}  // namespace tarn::frontends
