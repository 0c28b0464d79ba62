#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tarn::columnar {

/// Dates and timestamps as Delta writes them in partition values and statistics: the proleptic Gregorian calendar,
/// years of at least four digits, '+' before years beyond 9999 and '-' before those below 0 (as java.time prints them).

/// A timestamp's text form; the fraction always has six digits, because truncating one could make a maximum too low.
enum class TimestampStyle : uint8_t {
  /// 2024-02-29T12:34:56.000001Z
  kUtc,
  /// 2024-02-29T12:34:56.000001
  kZoneless,
  /// 2024-02-29 12:34:56.000001, the fraction only when there is one.
  kZonelessPartition,
};

/// Days since 1970-01-01 as YYYY-MM-DD.
void AppendDate(std::string& out, int64_t days);
/// Microseconds since 1970-01-01T00:00:00.
void AppendTimestamp(std::string& out, int64_t micros, TimestampStyle style);

/// A day of the calendar.
struct CivilDate {
  int64_t year = 0;
  int month = 0;
  int day = 0;
};
CivilDate CivilOfDay(int64_t days);
/// Days since 1970-01-01.
int64_t DayOfCivil(const CivilDate& civil);
/// The year of a timestamp or, with 86'400'000'000 micros a day, of a date.
int64_t YearOfDay(int64_t days);
/// Whether the day is of the years 1 to 9999, which are all that other readers of Delta tables can parse.
bool HasPlainYear(int64_t days);
/// Floor division: the day that contains the instant.
int64_t DayOfMicros(int64_t micros);

/// Reads [+-]YYYY-M-D; nullopt for anything else, impossible days included, and for days beyond 32 bits.
std::optional<int64_t> ParseDate(std::string_view text);

struct ParsedTimestamp {
  /// In UTC where the text names a zone, otherwise as it stands.
  int64_t micros = 0;
  bool has_zone = false;
};
/// Reads a date, then optionally 'T' or ' ', H:M:S, a fraction of one to nine digits (those beyond micros are cut off
/// towards the past) and a zone: Z, +HH, +HHMM or +HH:MM. nullopt for anything else and for instants beyond 64 bits.
std::optional<ParsedTimestamp> ParseTimestamp(std::string_view text);

}  // namespace tarn::columnar
