#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "engine/lake_catalog.h"
#include "engine/query_service.h"
#include "lake/table_view.h"
#include "storage/read_ahead.h"

/// One DuckDB instance as the query service sees it, without DuckDB headers.
namespace tarn::engine {

struct DatabaseOptions {
  int64_t memory_limit_bytes = 0;
  /// Of all instances together, values of running expressions included; 0 is none.
  int64_t max_allocated_bytes = 0;
  int threads = 0;
  /// Belongs to this instance alone.
  std::string temp_directory;
  int64_t max_temp_bytes = 0;
  SessionPolicy policy;
};

/// A statement that was parsed and passed the gate's first two layers (sql_gate.h). It is run as the object that was
/// checked; its text is not parsed again.
class CheckedStatement {
 public:
  virtual ~CheckedStatement() = default;
};

/// One statement on one connection, driven step by step by one thread at a time. Interrupt and progress may be called
/// by any thread. Destroying it ends the statement and gives the connection back.
class Cursor {
 public:
  struct Step {
    /// Nothing follows.
    bool done = false;
    /// Waited for other threads' work instead of working.
    bool waited = false;
    /// Rows, when there are any yet.
    std::shared_ptr<arrow::RecordBatch> batch;
  };

  virtual ~Cursor() = default;
  /// Binds and plans; the schema is known afterwards. Of the limits only that of rows is looked at, by what has to be
  /// known before a commit. Once.
  virtual Status Start(std::unique_ptr<CheckedStatement> statement, const QueryRequest& request) = 0;
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// Does a bounded piece of the work. After `done` or an error it must not be called again.
  virtual Result<Step> Advance() = 0;
  virtual void Interrupt() = 0;
  /// Between 0 and 1.
  virtual double progress() const = 0;
  /// What the statement asked object stores for so far. Any thread; outlives the cursor.
  virtual std::shared_ptr<const storage::ReadCost> cost() const = 0;
};

/// Thread-safe. Cursors keep the instance alive.
class Database : public std::enable_shared_from_this<Database> {
 public:
  virtual ~Database() = default;
  /// Opens an instance whose default database is the lake, with its configuration locked. `catalog` outlives it.
  static Result<std::shared_ptr<Database>> Open(const DatabaseOptions& options, lake::TableCatalog& catalog,
                                                std::shared_ptr<const SystemTableRegistry> system_tables);

  virtual Result<std::unique_ptr<CheckedStatement>> Check(const std::string& sql) = 0;
  virtual Result<std::unique_ptr<Cursor>> NewCursor() = 0;
  /// Adds the view `main.<name>` over a local file, by the file's extension.
  virtual Status AddLocalFile(const std::string& name, const std::string& path) = 0;
  /// True once an internal error has made every further statement fail.
  virtual bool invalidated() const = 0;
  virtual int64_t memory_bytes() const = 0;
  virtual int64_t temp_bytes() const = 0;
  /// Makes the instance unusable as an internal error of DuckDB would; for tests.
  virtual void InvalidateForTesting() = 0;
};

/// ResourceExhausted when an answer has more rows than the limits let it have.
Status CheckResultRows(const QueryLimits& limits, int64_t rows);

/// OK when the library loaded at run time is the one the headers belong to.
Status CheckDuckDbVersion();

}  // namespace tarn::engine
