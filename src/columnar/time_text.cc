#include "columnar/time_text.h"

#include <array>
#include <limits>

#include "base/clock.h"

namespace tarn::columnar {
namespace {

constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kMicrosPerDay = kSecondsPerDay * kMicrosPerSecond;
constexpr int64_t kDaysPerEra = 146'097;
/// From 0000-03-01, where eras begin, to 1970-01-01.
constexpr int64_t kEraOffsetDays = 719'468;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - static_cast<int64_t>(a % b < 0); }

int DaysInMonth(int64_t year, int month) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

void AppendPadded(std::string& out, int64_t value, size_t width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out.append(digits);
}

/// Eats a text from its front.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool empty() const { return rest_.empty(); }
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool Eat(char c) {
    if (Peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// A number of `least` to `most` digits.
  std::optional<int64_t> Digits(size_t least, size_t most) {
    int64_t value = 0;
    size_t count = 0;
    while (count < most && Peek() >= '0' && Peek() <= '9') {
      value = value * 10 + (Peek() - '0');
      rest_.remove_prefix(1);
      ++count;
    }
    if (count < least) return std::nullopt;
    return value;
  }
  size_t size() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

std::optional<int64_t> ScanDate(Scanner& in) {
  bool negative = false;
  if (in.Eat('-')) {
    negative = true;
  } else {
    in.Eat('+');
  }
  const std::optional<int64_t> year = in.Digits(4, 7);
  if (!year || !in.Eat('-')) return std::nullopt;
  const std::optional<int64_t> month = in.Digits(1, 2);
  if (!month || *month < 1 || *month > 12 || !in.Eat('-')) return std::nullopt;
  const std::optional<int64_t> day = in.Digits(1, 2);
  const int64_t signed_year = negative ? -*year : *year;
  if (!day || *day < 1 || *day > DaysInMonth(signed_year, static_cast<int>(*month))) return std::nullopt;
  const int64_t days = DayOfCivil({signed_year, static_cast<int>(*month), static_cast<int>(*day)});
  if (days < std::numeric_limits<int32_t>::min() || days > std::numeric_limits<int32_t>::max()) return std::nullopt;
  return days;
}

/// Microseconds since midnight.
std::optional<int64_t> ScanTimeOfDay(Scanner& in) {
  const std::optional<int64_t> hour = in.Digits(1, 2);
  if (!hour || *hour > 23 || !in.Eat(':')) return std::nullopt;
  const std::optional<int64_t> minute = in.Digits(1, 2);
  if (!minute || *minute > 59 || !in.Eat(':')) return std::nullopt;
  const std::optional<int64_t> second = in.Digits(1, 2);
  if (!second || *second > 59) return std::nullopt;
  int64_t micros = ((*hour * 60 + *minute) * 60 + *second) * kMicrosPerSecond;
  if (in.Eat('.')) {
    const size_t before = in.size();
    std::optional<int64_t> fraction = in.Digits(1, 9);
    if (!fraction) return std::nullopt;
    for (size_t digits = before - in.size(); digits < 9; ++digits) *fraction *= 10;
    micros += *fraction / 1000;
  }
  return micros;
}

/// Minutes east of UTC.
std::optional<int64_t> ScanZone(Scanner& in) {
  if (in.Eat('Z') || in.Eat('z')) return 0;
  const bool west = in.Peek() == '-';
  if (!in.Eat('-') && !in.Eat('+')) return std::nullopt;
  const std::optional<int64_t> hours = in.Digits(2, 2);
  if (!hours || *hours > 18) return std::nullopt;
  int64_t minutes = 0;
  if (in.Eat(':') || !in.empty()) {
    const std::optional<int64_t> digits = in.Digits(2, 2);
    if (!digits || *digits > 59) return std::nullopt;
    minutes = *digits;
  }
  const int64_t total = *hours * 60 + minutes;
  return west ? -total : total;
}

}  // namespace

// Both directions count years from March, so that the leap day is the last of its year.
int64_t DayOfCivil(const CivilDate& civil) {
  const int64_t year = civil.year - static_cast<int64_t>(civil.month <= 2);
  const int64_t era = FloorDiv(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (civil.month > 2 ? civil.month - 3 : civil.month + 9) + 2) / 5 + civil.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * kDaysPerEra + day_of_era - kEraOffsetDays;
}

CivilDate CivilOfDay(int64_t days) {
  const int64_t shifted = days + kEraOffsetDays;
  const int64_t era = FloorDiv(shifted, kDaysPerEra);
  const int64_t day_of_era = shifted - era * kDaysPerEra;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const auto month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + static_cast<int64_t>(month <= 2), month, day};
}

void AppendDate(std::string& out, int64_t days) {
  const CivilDate civil = CivilOfDay(days);
  if (civil.year < 0) out.push_back('-');
  if (civil.year > 9999) out.push_back('+');
  AppendPadded(out, civil.year < 0 ? -civil.year : civil.year, 4);
  out.push_back('-');
  AppendPadded(out, civil.month, 2);
  out.push_back('-');
  AppendPadded(out, civil.day, 2);
}

void AppendTimestamp(std::string& out, int64_t micros, TimestampStyle style) {
  const int64_t day = DayOfMicros(micros);
  // Unsigned, because the product wraps for the very first days that 64 bits can hold.
  const auto of_day =
      static_cast<int64_t>(static_cast<uint64_t>(micros) - static_cast<uint64_t>(day) * uint64_t{kMicrosPerDay});
  AppendDate(out, day);
  out.push_back(style == TimestampStyle::kZonelessPartition ? ' ' : 'T');
  const int64_t seconds = of_day / kMicrosPerSecond;
  AppendPadded(out, seconds / 3600, 2);
  out.push_back(':');
  AppendPadded(out, seconds / 60 % 60, 2);
  out.push_back(':');
  AppendPadded(out, seconds % 60, 2);
  const int64_t fraction = of_day % kMicrosPerSecond;
  if (fraction != 0 || style != TimestampStyle::kZonelessPartition) {
    out.push_back('.');
    AppendPadded(out, fraction, 6);
  }
  if (style == TimestampStyle::kUtc) out.push_back('Z');
}

int64_t YearOfDay(int64_t days) { return CivilOfDay(days).year; }

bool HasPlainYear(int64_t days) {
  const int64_t year = YearOfDay(days);
  return year >= 1 && year <= 9999;
}

int64_t DayOfMicros(int64_t micros) { return FloorDiv(micros, kMicrosPerDay); }

std::optional<int64_t> ParseDate(std::string_view text) {
  Scanner in(text);
  const std::optional<int64_t> days = ScanDate(in);
  if (!in.empty()) return std::nullopt;
  return days;
}

std::optional<ParsedTimestamp> ParseTimestamp(std::string_view text) {
  Scanner in(text);
  const std::optional<int64_t> days = ScanDate(in);
  if (!days) return std::nullopt;
  ParsedTimestamp parsed;
  __int128 micros = static_cast<__int128>(*days) * kMicrosPerDay;
  if (in.Eat('T') || in.Eat(' ')) {
    const std::optional<int64_t> of_day = ScanTimeOfDay(in);
    if (!of_day) return std::nullopt;
    micros += *of_day;
    if (!in.empty()) {
      const std::optional<int64_t> east_minutes = ScanZone(in);
      if (!east_minutes) return std::nullopt;
      micros -= static_cast<__int128>(*east_minutes) * 60 * kMicrosPerSecond;
      parsed.has_zone = true;
    }
  }
  if (!in.empty() || micros < std::numeric_limits<int64_t>::min() || micros > std::numeric_limits<int64_t>::max()) {
    return std::nullopt;
  }
  parsed.micros = static_cast<int64_t>(micros);
  return parsed;
}

}  // namespace tarn::columnar
