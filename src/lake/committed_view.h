#pragma once

#include <memory>

#include "base/status.h"
#include "delta/table.h"
#include "lake/table_view.h"

namespace tarn::lake {

/// A table at one version, as it lies in the log.
std::shared_ptr<const TableView> CommittedView(const TableName& name, const delta::TableContext& table,
                                               std::shared_ptr<const delta::Snapshot> snapshot);

/// A table as `as_of` asks for it, committed rows only. Errors are those of delta::LoadSnapshotAt, VersionAtTimestamp
/// and ReadChanges.
Result<std::shared_ptr<const TableView>> PastView(const TableName& name, const delta::TableContext& table,
                                                  const AsOf& as_of);

}  // namespace tarn::lake
