#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/environment.h"
#include "base/random.h"
#include "base/status.h"
#include "storage/backoff.h"
#include "storage/http/http_client.h"
#include "storage/s3/credentials.h"

namespace tarn::storage {

/// A table of DynamoDB, or of a service that speaks its protocol, and where it is.
struct DynamoDbTable {
  std::string name;
  std::string region;
  /// "https://dynamodb.eu-central-1.amazonaws.com", without path and default port.
  std::string endpoint;
};

/// Signs requests about one table, sends them, repeats what may be repeated, and says in our words what went wrong.
/// Thread-safe.
class DynamoDbClient {
 public:
  struct Seams {
    std::shared_ptr<HttpClient> http;
    std::shared_ptr<internal::CredentialProvider> credentials;
    RetryPolicy retry;
    Clock* clock = nullptr;
    Random* random = nullptr;
  };
  DynamoDbClient(DynamoDbTable table, Seams seams);

  /// What becomes of a request whose answer is lost.
  enum class Repeat { kNever, kWhenLost };

  /// One operation ("GetItem") with its JSON, which names the table; the answer's JSON. Conflict: the condition did not
  /// hold; Unavailable: throttled, not sent, or no such table (nothing happened; nor does anybody know what is in it);
  /// Indeterminate: a request that may not be repeated was sent and there is no answer; PermissionDenied;
  /// Unauthenticated; Internal for any other refusal. The message names table and region, and never a secret.
  Result<std::string> Call(std::string_view operation, std::string_view json, Repeat repeat) const;

  const DynamoDbTable& table() const { return table_; }

 private:
  Result<std::string> CallOnce(std::string_view operation, std::string_view json) const;
  Status StatusOf(const HttpResponse& answer) const;

  const DynamoDbTable table_;
  const Seams seams_;
};

/// The client of a table. Region and endpoint are those of the usual variables (docs/storage.md) where they are empty.
/// InvalidArgument names the setting that is wrong. `random` must outlive the client.
Result<std::shared_ptr<const DynamoDbClient>> OpenDynamoDb(const DynamoDbTable& table, Environment environment,
                                                           Random& random);

}  // namespace tarn::storage
