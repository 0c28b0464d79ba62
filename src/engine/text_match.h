#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tarn::engine {

/// Counts what matches work through and calls `poll`, which may throw, now and then: a match of long texts takes as
/// long as its caller lets it.
class MatchSteps {
 public:
  static constexpr int64_t kStepsPerPoll = 1 << 20;

  explicit MatchSteps(void (*poll)()) : poll_(poll) {}
  void Count(size_t steps) {
    left_ -= static_cast<int64_t>(steps);
    if (left_ > 0) return;
    left_ = kStepsPerPoll;
    poll_();
  }

 private:
  void (*poll_)();
  int64_t left_ = kStepsPerPoll;
};

struct LikeOptions {
  /// The byte that makes the next one stand for itself.
  std::optional<char> escape;
  /// `A` to `Z` equal `a` to `z`, in texts of ASCII alone.
  bool fold_ascii = false;
  /// Called when the match comes to an escape that nothing follows; throws.
  void (*escape_at_end)() = nullptr;
};

/// `text LIKE pattern`, and `text GLOB pattern` (`?`, `*`, `[a-c]`, `[!a]`, `\`), as DuckDB has them: `_` is a
/// character of UTF-8, `?` and what brackets hold are bytes, and a bracket that nothing closes matches nothing. In time
/// proportional to text times pattern at most, where DuckDB tries every way to spread the text over the wildcards.
bool MatchesLike(std::string_view text, std::string_view pattern, const LikeOptions& options, MatchSteps& steps);
bool MatchesGlob(std::string_view text, std::string_view pattern, MatchSteps& steps);

}  // namespace tarn::engine
