#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::columnar {

struct ParquetReadOptions {
  /// Top-level columns to read, in this order; empty for all. A column that the file lacks is left out.
  std::vector<std::string> columns;
  int64_t batch_rows = 8192;
};

/// Streams a Parquet file's rows through `visit` in file order, with a bounded part of it in memory. For compaction and
/// checkpoints; queries read through the engine. Corruption names the object.
Status ReadParquet(storage::ObjectStore& store, const std::string& key, const ParquetReadOptions& options,
                   const std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>& visit);

}  // namespace tarn::columnar
