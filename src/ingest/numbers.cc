#include "ingest/numbers.h"

#include <array>
#include <charconv>
#include <limits>

namespace tarn::ingest {
namespace {

// 10^19 - 1 is the largest decimal of all nines that 64 bits hold.
constexpr int kMaxExactDigits = 19;
constexpr int64_t kMaxExponent = 100'000;
// Every integer below 2^53 and every power of ten up to 10^22 is a double without error, so that one multiplication or
// division of the two rounds once, that is, correctly (W. Clinger, "How to read floating point numbers accurately").
constexpr uint64_t kMaxExactMantissa = uint64_t{1} << 53;
constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool IsDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Digits gathered so far: the first kMaxExactDigits after leading zeros in `mantissa`, the rest only counted.
struct Digits {
  uint64_t mantissa = 0;
  int significant = 0;
  int64_t dropped = 0;

  const char* Gather(const char* at, const char* end) {
    for (; at < end && IsDigit(*at); ++at) {
      if (significant < kMaxExactDigits) {
        mantissa = mantissa * 10 + static_cast<uint64_t>(*at - '0');
        significant += mantissa != 0;
      } else {
        ++dropped;
      }
    }
    return at;
  }
};

const char* FinishInteger(const char* digits_begin, const char* suffix, const Digits& digits, bool negative,
                          Number& out, const char*& reason) {
  uint64_t magnitude = digits.mantissa;
  if (digits.dropped > 0 && std::from_chars(digits_begin, suffix, magnitude).ec != std::errc()) {
    reason = "is out of range";
    return nullptr;
  }
  if (*suffix == 'u') {
    if (negative) {
      reason = "is a negative unsigned integer";
      return nullptr;
    }
    out.kind = ValueKind::kUnsigned;
    out.natural = magnitude;
    return suffix + 1;
  }
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (magnitude > kMax + (negative ? 1 : 0)) {
    reason = "is out of range";
    return nullptr;
  }
  out.kind = ValueKind::kInteger;
  out.integer = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
  return suffix + 1;
}

// `exponent` is the decimal exponent of the last digit gathered.
const char* FinishFloat(const char* begin, const char* after, const Digits& digits, int64_t exponent, Number& out,
                        const char*& reason) {
  const bool negative = *begin == '-';
  out.kind = ValueKind::kFloat;
  if (digits.mantissa == 0 && digits.dropped == 0) {
    out.real = negative ? -0.0 : 0.0;
    return after;
  }
  if (digits.dropped == 0 && digits.mantissa < kMaxExactMantissa && exponent >= -22 && exponent <= 22) {
    const double mantissa = static_cast<double>(digits.mantissa);
    const double value = exponent < 0 ? mantissa / kPowersOfTen[static_cast<size_t>(-exponent)]
                                      : mantissa * kPowersOfTen[static_cast<size_t>(exponent)];
    out.real = negative ? -value : value;
    return after;
  }
  const auto [read_to, error] = std::from_chars(begin, after, out.real);
  if (error == std::errc::result_out_of_range) {
    // Too large and too small are told apart by where the first digit stands.
    if (digits.significant + digits.dropped + exponent > 0) {
      reason = "is out of range";
      return nullptr;
    }
    out.real = negative ? -0.0 : 0.0;
    return after;
  }
  if (error != std::errc() || read_to != after) {
    reason = "is not a number";
    return nullptr;
  }
  return after;
}

// At 'e' or 'E'. Returns the first byte after the exponent, null when it has no digit.
const char* ParseExponent(const char* at, const char* end, int64_t& exponent) {
  ++at;
  const bool negative = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) ++at;
  if (at == end || !IsDigit(*at)) return nullptr;
  int64_t value = 0;
  for (; at < end && IsDigit(*at); ++at) {
    if (value < kMaxExponent) value = value * 10 + (*at - '0');
  }
  exponent += negative ? -value : value;
  return at;
}

}  // namespace

const char* ParseNumber(const char* at, const char* end, Number& out, const char*& reason) {
  const char* const begin = at;
  const bool negative = at < end && *at == '-';
  if (negative) ++at;
  Digits digits;
  const char* const whole = at;
  at = digits.Gather(whole, end);
  bool any = at != whole;
  if (any && at < end && (*at == 'i' || *at == 'u')) return FinishInteger(whole, at, digits, negative, out, reason);

  // What is dropped before the point scales the value; what is dropped after it does not.
  int64_t exponent = digits.dropped;
  if (at < end && *at == '.') {
    const char* const fraction = at + 1;
    const int64_t dropped_before = digits.dropped;
    at = digits.Gather(fraction, end);
    any = any || at != fraction;
    exponent -= (at - fraction) - (digits.dropped - dropped_before);
  }
  if (!any) {
    reason = "is not a number";
    return nullptr;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at = ParseExponent(at, end, exponent);
    if (at == nullptr) {
      reason = "has an exponent without digits";
      return nullptr;
    }
  }
  return FinishFloat(begin, at, digits, exponent, out, reason);
}

namespace {

int64_t NanosPerUnit(Precision precision) {
  switch (precision) {
    case Precision::kMicroseconds:
      return 1'000;
    case Precision::kMilliseconds:
      return 1'000'000;
    case Precision::kSeconds:
      return 1'000'000'000;
    case Precision::kMinutes:
      return 60'000'000'000;
    case Precision::kHours:
      return 3'600'000'000'000;
    case Precision::kNanoseconds:
    case Precision::kAuto:
      break;
  }
  return 1;
}

Precision GuessPrecision(int64_t timestamp) {
  const uint64_t magnitude = timestamp < 0 ? 0 - static_cast<uint64_t>(timestamp) : static_cast<uint64_t>(timestamp);
  if (magnitude < 5'000'000'000) return Precision::kSeconds;
  if (magnitude < 5'000'000'000'000) return Precision::kMilliseconds;
  if (magnitude < 5'000'000'000'000'000) return Precision::kMicroseconds;
  return Precision::kNanoseconds;
}

}  // namespace

bool ToNanos(int64_t timestamp, Precision precision, int64_t& nanos) {
  if (precision == Precision::kAuto) precision = GuessPrecision(timestamp);
  return !__builtin_mul_overflow(timestamp, NanosPerUnit(precision), &nanos);
}

int64_t TruncateNanos(int64_t nanos, Precision precision) {
  const int64_t unit = NanosPerUnit(precision);
  const int64_t remainder = nanos % unit;
  return nanos - (remainder < 0 ? remainder + unit : remainder);
}

}  // namespace tarn::ingest
