#pragma once

#include <cstdint>
#include <string_view>

#include "ingest/line_protocol.h"

namespace tarn::ingest {

/// The types a field value can have; the letter after a number decides, no letter means float.
enum class ValueKind : uint8_t { kFloat, kInteger, kUnsigned, kString, kBoolean };

/// A numeric field value; `kind` says which member counts.
struct Number {
  ValueKind kind = ValueKind::kFloat;
  union {
    double real = 0;
    int64_t integer;
    uint64_t natural;
  };
};

/// Reads one number at `at`: `-12i`, `12u`, `1`, `-1.5e3`, `.5`, `1.`. Floats round exactly (nearest, ties to even);
/// what is too small becomes zero. Returns the first byte after it, or null with `reason` set. Never reads at `end`.
const char* ParseNumber(const char* at, const char* end, Number& out, const char*& reason);

/// Nanoseconds since 1970 for a timestamp in `precision`; false when they do not fit 64 bits.
bool ToNanos(int64_t timestamp, Precision precision, int64_t& nanos);

/// `nanos` rounded down to the precision; kAuto changes nothing.
int64_t TruncateNanos(int64_t nanos, Precision precision);

}  // namespace tarn::ingest
