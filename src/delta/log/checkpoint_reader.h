#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/log/log_segment.h"
#include "delta/log/parsed_actions.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Reads what scans need of a checkpoint: protocol, metaData, txn, domainMetadata and add, not remove, from its own
/// files and its sidecars, on at most `max_threads` threads. The first of the parts holds the small actions. Corruption
/// names the file.
Result<std::vector<std::unique_ptr<ParsedActions>>> ReadCheckpoint(const std::shared_ptr<storage::ObjectStore>& store,
                                                                   const CheckpointFiles& checkpoint, int max_threads);

/// The keys of a v2 checkpoint's sidecars; none for a classic one.
Result<std::vector<std::string>> ReadSidecarKeys(const std::shared_ptr<storage::ObjectStore>& store,
                                                 const CheckpointFiles& checkpoint);

/// Visits the tombstones of a checkpoint.
Status VisitCheckpointRemoves(const std::shared_ptr<storage::ObjectStore>& store, const CheckpointFiles& checkpoint,
                              const std::function<Status(const Remove&)>& visit);

}  // namespace tarn::delta
