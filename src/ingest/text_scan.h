#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace tarn::ingest {

/// The first of the bytes `A`, `B`, `C` in [at, end), or `end`.
template <char A, char B, char C>
inline const char* FindFirstOf(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i a = _mm_set1_epi8(A);
  const __m128i b = _mm_set1_epi8(B);
  const __m128i c = _mm_set1_epi8(C);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i hits =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)), _mm_cmpeq_epi8(bytes, c));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(hits));
    if (mask != 0) return at + std::countr_zero(mask);
  }
#endif
  while (at < end && *at != A && *at != B && *at != C) ++at;
  return at;
}

/// Where a backslash stands before one of these, it makes it literal; before anything else it is itself literal.
enum class Escapes : uint8_t {
  /// `\,` and `\ `.
  kMeasurement,
  /// `\,`, `\ ` and `\=`.
  kKey,
  /// `\"` and `\\`.
  kString,
  /// Those of kString and `\n`, `\r`, `\t`, as in the corpus of the Go library.
  kStringWithControls,
};

bool IsEscape(char after_backslash, Escapes escapes);

/// Appends `raw` with its escapes resolved; never more bytes than `raw` has.
void AppendUnescaped(std::string_view raw, Escapes escapes, std::string& out);
std::string Unescape(std::string_view raw, Escapes escapes);

/// The end of a name that starts at `at`: its first unescaped byte of ',', ' ', '=' (`=` only if `stop_at_equals`) or
/// the first line feed, or `end`. Sets `escaped` when there is a backslash in between.
const char* FindNameEnd(const char* at, const char* end, bool stop_at_equals, bool& escaped);

/// The closing quote of a string whose opening quote stands before `at`, or null. Sets `escaped` as above.
const char* FindClosingQuote(const char* at, const char* end, bool& escaped);

/// The end (a line feed or `end`) of the line that starts at `begin`. Line feeds inside a quoted field value belong to
/// the line, unless the quote is never closed or something other than a separator follows the closing one: then the
/// line ends at the first line feed after the opening quote, so that one missing quote cannot swallow the lines after
/// it.
const char* FindLineEnd(const char* begin, const char* end);

/// True when a byte below 0x20 or 0x7f is in `text`.
bool HasControlCharacter(std::string_view text);
/// The same but for line feeds: when false, no name in a body has to be looked at.
bool HasControlCharacterWithinLines(std::string_view text);

/// Lower case for ASCII letters; names are compared by it.
std::string FoldCase(std::string_view name);

/// At most `max_bytes` of `text` as valid UTF-8, cut at a character border, wrong bytes replaced by U+FFFD.
std::string Excerpt(std::string_view text, size_t max_bytes);

}  // namespace tarn::ingest
