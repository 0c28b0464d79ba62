#pragma once

#include <memory>

#include "base/status.h"
#include "delta/log_segment.h"
#include "delta/parsed_actions.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Reads what scans need of a checkpoint: protocol, metaData, txn, domainMetadata and add, not remove. Corruption names
/// the file.
Result<std::unique_ptr<ParsedActions>> ReadCheckpoint(const std::shared_ptr<storage::ObjectStore>& store,
                                                      const CheckpointFiles& checkpoint);

/// Visits the tombstones of a checkpoint.
Status VisitCheckpointRemoves(storage::ObjectStore& store, const CheckpointFiles& checkpoint,
                              const std::function<Status(const Remove&)>& visit);

}  // namespace tarn::delta
