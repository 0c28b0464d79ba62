#include "columnar/time_zone.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "columnar/time_text.h"

namespace tarn::columnar {
namespace {

constexpr char kDatabase[] = "/usr/share/zoneinfo/";
constexpr int64_t kSecondsPerDay = 86'400;
/// The largest file of the database has 4 KB.
constexpr size_t kMaxFileBytes = 1 << 20;
constexpr int64_t kMaxOffsetSeconds = 26 * 3600;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - static_cast<int64_t>(a % b < 0); }

/// The day of a year on which a rule changes the clocks (POSIX.1, TZ).
struct ChangeDay {
  enum class Kind : uint8_t { kWeekday, kJulian, kZeroBased };
  Kind kind = Kind::kWeekday;
  /// Month, week (5 is the last) and weekday (0 is Sunday), or the day of the year alone.
  std::array<int, 3> numbers = {};
  int seconds = 2 * 3600;

  /// In seconds since 1970-01-01 on the wall.
  int64_t InYear(int64_t year) const {
    const int64_t january = DayOfCivil({year, 1, 1});
    int64_t day = january + numbers[0];
    if (kind == Kind::kJulian) {
      // 1 to 365: February 29 is never counted.
      const bool is_leap = DayOfCivil({year + 1, 1, 1}) - january == 366;
      day = january + numbers[0] - (is_leap && numbers[0] > 59 ? 0 : 1);
    } else if (kind == Kind::kWeekday) {
      const int64_t first = DayOfCivil({year, numbers[0], 1});
      const int64_t end = numbers[0] == 12 ? DayOfCivil({year + 1, 1, 1}) : DayOfCivil({year, numbers[0] + 1, 1});
      const int64_t weekday = (first % 7 + 11) % 7;
      day = first + (numbers[2] - weekday + 7) % 7 + 7 * (numbers[1] - 1);
      while (day >= end) day -= 7;
    }
    return day * kSecondsPerDay + seconds;
  }
};

/// What holds after the last transition of a file.
struct YearlyRule {
  int64_t standard = 0;
  int64_t summer = 0;
  std::optional<std::pair<ChangeDay, ChangeDay>> changes;

  int64_t OffsetAt(int64_t utc) const {
    if (!changes.has_value()) return standard;
    const int64_t year = YearOfDay(FloorDiv(utc + standard, kSecondsPerDay));
    const int64_t begin = changes->first.InYear(year) - standard;
    const int64_t end = changes->second.InYear(year) - summer;
    const bool is_summer = begin < end ? utc >= begin && utc < end : utc >= begin || utc < end;
    return is_summer ? summer : standard;
  }
};

/// Reads "PST8PDT,M3.2.0,M11.1.0" and its like.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  std::optional<YearlyRule> Read() {
    YearlyRule rule;
    if (!Name() || !Offset(rule.standard)) return std::nullopt;
    if (rest_.empty()) return rule;
    rule.summer = rule.standard + 3600;
    if (!Name() || (!rest_.starts_with(',') && !Offset(rule.summer))) return std::nullopt;
    rule.changes.emplace();
    if (!Change(rule.changes->first) || !Change(rule.changes->second) || !rest_.empty()) return std::nullopt;
    return rule;
  }

 private:
  bool Eat(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool Number(int least, int most, int& value) {
    size_t digits = 0;
    value = 0;
    while (digits < 3 && digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
      value = value * 10 + (rest_[digits++] - '0');
    }
    rest_.remove_prefix(digits);
    return digits > 0 && value >= least && value <= most;
  }
  bool Name() {
    const bool quoted = Eat('<');
    const size_t end = quoted ? rest_.find('>') : rest_.find_first_of("+-,0123456789");
    const size_t length = std::min(end, rest_.size());
    if (length == 0 || (quoted && end == std::string_view::npos)) return false;
    rest_.remove_prefix(length + (quoted ? 1 : 0));
    return true;
  }
  bool Time(int64_t& seconds) {
    const bool negative = Eat('-');
    if (!negative) Eat('+');
    int hours = 0;
    int minutes = 0;
    int rest = 0;
    if (!Number(0, 167, hours)) return false;
    if (Eat(':') && (!Number(0, 59, minutes) || (Eat(':') && !Number(0, 59, rest)))) return false;
    seconds = (hours * 60 + minutes) * 60 + rest;
    if (negative) seconds = -seconds;
    return true;
  }
  /// POSIX counts west of Greenwich.
  bool Offset(int64_t& east) {
    if (!Time(east)) return false;
    east = -east;
    return east >= -kMaxOffsetSeconds && east <= kMaxOffsetSeconds;
  }
  bool Change(ChangeDay& change) {
    if (!Eat(',')) return false;
    if (Eat('M')) {
      if (!Number(1, 12, change.numbers[0]) || !Eat('.') || !Number(1, 5, change.numbers[1]) || !Eat('.') ||
          !Number(0, 6, change.numbers[2])) {
        return false;
      }
    } else {
      change.kind = Eat('J') ? ChangeDay::Kind::kJulian : ChangeDay::Kind::kZeroBased;
      if (!Number(change.kind == ChangeDay::Kind::kJulian ? 1 : 0, 365, change.numbers[0])) return false;
    }
    if (!Eat('/')) return true;
    int64_t seconds = 0;
    if (!Time(seconds)) return false;
    change.seconds = static_cast<int>(seconds);
    return true;
  }

  std::string_view rest_;
};

/// The parts of a file, front to back; once it was too short everything is empty.
class FileReader {
 public:
  explicit FileReader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  std::string_view Take(uint64_t count) {
    ok_ = ok_ && count <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view Rest() { return Take(rest_.size()); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// Big-endian, signed.
int64_t NumberOf(std::string_view bytes) {
  uint64_t value = !bytes.empty() && (bytes[0] & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<int64_t>(value);
}

struct Header {
  bool ok = false;
  char version = 0;
  uint64_t utc_marks = 0, standard_marks = 0, leaps = 0, transitions = 0, types = 0, name_bytes = 0;

  static Header Read(FileReader& file) {
    const std::string_view bytes = file.Take(44);
    Header header;
    if (!bytes.starts_with("TZif")) return header;
    header.ok = true;
    header.version = bytes[4];
    size_t at = 20;
    for (uint64_t* count : {&header.utc_marks, &header.standard_marks, &header.leaps, &header.transitions,
                            &header.types, &header.name_bytes}) {
      *count = static_cast<uint32_t>(NumberOf(bytes.substr(at, 4)));
      at += 4;
    }
    return header;
  }
  uint64_t BodyBytes(uint64_t time_bytes) const {
    return transitions * (time_bytes + 1) + types * 6 + name_bytes + leaps * (time_bytes + 4) + standard_marks +
           utc_marks;
  }
};

}  // namespace

struct TimeZone::Rules {
  std::string name;
  /// Instants in seconds, rising, and the seconds east of UTC from each on.
  std::vector<std::pair<int64_t, int64_t>> transitions;
  int64_t first_offset = 0;
  std::optional<YearlyRule> afterwards;

  int64_t OffsetAt(int64_t utc) const {
    const auto after = std::upper_bound(transitions.begin(), transitions.end(), utc,
                                        [](int64_t at, const auto& transition) { return at < transition.first; });
    if (after == transitions.end() && afterwards.has_value()) return afterwards->OffsetAt(utc);
    return after == transitions.begin() ? first_offset : std::prev(after)->second;
  }
};

Result<TimeZone> TimeZone::Parse(const std::string& name, std::string_view bytes) {
  const Status bad = Status::Corruption("the file of the time zone '" + name + "' is malformed");
  FileReader file(bytes);
  const Header old = Header::Read(file);
  if (!old.ok || old.version < '2') return bad;
  file.Take(old.BodyBytes(4));
  const Header header = Header::Read(file);
  const std::string_view times = file.Take(header.transitions * 8);
  const std::string_view kinds = file.Take(header.transitions);
  const std::string_view types = file.Take(header.types * 6);
  file.Take(header.BodyBytes(8) - header.transitions * 9 - header.types * 6);
  const std::string_view footer = file.Rest();
  if (!file.ok() || !header.ok || header.types == 0) return bad;
  const auto offset_of = [&](uint64_t type) { return NumberOf(types.substr(type * 6, 4)); };
  for (uint64_t type = 0; type < header.types; ++type) {
    if (std::abs(offset_of(type)) > kMaxOffsetSeconds) return bad;
  }
  auto rules = std::make_shared<Rules>();
  rules->name = name;
  rules->first_offset = offset_of(0);
  for (uint64_t i = 0; i < header.transitions; ++i) {
    const auto type = static_cast<unsigned char>(kinds[i]);
    const int64_t at = NumberOf(times.substr(i * 8, 8));
    const bool is_later = i == 0 || at > rules->transitions.back().first;
    if (type >= header.types || !is_later) return bad;
    rules->transitions.emplace_back(at, offset_of(type));
  }
  if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') return bad;
  if (footer.size() > 2) {
    rules->afterwards = RuleReader(footer.substr(1, footer.size() - 2)).Read();
    if (!rules->afterwards.has_value()) return bad;
  }
  return TimeZone(std::move(rules));
}

Result<TimeZone> TimeZone::Find(const std::string& name) {
  const Status unknown = Status::InvalidArgument("the time zone '" + name +
                                                 "' is not in this machine's zone database (" + kDatabase + ")");
  const auto is_odd = [](char c) {
    return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '/' && c != '_' && c != '-' &&
           c != '+';
  };
  if (name.empty() || name.front() == '/' || std::any_of(name.begin(), name.end(), is_odd)) return unknown;
  std::error_code error;
  const std::filesystem::path path = kDatabase + name;
  if (!std::filesystem::is_regular_file(path, error)) return unknown;
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(kMaxFileBytes, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(stream.gcount()));
  // There are lists beside the zones.
  if (!bytes.starts_with("TZif")) return unknown;
  return Parse(name, bytes);
}

const std::string& TimeZone::name() const {
  static const std::string kUtc = "UTC";
  return rules_ == nullptr ? kUtc : rules_->name;
}

std::optional<int64_t> TimeZone::UtcMicros(int64_t wall_micros) const {
  if (rules_ == nullptr) return wall_micros;
  const int64_t wall = FloorDiv(wall_micros, kMicrosPerSecond);
  // Clocks are never farther from UTC than this, so the one holds before and the other after any change at that time.
  const int64_t before = rules_->OffsetAt(wall - kMaxOffsetSeconds);
  const int64_t after = rules_->OffsetAt(wall + kMaxOffsetSeconds);
  const bool changed = rules_->OffsetAt(wall - before) != before && rules_->OffsetAt(wall - after) == after;
  int64_t utc_micros = 0;
  if (__builtin_sub_overflow(wall_micros, (changed ? after : before) * kMicrosPerSecond, &utc_micros)) {
    return std::nullopt;
  }
  return utc_micros;
}

}  // namespace tarn::columnar
