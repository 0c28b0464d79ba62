#include "delta/table_store.h"

#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/uri.h"
#include "delta/log/dynamodb_entries.h"
#include "delta/log/external_commits.h"
#include "delta/log/probed_log.h"
#include "storage/stores.h"

namespace tarn::delta {

namespace {

/// For jitter and the names of temporary files, for as long as the process lives.
Random& CommitRandom() {
  static Random random = Random::FromSystem();
  return random;
}

}  // namespace

Result<std::shared_ptr<storage::ObjectStore>> OpenTableStore(std::string_view uri, const EntryTable& entries,
                                                             const Environment& environment) {
  constexpr std::string_view kS3Scheme = "s3://";
  TARN_ASSIGN_OR_RETURN(auto store, storage::OpenStore(uri));
  const std::string place = store->uri();
  if (storage::IsWebUri(place)) return MakeProbedLog(std::move(store));
  if (!place.starts_with(kS3Scheme)) return store;
  if (entries.name.empty()) return MakeCommitsWithoutEntries(std::move(store));
  ExternalCommitOptions options;
  TARN_ASSIGN_OR_RETURN(const std::string path, PercentDecode(place.substr(kS3Scheme.size())));
  options.root = entries.scheme + "://" + path;
  TARN_ASSIGN_OR_RETURN(
      const auto client,
      storage::OpenDynamoDb({.name = entries.name, .region = entries.region, .endpoint = entries.endpoint}, environment,
                            CommitRandom()));
  return MakeExternalCommits(std::move(store), MakeDynamoDbEntries(client), std::move(options), SystemClock(),
                             CommitRandom());
}

}  // namespace tarn::delta
