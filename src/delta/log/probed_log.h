#pragma once

#include <memory>

#include "storage/object_store.h"

namespace tarn::delta {

/// A view of a table's store that cannot be listed, in which the log can be, for reading: its files are asked for by
/// their names, from the version that the listing begins with, or from the `_last_checkpoint` hint, on to the
/// first that is not there. Seen are all commits; the checkpoint that the hint names, in parts or under its uuid, and
/// older classic ones where the log's beginning was cleaned; and the checksum of the newest version. Compacted files
/// are not. Other folders are listed as the store says.
///
/// A server that answers PermissionDenied for whatever is not there (S3 without the right to list) has it count as
/// NotFound within the log, unless it shows nothing of it; one that answers for files that cannot be there is
/// Unsupported, and one that has more than 20,000 files ResourceExhausted. Thread-safe.
std::shared_ptr<storage::ObjectStore> MakeProbedLog(std::shared_ptr<storage::ObjectStore> store);

}  // namespace tarn::delta
