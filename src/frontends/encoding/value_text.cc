#include "frontends/encoding/value_text.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace tarn::frontends {

namespace {

constexpr size_t kNumberBytes = 48;

char* TwoDigits(int64_t value, char* out) {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
  return out + 2;
}

struct CivilDate {
  int64_t year;
  int month;
  int day;
};

/// Howard Hinnant's days-to-civil: proleptic Gregorian calendar, any int64 day that a timestamp can reach.
CivilDate ToCivil(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<uint32_t>(days - era * 146097);
  const uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t shifted_month = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

char* WriteDate(int64_t days, char* out) {
  const CivilDate date = ToCivil(days);
  if (date.year >= 0 && date.year <= 9999) {
    out = TwoDigits(date.year / 100, out);
    out = TwoDigits(date.year % 100, out);
  } else {
    // ISO 8601's expanded form: a sign and at least four digits.
    *out++ = date.year < 0 ? '-' : '+';
    const int64_t magnitude = date.year < 0 ? -date.year : date.year;
    for (int64_t bound = 1000; bound > magnitude && bound > 1; bound /= 10) *out++ = '0';
    out = std::to_chars(out, out + 20, magnitude).ptr;
  }
  *out++ = '-';
  out = TwoDigits(date.month, out);
  *out++ = '-';
  return TwoDigits(date.day, out);
}

/// `fraction` of a second in units of 1/units_per_second, as few groups of three digits as it needs.
char* WriteFraction(int64_t fraction, int64_t units_per_second, char* out) {
  if (fraction == 0) return out;
  while (units_per_second > 1000 && fraction % 1000 == 0) {
    fraction /= 1000;
    units_per_second /= 1000;
  }
  *out++ = '.';
  for (int64_t unit = units_per_second / 10; unit > 0; unit /= 10) {
    *out++ = static_cast<char>('0' + fraction / unit % 10);
  }
  return out;
}

char* WriteTimeOfDay(int64_t value, int64_t units_per_second, char* out) {
  const int64_t seconds = value / units_per_second;
  out = TwoDigits(seconds / 3600, out);
  *out++ = ':';
  out = TwoDigits(seconds / 60 % 60, out);
  *out++ = ':';
  out = TwoDigits(seconds % 60, out);
  return WriteFraction(value % units_per_second, units_per_second, out);
}

template <typename Real>
void AppendReal(Real value, ByteBuffer& out) {
  if (!std::isfinite(value)) {
    out.Append(std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    return;
  }
  char* begin = out.Reserve(kNumberBytes);
  out.Commit(std::to_chars(begin, begin + kNumberBytes, value).ptr);
}

/// Length of the UTF-8 sequence at `text` (RFC 3629: no surrogates, no overlong forms), 0 when it is not one.
size_t Utf8SequenceLength(const char* text, size_t available) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i) { return i < available && (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

/// True when one of eight bytes is a control character, a quote, a backslash or not ASCII.
bool NeedsCare(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t backslash = word ^ (kOnes * '\\');
  const uint64_t below_space = (word - kOnes * 0x20) & ~word;
  return ((below_space | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | word) & kHigh) != 0;
}

void AppendEscape(uint8_t c, ByteBuffer& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      return out.Append("\\\"");
    case '\\':
      return out.Append("\\\\");
    case '\n':
      return out.Append("\\n");
    case '\r':
      return out.Append("\\r");
    case '\t':
      return out.Append("\\t");
    default: {
      const char escape[] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      return out.Append({escape, sizeof(escape)});
    }
  }
}

}  // namespace

void AppendInt(int64_t value, ByteBuffer& out) {
  char* begin = out.Reserve(kNumberBytes);
  out.Commit(std::to_chars(begin, begin + kNumberBytes, value).ptr);
}

void AppendUint(uint64_t value, ByteBuffer& out) {
  char* begin = out.Reserve(kNumberBytes);
  out.Commit(std::to_chars(begin, begin + kNumberBytes, value).ptr);
}

void AppendDouble(double value, ByteBuffer& out) { AppendReal(value, out); }
void AppendFloat(float value, ByteBuffer& out) { AppendReal(value, out); }

void AppendDecimal(__int128 unscaled, int32_t scale, ByteBuffer& out) {
  // Digits from the last to the first; 39 digits and a scale of at most 38 (more is padded with zeros).
  char digits[96];
  char* begin = digits + sizeof(digits);
  const bool negative = unscaled < 0;
  auto magnitude = static_cast<unsigned __int128>(unscaled);
  if (negative) magnitude = 0 - magnitude;
  int32_t written = 0;
  const int32_t shown_scale = scale > 0 && scale <= 38 ? scale : 0;
  while (magnitude > 0 || written <= shown_scale) {
    if (written == shown_scale && shown_scale > 0) *--begin = '.';
    *--begin = static_cast<char>('0' + static_cast<int>(magnitude % 10));
    magnitude /= 10;
    ++written;
  }
  if (negative) *--begin = '-';
  out.Append({begin, static_cast<size_t>(digits + sizeof(digits) - begin)});
  if (scale != shown_scale) {
    out.Push('e');
    AppendInt(-static_cast<int64_t>(scale), out);
  }
}

void AppendDate(int64_t days_since_1970, ByteBuffer& out) {
  if (days_since_1970 == std::numeric_limits<int32_t>::max()) return out.Append("infinity");
  if (days_since_1970 == -std::numeric_limits<int32_t>::max()) return out.Append("-infinity");
  char* begin = out.Reserve(kNumberBytes);
  out.Commit(WriteDate(days_since_1970, begin));
}

void AppendTimeOfDay(int64_t value, int64_t units_per_second, ByteBuffer& out) {
  // 24:00:00 exists in the engine; anything outside a day is shown as the number it is.
  if (value < 0 || value / units_per_second > 86400) return AppendInt(value, out);
  char* begin = out.Reserve(kNumberBytes);
  out.Commit(WriteTimeOfDay(value, units_per_second, begin));
}

void AppendTimestamp(int64_t value, int64_t units_per_second, bool utc, ByteBuffer& out) {
  if (value == std::numeric_limits<int64_t>::max()) return out.Append("infinity");
  if (value <= -std::numeric_limits<int64_t>::max()) return out.Append("-infinity");
  const int64_t units_per_day = 86400 * units_per_second;
  int64_t days = value / units_per_day;
  int64_t rest = value % units_per_day;
  if (rest < 0) {
    rest += units_per_day;
    --days;
  }
  char* text = out.Reserve(kNumberBytes);
  text = WriteDate(days, text);
  *text++ = 'T';
  text = WriteTimeOfDay(rest, units_per_second, text);
  if (utc) *text++ = 'Z';
  out.Commit(text);
}

void AppendInterval(int64_t months, int64_t days, int64_t nanos, ByteBuffer& out) {
  out.Push('P');
  const auto part = [&](int64_t value, char unit) {
    if (value == 0) return;
    AppendInt(value, out);
    out.Push(unit);
  };
  part(months / 12, 'Y');
  part(months % 12, 'M');
  part(days, 'D');
  if (nanos == 0) {
    if (months == 0 && days == 0) out.Append("T0S");
    return;
  }
  out.Push('T');
  constexpr int64_t kNanos = 1'000'000'000;
  part(nanos / (3600 * kNanos), 'H');
  part(nanos / (60 * kNanos) % 60, 'M');
  const int64_t seconds = nanos % (60 * kNanos);
  if (seconds == 0) return;
  if (seconds < 0) out.Push('-');
  const int64_t magnitude = seconds < 0 ? -seconds : seconds;
  AppendInt(magnitude / kNanos, out);
  char* text = out.Reserve(16);
  out.Commit(WriteFraction(magnitude % kNanos, kNanos, text));
  out.Push('S');
}

void AppendBase64(std::string_view bytes, ByteBuffer& out) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char* text = out.Reserve((bytes.size() + 2) / 3 * 4);
  const auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t triple = in[i] << 16 | in[i + 1] << 8 | in[i + 2];
    *text++ = kAlphabet[triple >> 18];
    *text++ = kAlphabet[triple >> 12 & 63];
    *text++ = kAlphabet[triple >> 6 & 63];
    *text++ = kAlphabet[triple & 63];
  }
  if (const size_t rest = bytes.size() - i; rest > 0) {
    const uint32_t triple = in[i] << 16 | (rest == 2 ? in[i + 1] << 8 : 0);
    *text++ = kAlphabet[triple >> 18];
    *text++ = kAlphabet[triple >> 12 & 63];
    *text++ = rest == 2 ? kAlphabet[triple >> 6 & 63] : '=';
    *text++ = '=';
  }
  out.Commit(text);
}

void AppendJsonEscaped(std::string_view text, ByteBuffer& out) {
  const char* data = text.data();
  const size_t size = text.size();
  size_t i = 0;
  while (i < size) {
    const size_t run_begin = i;
    while (i + 8 <= size) {
      uint64_t word;
      std::memcpy(&word, data + i, 8);
      if (NeedsCare(word)) break;
      i += 8;
    }
    size_t invalid = 0;
    while (i < size) {
      const auto c = static_cast<uint8_t>(data[i]);
      if (c < 0x20 || c == '"' || c == '\\') break;
      const size_t length = Utf8SequenceLength(data + i, size - i);
      if (length == 0) {
        invalid = 1;
        break;
      }
      i += length;
      if (length == 1 && i % 8 == 0 && i + 8 <= size) break;
    }
    out.Append({data + run_begin, i - run_begin});
    if (i == size) break;
    const auto c = static_cast<uint8_t>(data[i]);
    if (invalid != 0) {
      out.Append("\xEF\xBF\xBD");
      ++i;
    } else if (c < 0x20 || c == '"' || c == '\\') {
      AppendEscape(c, out);
      ++i;
    }
  }
}

void AppendJsonString(std::string_view text, ByteBuffer& out) {
  out.Push('"');
  AppendJsonEscaped(text, out);
  out.Push('"');
}

}  // namespace tarn::frontends
