#pragma once

#include <cstddef>
#include <memory>

#include "storage/object_store.h"
#include "storage/s3/s3_client.h"

namespace tarn::storage::internal {

/// Pieces of larger objects; only the last may be smaller. 10,000 of them are as much as S3 takes.
inline constexpr size_t kS3PartBytes = 8 << 20;

/// A bucket of S3 or of a service that is like it. A writer holds one piece in memory. Tags are S3's, which say what an
/// object holds: writing the same again does not change them. Times are in whole seconds; Put tells the server's clock,
/// which Head may show moments later. Keys that are not ours ("a//b", "a/") are not listed.
std::shared_ptr<ObjectStore> MakeS3Store(std::shared_ptr<S3Client> client, size_t part_bytes = kS3PartBytes);

}  // namespace tarn::storage::internal
