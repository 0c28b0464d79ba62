#include "storage/s3/flat_json.h"

#include <charconv>
#include <optional>

namespace tarn::storage::internal {

namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<std::map<std::string, std::string>> Object() {
    std::map<std::string, std::string> members;
    if (!Accept('{')) return std::nullopt;
    if (!Accept('}')) {
      do {
        std::string name;
        std::string value;
        if (!String(name) || !Accept(':') || !String(value)) return std::nullopt;
        members[name] = std::move(value);
      } while (Accept(','));
      if (!Accept('}')) return std::nullopt;
    }
    SkipBlanks();
    if (at_ != text_.size()) return std::nullopt;
    return members;
  }

 private:
  void SkipBlanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  bool Accept(char c) {
    SkipBlanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool String(std::string& out) {
    if (!Accept('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7f) return false;
      if (c != '\\') {
        out += c;
      } else if (!Escape(out)) {
        return false;
      }
    }
    return false;
  }

  bool Escape(std::string& out) {
    static constexpr std::string_view kLetters = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) return false;
    const char c = text_[at_++];
    if (const size_t found = kLetters.find(c); found != std::string_view::npos) {
      out += kMeanings[found];
      return true;
    }
    unsigned code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (c != 'u' || error != std::errc() || end != digits.data() + 4 || code >= 0x7f) return false;
    out += static_cast<char>(code);
    at_ += 4;
    return true;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::map<std::string, std::string>> ParseFlatJson(std::string_view text) {
  auto members = Parser(text).Object();
  if (!members.has_value()) return Status::Corruption("no JSON object of strings");
  return *std::move(members);
}

}  // namespace tarn::storage::internal
