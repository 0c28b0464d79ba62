#include "delta/log/interval.h"

#include <charconv>
#include <string>
#include <vector>

namespace tarn::delta {
namespace {

struct Unit {
  std::string_view name;
  int64_t micros;
};

constexpr int64_t kMicrosPerMilli = 1'000;
constexpr int64_t kSecond = 1'000'000;
constexpr Unit kUnits[] = {
    {"microsecond", 1},       {"millisecond", kMicrosPerMilli}, {"second", kSecond},           {"minute", 60 * kSecond},
    {"hour", 3600 * kSecond}, {"day", 86'400 * kSecond},        {"week", 7 * 86'400 * kSecond}};

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != ' ' && c != '\t') {
      words.back().push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

/// Microseconds of one unit, singular or plural; 0 when there is none of this name.
int64_t MicrosOf(std::string_view name) {
  if (name.ends_with('s')) name.remove_suffix(1);
  for (const Unit& unit : kUnits) {
    if (name == unit.name) return unit.micros;
  }
  return 0;
}

}  // namespace

Result<int64_t> ParseIntervalMillis(std::string_view text) {
  const Status malformed = Status::InvalidArgument("'" + std::string(text) + "' is not " + std::string(kIntervalForm));
  const std::vector<std::string> words = Words(text);
  size_t i = !words.empty() && words[0] == "interval" ? 1 : 0;
  if (i == words.size() || (words.size() - i) % 2 != 0) return malformed;
  int64_t total = 0;
  for (; i < words.size(); i += 2) {
    int64_t count = 0;
    const std::string& number = words[i];
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    int64_t micros = 0;
    if (error != std::errc() || end != number.data() + number.size() || count < 0 || MicrosOf(words[i + 1]) == 0 ||
        __builtin_mul_overflow(count, MicrosOf(words[i + 1]), &micros) ||
        __builtin_add_overflow(total, micros, &total)) {
      return malformed;
    }
  }
  return total / kMicrosPerMilli;
}

}  // namespace tarn::delta
