#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "columnar/value.h"

namespace tarn::columnar {

/// Exact decimals as text. Nothing here goes through a floating-point number.

/// Appends the plain form, with as many digits after the point as the scale says: "-12.30", "0.001", "1200" for 12e2.
void AppendDecimal(std::string& out, const DecimalValue& value);

/// Reads [+-]digits[.digits][e[+-]digits] into a value of exactly `scale`; nullopt when the text is none, needs a
/// larger scale or more than `precision` digits.
std::optional<DecimalValue> ParseDecimal(std::string_view text, int32_t precision, int32_t scale);

/// Orders any two decimals exactly, whatever their scales.
std::strong_ordering CompareDecimals(const DecimalValue& left, const DecimalValue& right);

}  // namespace tarn::columnar
