#pragma once

#include <functional>

#include "storage/object_store.h"
#include "storage/s3/s3_client.h"

namespace tarn::storage::internal {

/// ObjectStore::List by ListObjectsV2, a thousand entries at a time. Unsupported for a server whose entries are not in
/// the order of their keys; Corruption for an answer that is no listing.
Status ListBucket(S3Client& client, const ListOptions& options, const std::function<bool(const ListEntry&)>& visit);

}  // namespace tarn::storage::internal
