#pragma once

#include <vector>

#include "base/status.h"
#include "columnar/parquet_reader.h"
#include "delta/snapshot.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Streams the rows of one data file as the table sees them: `columns` (indices into the snapshot's schema, none of
/// them a partition column) under their names and types there, whatever the file calls them and however narrow it holds
/// them, nulls for those that it lacks, without the rows that its deletion vectors leave out. For rewrites and exports;
/// queries read through the engine.
///
/// Corruption names the file; errors of the store pass through; a failing visitor ends it with its status.
Status ReadDataFile(storage::ObjectStore& table_store, const Snapshot& snapshot, const DataFile& file,
                    const std::vector<int>& columns, const columnar::BatchVisitor& visit);

}  // namespace tarn::delta
