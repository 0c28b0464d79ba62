#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/object_store.h"
#include "storage/s3/s3_client.h"

namespace tarn::storage::internal {

/// ObjectStore::Put as one request.
Result<ObjectInfo> PutObject(S3Client& client, std::string_view key, ByteSpan bytes, const Precondition& precondition);

/// A writer that sends pieces of `part_bytes` as a multipart upload, and what is smaller as one object. The
/// precondition is that of the last request. The upload is aborted when it is not finished; what a lost process leaves
/// is for the bucket's own rule to remove (AbortIncompleteMultipartUpload).
std::unique_ptr<ObjectWriter> MakeS3Writer(std::shared_ptr<S3Client> client, std::string key,
                                           const Precondition& precondition, size_t part_bytes);

}  // namespace tarn::storage::internal
