#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "delta/log/commit_json.h"

namespace tarn::delta {

/// Hands over each tombstone of some lines of a log.
class RemoveVisitor final : public ActionVisitor {
 public:
  explicit RemoveVisitor(std::function<Status(const Remove&)> visit) : visit_(std::move(visit)) {}

  /// The action's name may be written with escapes, too.
  bool Skips(std::string_view line) const override { return !Holds(line, "\"remove\"", 5) && !Holds(line, "\\u", 1); }

  Status OnRemove(const RemoveRecord& record) override {
    Remove remove;
    remove.path = record.path;
    remove.deletion_timestamp_millis = record.deletion_timestamp_millis;
    remove.data_change = record.data_change;
    remove.extended_file_metadata = record.extended_file_metadata;
    TARN_ASSIGN_OR_RETURN(remove.partition_values, ParsePartitionValuesObject(record.partition_values));
    remove.size_bytes = record.size_bytes;
    remove.deletion_vector = record.deletion_vector;
    return visit_(remove);
  }

 private:
  /// Looks for `text` by its character at `rare`: quotes and backslashes are all over such a line.
  static bool Holds(std::string_view line, std::string_view text, size_t rare) {
    for (size_t at = line.find(text[rare], rare); at != line.npos; at = line.find(text[rare], at + 1)) {
      if (line.compare(at - rare, text.size(), text) == 0) return true;
    }
    return false;
  }

  const std::function<Status(const Remove&)> visit_;
};

}  // namespace tarn::delta
