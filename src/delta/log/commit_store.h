#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// What is known of a commit that was just made.
struct PublishedCommit {
  /// In milliseconds; some stores tell when they answered, which may be a second later than what they show afterwards.
  int64_t modified_millis = 0;
  /// Of its file.
  std::string etag;
};

/// Where a table's commits are decided: the one place that makes version N exist at most once. Thread-safe.
class CommitStore {
 public:
  virtual ~CommitStore() = default;
  /// Publishes a version, durably, unless it exists. AlreadyExists: another commit has it; Indeterminate: it may have
  /// been published; anything else: it was not.
  virtual Result<PublishedCommit> Publish(int64_t version, std::string_view text) = 0;
};

/// Commits by put-if-absent of the commit file.
std::shared_ptr<CommitStore> MakePutIfAbsentCommits(std::shared_ptr<storage::ObjectStore> store);

struct CommitText {
  std::string text;
  int64_t modified_millis = 0;
};

/// One commit file, whole; NotFound when the version does not exist.
Result<CommitText> ReadCommit(storage::ObjectStore& store, int64_t version);

}  // namespace tarn::delta
