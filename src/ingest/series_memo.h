#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/column.h"

namespace tarn::ingest {

class Measurement;

/// One tag of a resolved series.
struct SeriesTag {
  Column* column = nullptr;
  /// Escapes resolved; points into the body or into the memo.
  std::string_view value;
};

/// Remembers what the text before the first field ("cpu,host=a,region=b") was resolved to, so that a series is parsed
/// once per body. A bounded cache: an entry may be replaced at any time, which only costs parsing again. Texts point
/// into the body.
class SeriesMemo {
 public:
  explicit SeriesMemo(size_t body_bytes);

  struct Entry {
    std::string_view prefix;
    Measurement* measurement = nullptr;
    /// Into the tag pool.
    size_t first_tag = 0;
    size_t tag_count = 0;
    /// The entry of the line that came next the last time: producers send their series in the same order again.
    uint32_t next = 0;
  };

  /// The entry whose prefix `text` starts with, up to a space, or null. Looks at the predicted entry first.
  const Entry* Find(std::string_view text);
  /// Remembers a series; `tags` must hold only columns that are committed.
  void Insert(std::string_view prefix, Measurement* measurement, const std::vector<SeriesTag>& tags);
  /// A copy of `value` that lives as long as the memo.
  std::string_view Keep(std::string value) { return kept_.emplace_back(std::move(value)); }

  const SeriesTag* TagsOf(const Entry& entry) const { return tags_.data() + entry.first_tag; }

 private:
  void MoveTo(uint32_t slot);

  std::vector<Entry> slots_;
  std::vector<SeriesTag> tags_;
  std::deque<std::string> kept_;
  uint32_t last_ = 0;
};

}  // namespace tarn::ingest
