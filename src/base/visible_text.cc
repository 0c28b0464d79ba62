#include "base/visible_text.h"

namespace tarn {

namespace {

void AppendHex(std::string& out, unsigned value, int digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[value >> shift & 15];
}

bool ChangesDirection(unsigned code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string VisibleText(std::string_view text) {
  std::string shown;
  const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned first = byte(i);
    if ((first < 0x20 && first != '\n' && first != '\t') || first == 0x7f) {
      shown += "\\x";
      AppendHex(shown, first, 2);
      continue;
    }
    // Of two bytes, or of three; what is to be escaped is nowhere else.
    size_t length = 1;
    unsigned code = 0;
    if (first >= 0xc2 && first < 0xe0 && (byte(i + 1) & 0xc0) == 0x80) {
      length = 2;
      code = (first & 0x1f) << 6 | (byte(i + 1) & 0x3f);
    } else if (first == 0xe2 && (byte(i + 1) & 0xc0) == 0x80 && (byte(i + 2) & 0xc0) == 0x80) {
      length = 3;
      code = (first & 0x0f) << 12 | (byte(i + 1) & 0x3f) << 6 | (byte(i + 2) & 0x3f);
    }
    if ((code >= 0x80 && code < 0xa0) || ChangesDirection(code)) {
      shown += "\\u";
      AppendHex(shown, code, 4);
    } else {
      shown += text.substr(i, length);
    }
    i += length - 1;
  }
  return shown;
}

}  // namespace tarn
