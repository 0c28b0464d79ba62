#include "ingest/testing/reference_parser.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <set>

namespace tarn::ingest::testing {
namespace {

using Int128 = __int128;

struct Value {
  char type = 0;
  std::string text;
};

struct Line {
  std::string measurement;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<std::pair<std::string, Value>> fields;
  std::optional<Int128> timestamp;
};

struct Bad {};

// Throwing keeps the reference short; it is test code and nothing escapes from ParseByReference.
void Require(bool condition) {
  if (!condition) throw Bad();
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool ValidUtf8(const std::string& s) {
  size_t i = 0;
  while (i < s.size()) {
    const auto lead = static_cast<unsigned char>(s[i]);
    const int extra = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + static_cast<size_t>(extra) >= s.size()) return false;
    uint32_t code = extra == 0 ? lead : lead & (0x3fU >> extra);
    for (int k = 1; k <= extra; ++k) {
      const auto next = static_cast<unsigned char>(s[i + static_cast<size_t>(k)]);
      if (next < 0x80 || next > 0xbf) return false;
      code = code << 6 | (next & 0x3fU);
    }
    if ((extra == 2 && code < 0x800) || (extra == 3 && (code < 0x10000 || code > 0x10ffff))) return false;
    if (code >= 0xd800 && code <= 0xdfff) return false;
    i += static_cast<size_t>(extra) + 1;
  }
  return true;
}

class LineReader {
 public:
  LineReader(std::string text, bool expand_controls) : s_(std::move(text)), expand_controls_(expand_controls) {}

  Line Read() {
    Line line;
    line.measurement = Name(", ", ", ");
    while (Peek() == ',') {
      ++i_;
      std::string key = Name(",= ", ",= ");
      Expect('=');
      line.tags.emplace_back(std::move(key), Name(",= ", ",= "));
    }
    Require(Peek() == ' ');
    Spaces();
    do {
      if (!line.fields.empty()) ++i_;
      std::string key = Name(",= ", ",= ");
      Expect('=');
      line.fields.emplace_back(std::move(key), FieldValue());
      Require(Peek() == 0 || Peek() == ',' || Peek() == ' ');
    } while (Peek() == ',');
    Spaces();
    if (Peek() != 0) line.timestamp = Integer();
    Spaces();
    Require(i_ == s_.size());
    return line;
  }

 private:
  // 0 at the end; a real NUL byte is in no place where this matters, because names refuse it.
  char Peek() const { return i_ < s_.size() ? s_[i_] : '\0'; }
  void Spaces() {
    while (Peek() == ' ') ++i_;
  }
  void Expect(char c) {
    Require(i_ < s_.size() && s_[i_] == c);
    ++i_;
  }

  std::string Name(const std::string& stops, const std::string& escapes) {
    std::string out;
    while (i_ < s_.size()) {
      const char c = s_[i_];
      if (stops.find(c) != std::string::npos) break;
      Require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
      if (c == '\\' && i_ + 1 < s_.size() && escapes.find(s_[i_ + 1]) != std::string::npos) ++i_;
      out += s_[i_++];
    }
    Require(!out.empty());
    return out;
  }

  Value FieldValue() {
    if (Peek() == '"') return {'s', QuotedString()};
    std::string token;
    while (i_ < s_.size() && s_[i_] != ',' && s_[i_] != ' ') token += s_[i_++];
    static const std::set<std::string> kTrue = {"t", "T", "true", "True", "TRUE"};
    static const std::set<std::string> kFalse = {"f", "F", "false", "False", "FALSE"};
    if (kTrue.contains(token)) return {'b', "b1"};
    if (kFalse.contains(token)) return {'b', "b0"};
    return NumberOf(token);
  }

  std::string QuotedString() {
    std::string out = "s";
    Expect('"');
    while (true) {
      Require(i_ < s_.size());
      const char c = s_[i_++];
      if (c == '"') return out;
      const char next = Peek();
      if (c == '\\' && i_ < s_.size() && (next == '"' || next == '\\')) {
        out += next;
        ++i_;
      } else if (c == '\\' && expand_controls_ && (next == 'n' || next == 'r' || next == 't')) {
        out += next == 'n' ? '\n' : next == 'r' ? '\r' : '\t';
        ++i_;
      } else {
        out += c;
      }
    }
  }

  static Int128 Digits(const std::string& digits) {
    Require(!digits.empty());
    Int128 value = 0;
    for (const char c : digits) {
      Require(c >= '0' && c <= '9');
      if (value < Int128(1) << 100) value = value * 10 + (c - '0');
    }
    return value;
  }

  static Value NumberOf(const std::string& token) {
    Require(!token.empty());
    const bool negative = token[0] == '-';
    const std::string magnitude = token.substr(negative ? 1 : 0);
    Require(!magnitude.empty());
    if (magnitude.back() == 'i' || magnitude.back() == 'u') {
      Int128 value = Digits(magnitude.substr(0, magnitude.size() - 1));
      if (magnitude.back() == 'u') {
        Require(!negative && value <= std::numeric_limits<uint64_t>::max());
        return {'u', "u" + std::to_string(static_cast<uint64_t>(value))};
      }
      if (negative) value = -value;
      Require(value >= std::numeric_limits<int64_t>::min() && value <= std::numeric_limits<int64_t>::max());
      return {'i', "i" + std::to_string(static_cast<int64_t>(value))};
    }
    size_t at = 0;
    const auto digits = [&] {
      const size_t from = at;
      while (at < magnitude.size() && magnitude[at] >= '0' && magnitude[at] <= '9') ++at;
      return at - from;
    };
    size_t count = digits();
    if (at < magnitude.size() && magnitude[at] == '.') {
      ++at;
      count += digits();
    }
    Require(count > 0);
    if (at < magnitude.size() && (magnitude[at] == 'e' || magnitude[at] == 'E')) {
      ++at;
      if (at < magnitude.size() && (magnitude[at] == '-' || magnitude[at] == '+')) ++at;
      Require(digits() > 0);
    }
    Require(at == magnitude.size());
    const double value = std::strtod(token.c_str(), nullptr);
    Require(value <= std::numeric_limits<double>::max() && value >= std::numeric_limits<double>::lowest());
    return {'f', FloatText(value)};
  }

  Int128 Integer() {
    const bool negative = Peek() == '-';
    if (negative) ++i_;
    std::string digits;
    while (i_ < s_.size() && s_[i_] != ' ') digits += s_[i_++];
    const Int128 value = Digits(digits);
    return negative ? -value : value;
  }

  const std::string s_;
  const bool expand_controls_;
  size_t i_ = 0;
};

// Where the line that starts at `i` ends, by the rules under "Lines" in the format's page.
size_t LineEnd(const std::string& s, size_t i) {
  enum { kSeries, kKey, kPlain, kRest } part = kSeries;
  const auto feed_from = [&](size_t at) {
    const size_t feed = s.find('\n', at);
    return feed == std::string::npos ? s.size() : feed;
  };
  while (i < s.size() && (s[i] == ' ' || s[i] == '\t')) ++i;
  if (i < s.size() && s[i] == '#') return feed_from(i);
  while (i < s.size() && s[i] != '\n') {
    const bool escape = part != kPlain && part != kRest && s[i] == '\\' && i + 1 < s.size() &&
                        (s[i + 1] == ',' || s[i + 1] == ' ' || s[i + 1] == '=');
    if (escape) {
      i += 2;
    } else if (part == kSeries && s[i] == ' ') {
      while (i < s.size() && s[i] == ' ') ++i;
      part = kKey;
    } else if (part == kKey && s[i] == '=' && i + 1 < s.size() && s[i + 1] == '"') {
      const size_t open = i + 1;
      size_t close = open + 1;
      while (close < s.size() && s[close] != '"') {
        close += s[close] == '\\' && close + 1 < s.size() && (s[close + 1] == '"' || s[close + 1] == '\\') ? 2 : 1;
      }
      if (close >= s.size()) return feed_from(open);
      i = close + 1;
      const bool at_end = i == s.size() || s[i] == '\n' || (s[i] == '\r' && (i + 1 == s.size() || s[i + 1] == '\n'));
      if (!at_end && s[i] != ',' && s[i] != ' ') return feed_from(open);
      part = kPlain;
    } else {
      if (part == kKey && s[i] == '=') {
        part = kPlain;
      } else if (part == kPlain && s[i] == ',') {
        part = kKey;
      } else if ((part == kPlain || part == kKey) && s[i] == ' ') {
        part = kRest;
      }
      ++i;
    }
  }
  return i;
}

int64_t Floor(int64_t nanos, Precision precision) {
  const int64_t unit = precision == Precision::kSeconds        ? 1'000'000'000
                       : precision == Precision::kMilliseconds ? 1'000'000
                       : precision == Precision::kMicroseconds ? 1'000
                                                               : 1;
  return nanos - ((nanos % unit) + unit) % unit;
}

int64_t Nanos(Int128 timestamp, Precision precision) {
  Require(timestamp >= std::numeric_limits<int64_t>::min() && timestamp <= std::numeric_limits<int64_t>::max());
  const Int128 size = timestamp < 0 ? -timestamp : timestamp;
  if (precision == Precision::kAuto) {
    precision = size < 5'000'000'000           ? Precision::kSeconds
                : size < 5'000'000'000'000     ? Precision::kMilliseconds
                : size < 5'000'000'000'000'000 ? Precision::kMicroseconds
                                               : Precision::kNanoseconds;
  }
  const Int128 nanos = timestamp * (precision == Precision::kSeconds        ? 1'000'000'000
                                    : precision == Precision::kMilliseconds ? 1'000'000
                                    : precision == Precision::kMicroseconds ? 1'000
                                                                            : 1);
  Require(nanos >= std::numeric_limits<int64_t>::min() && nanos <= std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(nanos);
}

struct Known {
  std::string name;
  bool tag = false;
  char type = 0;
};

/// Columns by folded name.
using Table = std::map<std::string, Known>;

// Applies one line to `tables` as a whole or throws.
Point Apply(const Line& line, const LineProtocolOptions& options, std::map<std::string, Table>& tables) {
  Table table;
  if (const auto known = tables.find(line.measurement); known != tables.end()) table = known->second;
  Point point{.measurement = line.measurement, .nanos = 0, .values = {}};
  const auto add = [&](const std::string& key, bool tag, const Value& value) {
    const std::string folded = Lower(key);
    Require(folded != "time" && folded != "time_ns" && folded != "time_date");
    const auto [known, is_new] = table.try_emplace(folded, Known{key, tag, value.type});
    Require(known->second.name == key && known->second.tag == tag && known->second.type == value.type);
    Require(point.values.emplace(key, value.text).second);
  };
  for (const auto& [key, value] : line.tags) add(key, true, {'s', "s" + value});
  for (const auto& [key, value] : line.fields) add(key, false, value);
  point.nanos = line.timestamp.has_value() ? Nanos(*line.timestamp, options.precision)
                                           : Floor(options.now_nanos, options.precision);
  tables[line.measurement] = std::move(table);
  return point;
}

}  // namespace

ReferenceResult ParseByReference(const std::string& body, const LineProtocolOptions& options) {
  ReferenceResult result;
  std::map<std::string, Table> tables;
  int64_t number = 1;
  for (size_t begin = body.starts_with("\xef\xbb\xbf") ? 3 : 0; begin < body.size();) {
    const size_t end = LineEnd(body, begin);
    std::string text = body.substr(begin, end - begin);
    const auto feeds = static_cast<int64_t>(std::count(text.begin(), text.end(), '\n'));
    if (!text.empty() && text.back() == '\r') text.pop_back();
    text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
    if (!text.empty() && text[0] != '#') {
      try {
        Require(ValidUtf8(text));
        result.points.push_back(Apply(LineReader(text, options.expand_string_controls).Read(), options, tables));
      } catch (const Bad&) {
        result.bad_lines.push_back(number);
      }
    }
    number += feeds + 1;
    begin = end + 1;
  }
  result.points = GroupedByMeasurement(result.points);
  return result;
}

}  // namespace tarn::ingest::testing
