#include "delta/expressions/text_pattern.h"

#include <utility>

namespace tarn::delta {
namespace {

constexpr size_t kMaxElements = 1000;

}  // namespace

size_t CharacterBytes(std::string_view text) {
  size_t bytes = text.empty() ? 0 : 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
  return bytes;
}

std::optional<TextPattern> TextPattern::Parse(std::string_view pattern, char escape) {
  TextPattern parsed;
  while (!pattern.empty()) {
    Element element;
    if (pattern.front() == escape) {
      pattern.remove_prefix(1);
      if (pattern.empty() || (pattern.front() != '%' && pattern.front() != '_' && pattern.front() != escape)) {
        return std::nullopt;
      }
      element.character = pattern.front();
    } else if (pattern.front() == '%') {
      element.kind = Element::Kind::kAny;
    } else if (pattern.front() == '_') {
      element.kind = Element::Kind::kOne;
    } else {
      element.character = pattern.substr(0, CharacterBytes(pattern));
    }
    pattern.remove_prefix(element.character.empty() ? 1 : element.character.size());
    parsed.elements_.push_back(std::move(element));
    if (parsed.elements_.size() > kMaxElements) return std::nullopt;
  }
  return parsed;
}

bool TextPattern::Matches(std::string_view text) const {
  size_t at = 0;
  size_t element = 0;
  // Where the last % stands, and up to where it reaches so far: all that is ever taken back.
  size_t last_any = elements_.size();
  size_t reached = 0;
  while (at < text.size()) {
    if (element < elements_.size() && elements_[element].kind == Element::Kind::kAny) {
      last_any = element++;
      reached = at;
      continue;
    }
    const size_t bytes = CharacterBytes(text.substr(at));
    if (element < elements_.size() &&
        (elements_[element].kind == Element::Kind::kOne || elements_[element].character == text.substr(at, bytes))) {
      ++element;
      at += bytes;
      continue;
    }
    if (last_any == elements_.size()) return false;
    reached += CharacterBytes(text.substr(reached));
    at = reached;
    element = last_any + 1;
  }
  while (element < elements_.size() && elements_[element].kind == Element::Kind::kAny) ++element;
  return element == elements_.size();
}

}  // namespace tarn::delta
