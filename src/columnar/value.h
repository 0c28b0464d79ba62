#pragma once

#include <arrow/type_fwd.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "columnar/time_zone.h"

namespace tarn::columnar {

/// An exact decimal: unscaled * 10^-scale.
struct DecimalValue {
  __int128 unscaled = 0;
  int32_t scale = 0;
  bool operator==(const DecimalValue&) const = default;
};

/// One value without its column: a literal of a predicate, a partition value, a minimum or a maximum. Integers of every
/// width, dates (days) and timestamps (microseconds) are int64; float and double are double; strings and binary are
/// bytes.
using Value = std::variant<std::monostate, bool, int64_t, double, DecimalValue, std::string>;

inline bool IsNull(const Value& value) { return std::holds_alternative<std::monostate>(value); }

/// Orders two values of one column: nullopt when either is null or NaN or the kinds cannot be compared exactly. Strings
/// order by bytes, -0 equals +0, integers and decimals of any scale compare exactly.
std::optional<std::strong_ordering> Compare(const Value& left, const Value& right);

/// Reads a partition value as Delta serialises it (PROTOCOL.md, "Partition Value Serialization"): "" is null for every
/// type; a timestamp that does not name its zone is of `zone`. Corruption when the text does not fit the type.
Result<Value> ParsePartitionValue(std::string_view text, const arrow::DataType& type, const TimeZone& zone = {});

/// The inverse; nullopt is null. Timestamps are ISO 8601 with 'Z', timestamp_ntz without.
std::optional<std::string> FormatPartitionValue(const Value& value, const arrow::DataType& type);

}  // namespace tarn::columnar
