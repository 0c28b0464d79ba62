#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/table.h"

namespace tarn::delta {

/// What a checkpoint holds besides protocol and metadata: the reconciled actions of one version (PROTOCOL.md, "Action
/// Reconciliation"). The class that implements Snapshot derives from this too; WriteCheckpoint finds it there.
///
/// Every visit hands over one action at a time, in an order that is the same on every call, stops at the first failing
/// status and returns it. Nothing is kept by the visitor, so an implementation may decode into one reused object. All
/// methods are const and thread-safe.
class CheckpointSource {
 public:
  virtual ~CheckpointSource() = default;

  /// Every live file, with its statistics text and tags.
  virtual Status VisitAdds(const std::function<Status(const Add&)>& visit) const = 0;

  /// Every tombstone with `deletionTimestamp` > `deleted_after_millis` (an absent timestamp counts as 0) whose (path,
  /// deletion vector) is not live. Tombstones older than the last checkpoint need not be held in memory: they may be
  /// read from it again through `table`.
  virtual Status VisitRemoves(const TableContext& table, int64_t deleted_after_millis,
                              const std::function<Status(const Remove&)>& visit) const = 0;

  /// The latest `txn` of each application.
  virtual Status VisitTxns(const std::function<Status(const Txn&)>& visit) const = 0;

  /// The latest `domainMetadata` of each domain that is not removed.
  virtual Status VisitDomains(const std::function<Status(const DomainMetadata&)>& visit) const = 0;
};

}  // namespace tarn::delta
