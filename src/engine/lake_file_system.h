#pragma once

#include <memory>
#include <optional>
#include <string>

#include "delta/snapshot.h"
#include "duckdb/common/open_file_info.hpp"
#include "storage/object_store.h"

namespace tarn::engine {

/// How a scan names a data file to DuckDB: path_prefix + key, with what the log knows of it (so that no metadata
/// request is needed and the external file cache may trust it) and the store to read it from. Only this makes a path
/// readable; SQL text cannot express it. `store` outlives every use of the result.
duckdb::OpenFileInfo MakeDataFileInfo(const std::string& path_prefix, const delta::DataFile& file,
                                      const std::shared_ptr<storage::ObjectStore>& store);

/// The inverse: key, size and modification time.
delta::DataFile DataFileOf(const duckdb::OpenFileInfo& info);

/// Whether deletion vectors leave rows of the data file out.
bool HasDeletions(const delta::DataFile& file);
bool HasDeletions(const duckdb::OpenFileInfo& info);

/// The pseudo file of a group of buffered rows.
duckdb::OpenFileInfo MakeBufferInfo(const std::string& path_prefix, size_t group);

/// The group that a pseudo file stands for.
std::optional<size_t> BufferGroupOf(const duckdb::OpenFileInfo& info);

}  // namespace tarn::engine
