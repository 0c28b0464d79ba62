#include "storage/s3/xml.h"

#include <charconv>
#include <utility>

namespace tarn::storage::internal {

namespace {

constexpr int kMaxDepth = 32;
constexpr std::string_view kBlanks = " \t\r\n";

bool IsNameByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':' || static_cast<unsigned char>(c) >= 0x80;
}

/// A character's UTF-8; false for what is no character.
bool AppendCharacter(std::string& out, uint32_t code) {
  if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
  return true;
}

/// Appends what "&name;" stands for, `name` given.
bool AppendEntity(std::string& out, std::string_view name) {
  static constexpr std::pair<std::string_view, char> kNamed[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  for (const auto& [known, c] : kNamed) {
    if (name == known) {
      out += c;
      return true;
    }
  }
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const bool hex = name.starts_with('x');
  if (hex) name.remove_prefix(1);
  uint32_t code = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
  return error == std::errc() && end == name.data() + name.size() && AppendCharacter(out, code);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<XmlElement> Document() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    TARN_RETURN_NOT_OK(SkipAside());
    if (Peek() != '<') return Broken("no element");
    XmlElement root;
    TARN_RETURN_NOT_OK(Element(root, 1));
    TARN_RETURN_NOT_OK(SkipAside());
    if (at_ != text_.size()) return Broken("something behind the root element");
    return root;
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Accept(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void SkipBlanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }
  Status Broken(std::string_view what) const {
    return Status::Corruption("malformed XML at byte " + std::to_string(at_) + ": " + std::string(what));
  }
  Status SkipBehind(std::string_view end) {
    const size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return Broken("no end");
    at_ = found + end.size();
    return Status::Ok();
  }

  /// Blanks, comments and processing instructions.
  Status SkipAside() {
    while (true) {
      SkipBlanks();
      if (Accept("<!--")) {
        TARN_RETURN_NOT_OK(SkipBehind("-->"));
      } else if (Accept("<?")) {
        TARN_RETURN_NOT_OK(SkipBehind("?>"));
      } else {
        return Status::Ok();
      }
    }
  }

  std::string_view Name() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsNameByte(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  /// Up to and with '>'; true when the element ended with "/>". Attributes are namespaces, which nothing depends on.
  Result<bool> Attributes() {
    while (true) {
      SkipBlanks();
      if (Accept("/>")) return true;
      if (Accept(">")) return false;
      if (Name().empty()) return Broken("no attribute");
      SkipBlanks();
      if (!Accept("=")) return Broken("an attribute without value");
      SkipBlanks();
      const char quote = Peek();
      if (quote != '"' && quote != '\'') return Broken("an attribute without quotes");
      ++at_;
      TARN_RETURN_NOT_OK(SkipBehind(std::string_view(&quote, 1)));
    }
  }

  Status Text(XmlElement& element) {
    while (at_ < text_.size() && text_[at_] != '<') {
      if (text_[at_] != '&') {
        element.text += text_[at_++];
        continue;
      }
      const size_t end = text_.find(';', at_);
      if (end == std::string_view::npos || !AppendEntity(element.text, text_.substr(at_ + 1, end - at_ - 1))) {
        return Broken("an unknown entity");
      }
      at_ = end + 1;
    }
    return Status::Ok();
  }

  Status Element(XmlElement& element, int depth) {
    if (depth > kMaxDepth) return Broken("too deep");
    if (!Accept("<")) return Broken("no element");
    const std::string_view name = Name();
    if (name.empty()) return Broken("an element without name");
    element.name = name.substr(name.rfind(':') + 1);
    TARN_ASSIGN_OR_RETURN(const bool ended, Attributes());
    if (ended) return Status::Ok();
    while (true) {
      TARN_RETURN_NOT_OK(Text(element));
      if (Accept("</")) {
        if (Name() != name) return Broken("an end tag of another element");
        SkipBlanks();
        return Accept(">") ? Status::Ok() : Broken("no '>'");
      }
      if (Accept("<!--")) {
        TARN_RETURN_NOT_OK(SkipBehind("-->"));
        continue;
      }
      TARN_RETURN_NOT_OK(Element(element.children.emplace_back(), depth + 1));
    }
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const XmlElement* XmlElement::Child(std::string_view child_name) const {
  for (const XmlElement& child : children) {
    if (child.name == child_name) return &child;
  }
  return nullptr;
}

std::string_view XmlElement::ChildText(std::string_view child_name) const {
  const XmlElement* const child = Child(child_name);
  return child == nullptr ? std::string_view() : std::string_view(child->text);
}

Result<XmlElement> ParseXml(std::string_view text) { return Parser(text).Document(); }

}  // namespace tarn::storage::internal
