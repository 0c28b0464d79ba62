#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "storage/object_store.h"
#include "storage/testing/fake_http_server.h"

namespace tarn::storage::testing {

/// As much of S3 as our store uses, in memory, on a port of 127.0.0.1; signatures are not checked, paths are
/// /bucket/key. For faults that real services do not show when told to. Thread-safe.
class FakeS3 {
 public:
  struct Habits {
    /// Overwrites in spite of If-None-Match and If-Match, as Adobe's S3Mock 3.10 does.
    bool ignores_preconditions = false;
    /// Looks whether the object exists, lets the others do so too, and only then writes, as s3s-fs 0.14 may.
    bool races = false;
    /// Decodes keys once more than they were encoded, as s3s-fs 0.14 does.
    bool decodes_keys = false;
    size_t page_size = 1000;
  };
  explicit FakeS3(Habits habits);
  FakeS3() : FakeS3(Habits()) {}

  std::string url() const { return server_.url(); }
  std::vector<FakeRequest> requests() const { return server_.requests(); }
  /// Uploads that were begun and neither completed nor aborted.
  size_t open_uploads() const EXCLUDES(mutex_);

  /// Asked before a request is done; an answer stands in place of doing it.
  using Instead = std::function<std::optional<FakeReply>(const FakeRequest&)>;
  void AnswerInstead(Instead instead) EXCLUDES(mutex_);
  /// Asked after a request was done; an answer goes out in place of the true one.
  void AnswerAfter(Instead after) EXCLUDES(mutex_);
  /// An answer as S3 words it.
  static FakeReply Error(int status, const std::string& code);

  /// A store on this server as OpenStore makes them, with waits that take no time. `part_bytes` as S3 has no smaller.
  std::shared_ptr<ObjectStore> MakeStore(const std::string& bucket = "bucket", size_t part_bytes = 8 << 20) const;

 private:
  struct Object {
    std::string bytes;
    std::string etag;
  };
  struct Upload {
    std::string key;
    std::map<int, std::string> parts;
  };

  FakeReply Answer(const FakeRequest& request) EXCLUDES(mutex_);
  FakeReply Do(const FakeRequest& request) EXCLUDES(mutex_);
  FakeReply Get(const FakeRequest& request, const std::string& key) EXCLUDES(mutex_);
  FakeReply Write(const FakeRequest& request, const std::string& key, const std::string& bytes) EXCLUDES(mutex_);
  std::optional<FakeReply> Refuses(const FakeRequest& request, const std::string& key) REQUIRES(mutex_);
  FakeReply List(const std::map<std::string, std::string>& query) EXCLUDES(mutex_);
  FakeReply Complete(const FakeRequest& request, const std::string& upload) EXCLUDES(mutex_);

  const Habits habits_;
  mutable Mutex mutex_;
  CondVar raced_;
  int racing_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, Object> objects_ GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ GUARDED_BY(mutex_);
  int uploads_begun_ GUARDED_BY(mutex_) = 0;
  Instead instead_ GUARDED_BY(mutex_);
  Instead after_ GUARDED_BY(mutex_);
  /// Last, so that no request comes before the rest or after it.
  FakeHttpServer server_;
};

}  // namespace tarn::storage::testing
