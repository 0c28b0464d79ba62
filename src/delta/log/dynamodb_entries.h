#pragma once

#include <memory>

#include "delta/log/commit_entries.h"
#include "storage/dynamodb/dynamodb_client.h"

namespace tarn::delta {

/// Entries in a DynamoDB table as Spark's S3DynamoDBLogStore lays them out: hash key `tablePath`, range key `fileName`,
/// `tempPath` and `complete` ("true" or "false") as texts, and of complete ones `expireTime` in seconds since 1970.
std::shared_ptr<CommitEntries> MakeDynamoDbEntries(std::shared_ptr<const storage::DynamoDbClient> client);

}  // namespace tarn::delta
