#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory_budget.h"
#include "base/mutex.h"
#include "base/status.h"
#include "frontends/encoding/byte_buffer.h"

namespace tarn::frontends {

/// How the end of a connection reaches the work on its request. Thread-safe.
class CancelHook {
 public:
  /// Runs what was set, now or as soon as it is set.
  void Cancel() EXCLUDES(mutex_);
  /// What Cancel calls: any thread, at most once. Nothing of it may call back into this hook.
  void Set(std::function<void()> action) EXCLUDES(mutex_);
  bool cancelled() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::function<void()> action_ GUARDED_BY(mutex_);
};

/// One request, read whole.
struct HttpRequest {
  std::string method;
  /// Decoded path, without the query string.
  std::string path;
  /// Decoded query parameters; the first of a repeated name counts.
  std::map<std::string, std::string, std::less<>> query;
  /// Names in lower case; repeated fields joined by ", ".
  std::map<std::string, std::string, std::less<>> headers;
  std::string body;
  /// The memory for requests, for handlers that decode; may be null. `memory` is what the body holds of it.
  MemoryBudget* budget = nullptr;
  MemoryBudget::Reservation memory;
  /// Cancelled when the client goes away; may be null.
  std::shared_ptr<CancelHook> cancel;

  std::string_view Header(std::string_view lower_name) const {
    const auto found = headers.find(lower_name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
  std::optional<std::string> Query(std::string_view name) const {
    const auto found = query.find(name);
    if (found == query.end()) return std::nullopt;
    return found->second;
  }
};

/// Splits "/path?a=1&b=2" and undoes its encoding; InvalidArgument for a broken escape.
Status ParseTarget(std::string_view target, HttpRequest& request);

/// A body that is made while it is sent. Thread-compatible.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Appends at least `target_bytes`, unless the body ends; true while there is more. After an error what was appended
  /// may still be sent, but the body must be broken off.
  virtual Result<bool> Fill(size_t target_bytes, ByteBuffer& out) = 0;
};

/// An answer: either `body` or `source`.
struct HttpResponse {
  int status = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::unique_ptr<BodySource> source;
  /// Turns a source's failure into an answer, as long as nothing was sent.
  std::string query_id;
};

/// The text that goes with a status code.
std::string_view ReasonPhrase(int status);

/// problem+json (RFC 9457) for a status; a position in the SQL text that it tells becomes a member of its own.
HttpResponse Problem(const Status& status, std::string_view query_id = {});
/// The same for faults that have an HTTP status but no status code of ours.
HttpResponse Problem(int http_status, std::string_view code, std::string_view detail);

}  // namespace tarn::frontends
