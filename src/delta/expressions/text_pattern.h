#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::delta {

/// The pattern of a LIKE.
class TextPattern {
 public:
  /// `escape` is one ASCII character. Nullopt when it stands before anything but %, _ and itself, which is an error in
  /// Spark, and for patterns of more than a thousand characters: matching takes as many steps as text and pattern have
  /// characters, multiplied.
  static std::optional<TextPattern> Parse(std::string_view pattern, char escape);

  bool Matches(std::string_view text) const;

 private:
  struct Element {
    enum class Kind : unsigned char { kCharacter, kOne, kAny };
    Kind kind = Kind::kCharacter;
    std::string character;
  };

  std::vector<Element> elements_;
};

/// Bytes of the character that a text begins with.
size_t CharacterBytes(std::string_view text);

}  // namespace tarn::delta
