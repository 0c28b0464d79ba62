#include "ingest/text_scan.h"

#include <array>
#include <cstring>

namespace tarn::ingest {
namespace {

// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629, table in section 4), 0 when there is none.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool second = continues(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool second = continues(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// Bytes at which FindNameEnd has to think.
constexpr std::array<bool, 256> kEndsName = [] {
  std::array<bool, 256> table = {};
  for (const char c : {',', ' ', '=', '\n', '\\'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

const char* FindLineFeed(const char* at, const char* end) {
  const void* found = at == end ? nullptr : std::memchr(at, '\n', static_cast<size_t>(end - at));
  return found == nullptr ? end : static_cast<const char*>(found);
}

}  // namespace

bool IsEscape(char after_backslash, Escapes escapes) {
  switch (escapes) {
    case Escapes::kMeasurement:
      return after_backslash == ',' || after_backslash == ' ';
    case Escapes::kKey:
      return after_backslash == ',' || after_backslash == ' ' || after_backslash == '=';
    case Escapes::kString:
      return after_backslash == '"' || after_backslash == '\\';
    case Escapes::kStringWithControls:
      return after_backslash == '"' || after_backslash == '\\' || after_backslash == 'n' || after_backslash == 'r' ||
             after_backslash == 't';
  }
  return false;
}

void AppendUnescaped(std::string_view raw, Escapes escapes, std::string& out) {
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 == raw.size() || !IsEscape(raw[i + 1], escapes)) {
      out.push_back(raw[i]);
      continue;
    }
    const char next = raw[++i];
    out.push_back(next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next);
  }
}

std::string Unescape(std::string_view raw, Escapes escapes) {
  std::string out;
  out.reserve(raw.size());
  AppendUnescaped(raw, escapes, out);
  return out;
}

const char* FindNameEnd(const char* at, const char* end, bool stop_at_equals, bool& escaped) {
  const Escapes escapes = stop_at_equals ? Escapes::kKey : Escapes::kMeasurement;
  for (; at < end; ++at) {
    if (!kEndsName[static_cast<unsigned char>(*at)]) [[likely]] {
      continue;
    }
    if (*at == '\\') {
      escaped = true;
      if (at + 1 < end && IsEscape(at[1], escapes)) ++at;
    } else if (*at != '=' || stop_at_equals) {
      return at;
    }
  }
  return end;
}

const char* FindClosingQuote(const char* at, const char* end, bool& escaped) {
  while (true) {
    at = FindFirstOf<'"', '\\', '"'>(at, end);
    if (at >= end) return nullptr;
    if (*at == '"') return at;
    escaped = true;
    at += at + 1 < end && IsEscape(at[1], Escapes::kString) ? 2 : 1;
  }
}

const char* FindLineEnd(const char* begin, const char* end) {
  const char* at = begin;
  while (at < end && (*at == ' ' || *at == '\t')) ++at;
  if (at < end && *at == '#') return FindLineFeed(at, end);
  bool escaped = false;
  while (at < end && *at != ' ' && *at != '\n') {
    at = FindNameEnd(at, end, true, escaped);
    if (at < end && (*at == ',' || *at == '=')) ++at;
  }
  while (at < end && *at == ' ') ++at;
  // Fields: a quote opens a string only directly after the `=` of its key.
  while (at < end && *at != ' ' && *at != '\n') {
    at = FindNameEnd(at, end, true, escaped);
    if (at == end || *at != '=') {
      if (at < end && *at == ',') ++at;
      continue;
    }
    ++at;
    if (at < end && *at == '"') {
      const char* const open = at;
      const char* const close = FindClosingQuote(open + 1, end, escaped);
      if (close == nullptr) return FindLineFeed(open, end);
      at = close + 1;
      const bool at_line_end = at == end || *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'));
      if (!at_line_end && *at != ',' && *at != ' ') return FindLineFeed(open, end);
    } else {
      at = FindFirstOf<',', ' ', '\n'>(at, end);
    }
    if (at < end && *at == ',') ++at;
  }
  return FindLineFeed(at, end);
}

bool HasControlCharacter(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

bool HasControlCharacterWithinLines(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i line_feed = _mm_set1_epi8('\n');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Unsigned bytes <= 0x1f are those that the minimum leaves as they are.
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i hits =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, line_feed), low), _mm_cmpeq_epi8(bytes, del));
    if (_mm_movemask_epi8(hits) != 0) return true;
  }
#endif
  for (; at < end; ++at) {
    if (*at != '\n' && HasControlCharacter({at, 1})) return true;
  }
  return false;
}

std::string FoldCase(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

std::string Excerpt(std::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const std::string_view piece = length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
    if (out.size() + piece.size() > max_bytes) break;
    out.append(piece);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace tarn::ingest
