#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::columnar {

using BatchVisitor = std::function<Status(const std::shared_ptr<arrow::RecordBatch>&)>;

/// What to read of a file.
struct ParquetSelection {
  /// In the order in which they are read; empty reads none.
  std::vector<int> row_groups;
  /// Leaf columns (ParquetFile::FindLeaves). A struct arrives with the selected ones of its members; with no leaf at
  /// all batches have rows but no columns.
  std::vector<int> leaves;
  int64_t batch_rows = 8192;
};

/// A Parquet file whose footer was read. Types are those of the Delta list in delta_schema.h wherever one stands for
/// what the file stores; INT96 is timestamp[us] without zone. Corruption, naming the object, for bytes that are no
/// Parquet; errors of the store pass through. Thread-compatible.
class ParquetFile {
 public:
  virtual ~ParquetFile() = default;
  static Result<std::unique_ptr<ParquetFile>> Open(storage::ObjectStore& store, const std::string& key);

  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  virtual int64_t num_rows() const = 0;
  virtual int num_row_groups() const = 0;
  virtual int64_t row_group_rows(int row_group) const = 0;

  /// All leaves below a path of names as the file nests them ({"add", "path"}; a map's entries are "key_value", "key"
  /// and "value", a list's "list" and "element"). Empty when there is none.
  virtual std::vector<int> FindLeaves(const std::vector<std::string>& path) const = 0;
  /// Nulls of a leaf within a row group, a missing parent counted; nullopt when the file does not say.
  virtual std::optional<int64_t> NullCount(int row_group, int leaf) const = 0;

  /// Streams the selected part in file order. Holds about one batch and a read buffer per leaf in memory. A failing
  /// visitor ends it with its status.
  virtual Status Read(const ParquetSelection& selection, const BatchVisitor& visit) = 0;
};

struct ParquetReadOptions {
  /// Top-level columns to read, in this order; empty for all. A column that the file lacks is left out.
  std::vector<std::string> columns;
  int64_t batch_rows = 8192;
};

/// Streams a Parquet file's rows through `visit` in file order, with a bounded part of it in memory. For compaction and
/// checkpoints; queries read through the engine. Corruption names the object.
Status ReadParquet(storage::ObjectStore& store, const std::string& key, const ParquetReadOptions& options,
                   const BatchVisitor& visit);

}  // namespace tarn::columnar
