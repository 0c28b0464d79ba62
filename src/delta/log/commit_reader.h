#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/log/commit_json.h"
#include "delta/log/log_segment.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Bytes [begin, end) of one commit; a part owns the lines that begin in it.
struct CommitPart {
  const LogFile* commit = nullptr;
  int64_t begin = 0;
  int64_t end = 0;
};

/// Reads and parses commits part by part, holding one part at a time. Thread-compatible.
class CommitReader {
 public:
  /// Called before each line, which stays in its place while it is visited, with where it begins in its file.
  using LineObserver = std::function<void(std::string_view line, int64_t offset)>;

  explicit CommitReader(storage::ObjectStore& store) : store_(store) {}

  /// Corruption names file and place.
  Status Read(const CommitPart& part, ActionVisitor& visitor, const LineObserver& observer = nullptr);
  /// A whole commit in windows of `window_bytes`.
  Status ReadAll(const LogFile& commit, int64_t window_bytes, ActionVisitor& visitor,
                 const LineObserver& observer = nullptr);

 private:
  Status ReadPart(const CommitPart& part, ActionVisitor& visitor, const LineObserver& observer);
  Status Fill(const CommitPart& part, int64_t& from, size_t& length, int64_t& end);

  storage::ObjectStore& store_;
  CommitParser parser_;
  std::string buffer_;
};

}  // namespace tarn::delta
