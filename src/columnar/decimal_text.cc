#include "columnar/decimal_text.h"

#include <algorithm>
#include <charconv>

namespace tarn::columnar {
namespace {

unsigned __int128 Magnitude(__int128 value) {
  const auto bits = static_cast<unsigned __int128>(value);
  return value < 0 ? ~bits + 1 : bits;
}

std::string Digits(unsigned __int128 value) {
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

/// Orders two non-negative decimals by the place of their first digit, then digit by digit.
std::strong_ordering CompareMagnitudes(const DecimalValue& left, const DecimalValue& right) {
  if (left.unscaled == 0 || right.unscaled == 0) return (left.unscaled != 0) <=> (right.unscaled != 0);
  std::string a = Digits(Magnitude(left.unscaled));
  std::string b = Digits(Magnitude(right.unscaled));
  const int64_t place_a = static_cast<int64_t>(a.size()) - left.scale;
  const int64_t place_b = static_cast<int64_t>(b.size()) - right.scale;
  if (place_a != place_b) return place_a <=> place_b;
  const size_t width = std::max(a.size(), b.size());
  a.resize(width, '0');
  b.resize(width, '0');
  return a.compare(b) <=> 0;
}

/// Takes a sign off the front; true for '-'.
bool EatSign(std::string_view& text) {
  if (text.empty() || (text.front() != '-' && text.front() != '+')) return false;
  const bool negative = text.front() == '-';
  text.remove_prefix(1);
  return negative;
}

/// The digits of a plain number and how many stand behind its point; nullopt when there is anything else in it.
std::optional<int64_t> CollectDigits(std::string_view text, std::string& digits) {
  int64_t behind_point = 0;
  bool point = false;
  bool any = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      any = true;
      if (c != '0' || !digits.empty()) digits.push_back(c);
      behind_point += point ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (!any) return std::nullopt;
  return behind_point;
}

}  // namespace

void AppendDecimal(std::string& out, const DecimalValue& value) {
  std::string digits = Digits(Magnitude(value.unscaled));
  if (value.scale < 0 && value.unscaled != 0) digits.append(static_cast<size_t>(-int64_t{value.scale}), '0');
  if (value.unscaled < 0) out.push_back('-');
  if (value.scale <= 0) {
    out.append(digits);
    return;
  }
  const auto scale = static_cast<size_t>(value.scale);
  if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
  out.append(digits, 0, digits.size() - scale);
  out.push_back('.');
  out.append(digits, digits.size() - scale);
}

std::optional<DecimalValue> ParseDecimal(std::string_view text, int32_t precision, int32_t scale) {
  // Far beyond any decimal(38) with its exponent, and a bound on the work for foreign text.
  constexpr size_t kMaxText = 256;
  constexpr int64_t kMaxExponent = 10'000;
  if (text.size() > kMaxText) return std::nullopt;
  const bool negative = EatSign(text);
  int64_t exponent = 0;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view tail = text.substr(e + 1);
    const bool down = EatSign(tail);
    const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), exponent);
    if (tail.empty() || tail.front() == '-' || error != std::errc() || end != tail.data() + tail.size() ||
        exponent > kMaxExponent) {
      return std::nullopt;
    }
    if (down) exponent = -exponent;
    text = text.substr(0, e);
  }
  std::string digits;
  const std::optional<int64_t> behind_point = CollectDigits(text, digits);
  if (!behind_point) return std::nullopt;
  if (digits.empty()) return DecimalValue{0, scale};

  // The value is digits * 10^-(behind_point - exponent); bring that power to `scale`.
  int64_t missing = scale - (*behind_point - exponent);
  while (missing < 0 && !digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++missing;
  }
  if (missing < 0 || static_cast<int64_t>(digits.size()) + missing > std::min(precision, int32_t{38})) {
    return std::nullopt;
  }
  digits.append(static_cast<size_t>(missing), '0');
  __int128 unscaled = 0;
  for (const char c : digits) unscaled = unscaled * 10 + (c - '0');
  return DecimalValue{negative ? -unscaled : unscaled, scale};
}

std::strong_ordering CompareDecimals(const DecimalValue& left, const DecimalValue& right) {
  if (left.scale == right.scale) return left.unscaled <=> right.unscaled;
  const bool left_negative = left.unscaled < 0;
  const bool right_negative = right.unscaled < 0;
  if (left_negative != right_negative) {
    return left_negative ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return left_negative ? CompareMagnitudes(right, left) : CompareMagnitudes(left, right);
}

}  // namespace tarn::columnar
