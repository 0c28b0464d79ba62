#include "engine/text_match.h"

#include <cstring>

namespace tarn::engine {
namespace {

char FoldAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// A pattern of which a part has been matched.
class PatternCursor {
 public:
  explicit PatternCursor(std::string_view pattern) : pattern_(pattern) {}
  bool at_end() const { return position_ == pattern_.size(); }
  size_t position() const { return position_; }
  void Skip(char wildcard) {
    while (!at_end() && pattern_[position_] == wildcard) ++position_;
  }
  void Advance(size_t bytes) { position_ += bytes; }

 protected:
  std::string_view pattern_;
  size_t position_ = 0;
};

template <bool kFold>
class LikeCursor : public PatternCursor {
 public:
  static constexpr char kWildcard = '%';
  LikeCursor(std::string_view pattern, const LikeOptions& options) : PatternCursor(pattern), options_(&options) {}

  bool AtWildcard() const { return pattern_[position_] == kWildcard && !AtEscape(); }

  /// The bytes that a match from here has to begin with, as far as they are fixed.
  std::string_view Literal() const {
    if (kFold) return {};
    size_t end = position_;
    while (end < pattern_.size() && pattern_[end] != '%' && pattern_[end] != '_' && pattern_[end] != options_->escape) {
      ++end;
    }
    return pattern_.substr(position_, end - position_);
  }

  /// Matches one element of the pattern and moves past what it took of both.
  bool Take(std::string_view text, size_t& at) {
    if (AtEscape()) {
      if (position_ + 1 == pattern_.size()) options_->escape_at_end();
      if (Fold(pattern_[position_ + 1]) != Fold(text[at])) return false;
      ++position_;
      ++at;
    } else if (pattern_[position_] == '_') {
      ++at;
      while (!kFold && at < text.size() && (text[at] & 0xC0) == 0x80) ++at;
    } else {
      if (Fold(pattern_[position_]) != Fold(text[at])) return false;
      ++at;
    }
    ++position_;
    return true;
  }

 private:
  static char Fold(char c) { return kFold ? FoldAscii(c) : c; }
  bool AtEscape() const { return options_->escape && Fold(pattern_[position_]) == *options_->escape; }

  const LikeOptions* options_;
};

class GlobCursor : public PatternCursor {
 public:
  static constexpr char kWildcard = '*';
  using PatternCursor::PatternCursor;

  bool AtWildcard() const { return pattern_[position_] == kWildcard; }

  std::string_view Literal() const {
    return pattern_.substr(position_, pattern_.find_first_of("*?[\\", position_) - position_);
  }

  bool Take(std::string_view text, size_t& at) {
    switch (pattern_[position_]) {
      case '?':
        break;
      case '[':
        if (!TakeBrackets(text[at])) return false;
        break;
      case '\\':
        if (position_ + 1 == pattern_.size() || pattern_[position_ + 1] != text[at]) return false;
        ++position_;
        break;
      default:
        if (pattern_[position_] != text[at]) return false;
    }
    ++position_;
    ++at;
    return true;
  }

 private:
  /// Goes on to the closing bracket. A bracket that comes first stands for itself.
  bool TakeBrackets(char c) {
    size_t at = position_ + 1;
    const bool inverted = at < pattern_.size() && pattern_[at] == '!';
    if (inverted) ++at;
    const size_t first = at;
    bool found = false;
    while (at < pattern_.size() && (pattern_[at] != ']' || at == first)) {
      if (at + 1 < pattern_.size() && pattern_[at + 1] == '-') {
        if (at + 2 == pattern_.size()) return false;
        found = found || (c >= pattern_[at] && c <= pattern_[at + 2]);
        at += 3;
      } else {
        found = found || c == pattern_[at];
        ++at;
      }
    }
    if (at >= pattern_.size() || found == inverted) return false;
    position_ = at;
    return true;
  }
};

/// What stands between two wildcards is taken at the first place where it matches: any later one leaves less of the
/// text to the rest. So the only choice to come back to is where the part after the last wildcard begins.
template <typename Cursor>
bool Matches(std::string_view text, Cursor pattern, MatchSteps& steps) {
  std::optional<Cursor> part;
  std::string_view literal;
  size_t part_at = 0;
  size_t at = 0;
  while (at < text.size()) {
    if (!pattern.at_end() && pattern.AtWildcard()) {
      pattern.Skip(Cursor::kWildcard);
      if (pattern.at_end()) return true;
      part.emplace(pattern);
      literal = pattern.Literal();
      part_at = at;
    } else if (!pattern.at_end() && pattern.Take(text, at)) {
      continue;
    } else {
      if (!part) return false;
      steps.Count(at - part_at + pattern.position() - part->position() + 1);
      pattern = *part;
      at = ++part_at;
    }
    if (literal.empty()) continue;
    const void* found = memmem(text.data() + at, text.size() - at, literal.data(), literal.size());
    if (found == nullptr) return false;
    part_at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    at = part_at + literal.size();
    pattern.Advance(literal.size());
  }
  pattern.Skip(Cursor::kWildcard);
  return pattern.at_end();
}

}  // namespace

bool MatchesLike(std::string_view text, std::string_view pattern, const LikeOptions& options, MatchSteps& steps) {
  return options.fold_ascii ? Matches(text, LikeCursor<true>(pattern, options), steps)
                            : Matches(text, LikeCursor<false>(pattern, options), steps);
}

bool MatchesGlob(std::string_view text, std::string_view pattern, MatchSteps& steps) {
  return Matches(text, GlobCursor(pattern), steps);
}

}  // namespace tarn::engine
