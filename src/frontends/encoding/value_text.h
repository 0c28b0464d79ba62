#pragma once

#include <cstdint>
#include <string_view>

#include "frontends/encoding/byte_buffer.h"

namespace tarn::frontends {

/// Values as text, the same in every text format. All append to `out`.

void AppendInt(int64_t value, ByteBuffer& out);
void AppendUint(uint64_t value, ByteBuffer& out);
/// The shortest text that reads back as the same number; "NaN", "Infinity" and "-Infinity" where it is none.
void AppendDouble(double value, ByteBuffer& out);
void AppendFloat(float value, ByteBuffer& out);
/// unscaled * 10^-scale, with exactly `scale` decimals.
void AppendDecimal(__int128 unscaled, int32_t scale, ByteBuffer& out);

/// "2026-03-01"; years outside 0..9999 with sign or more digits.
void AppendDate(int64_t days_since_1970, ByteBuffer& out);
/// "12:34:56", with 3, 6 or 9 decimals as the value needs; `units_per_second` is 1, 10^3, 10^6 or 10^9.
void AppendTimeOfDay(int64_t value, int64_t units_per_second, ByteBuffer& out);
/// RFC 3339: "2026-03-01T12:34:56.789Z", without "Z" when not `utc`. The extremes of int64 are "infinity" and
/// "-infinity", as the engine has them.
void AppendTimestamp(int64_t value, int64_t units_per_second, bool utc, ByteBuffer& out);
/// ISO 8601 duration: "P1M2DT3.5S", "PT0S".
void AppendInterval(int64_t months, int64_t days, int64_t nanos, ByteBuffer& out);

void AppendBase64(std::string_view bytes, ByteBuffer& out);
/// With the quotes. Bytes that are not UTF-8 become U+FFFD, so that the result is always valid JSON.
void AppendJsonString(std::string_view text, ByteBuffer& out);
/// What stands between the quotes: of a part of a text that ends where a character does.
void AppendJsonEscaped(std::string_view text, ByteBuffer& out);

}  // namespace tarn::frontends
