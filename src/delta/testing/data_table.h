#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "delta/transaction.h"

namespace tarn::delta::testing {

/// A table with real Parquet files, for what reads or rewrites them. Failures abort the test. At its end log and files
/// must keep every rule of the protocol, unless the test says that it broke them.
class DataTable {
 public:
  /// In memory unless a store is given.
  explicit DataTable(std::shared_ptr<storage::ObjectStore> store = nullptr);

  ~DataTable();
  DataTable(const DataTable&) = delete;
  DataTable& operator=(const DataTable&) = delete;

  /// For a test that damages the table or invents files.
  void ExpectBroken() { broken_ = true; }

  const TableContext& context() const { return context_; }
  storage::ObjectStore& store() { return *context_.store; }
  FakeClock& clock() { return clock_; }

  std::shared_ptr<const Snapshot> Create(std::shared_ptr<arrow::Schema> schema,
                                         std::vector<std::string> partition_columns = {},
                                         std::map<std::string, std::string> configuration = {});
  /// Writes one data file of the given columns with rows as Arrow reads them from JSON, and commits it. The clock goes
  /// on by a second.
  std::shared_ptr<const Snapshot> Append(const arrow::FieldVector& columns, const std::string& rows_json,
                                         const PartitionValues& partition = {});
  /// Commits the removal of a file.
  std::shared_ptr<const Snapshot> Remove(const std::string& key);
  std::shared_ptr<const Snapshot> Latest();
  /// All rows as text, sorted, partition values and missing columns included.
  std::vector<std::string> Rows(const Snapshot& snapshot);
  /// Rows of one file in its order.
  std::vector<std::string> FileRows(const Snapshot& snapshot, const DataFile& file);
  std::vector<std::string> DataKeys();

 private:
  FakeClock clock_;
  Random random_;
  TableContext context_;
  bool broken_ = false;
};

}  // namespace tarn::delta::testing
