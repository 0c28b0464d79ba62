#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "columnar/value.h"
#include "lake/table_view.h"

namespace tarn::engine {

/// A query parameter; the JSON types suffice for HTTP.
using Parameter = std::variant<std::monostate, bool, int64_t, double, std::string>;

/// Limits of one query; those of EngineOptions hold as well, so that a request can only tighten them.
struct QueryLimits {
  /// 0 means no limit. The time counts from the call of Execute and goes on while the stream is not read.
  int64_t timeout_micros = 0;
  int64_t max_rows = 0;
};

struct QueryRequest {
  std::string sql;
  /// Positional ($1, ?) in order, or named ($name) when `named_parameters` is used; not both.
  std::vector<Parameter> parameters;
  std::vector<std::pair<std::string, Parameter>> named_parameters;
  QueryLimits limits;
  /// Who asks, for the query log and for fairness among those who wait.
  std::string principal = "anonymous";
  /// Chosen by the caller, so that Cancel reaches the query while Execute still waits or plans; made when empty.
  std::string query_id;
};

/// What a session may do beyond reading the lake. Frontends use the default.
struct SessionPolicy {
  /// read_parquet, read_csv, … on any file this process can read: the command line on the user's own machine.
  bool local_files = false;
  /// INSERT, UPDATE, DELETE, MERGE, CREATE TABLE and ALTER TABLE, each one commit of one table of the lake.
  bool writes = false;
};

/// A running query's answer. Thread-compatible, except Cancel, which any thread may call. Destroying it cancels the
/// query.
class QueryStream {
 public:
  virtual ~QueryStream() = default;
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// The next rows, coalesced to useful sizes; null at the end. After an error every call returns it again.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
  virtual void Cancel() = 0;
  virtual const std::string& query_id() const = 0;
};

struct EngineOptions {
  int64_t memory_limit_bytes = 0;
  int threads = 0;
  /// Emptied at start; spill stays below `max_temp_bytes`.
  std::string temp_directory;
  int64_t max_temp_bytes = int64_t{32} << 30;
  /// The process's resident memory above which queries are stopped, newest first: what one huge value takes is not
  /// counted by `memory_limit_bytes`. 0 means twice that limit and half a GiB.
  int64_t max_resident_bytes = 0;
  /// Queries at once; the rest wait in order of arrival, at most `max_waiting`.
  int max_concurrent = 8;
  int max_waiting = 256;
  QueryLimits default_limits;
  SessionPolicy policy;
};

/// One row of `system.queries`.
struct QueryInfo {
  std::string query_id;
  std::string principal;
  std::string sql;
  std::string state;
  int64_t started_micros = 0;
  int64_t elapsed_micros = 0;
  int64_t rows = 0;
  double progress = 0;
  /// What it asked object stores for to read data files, and the bytes of the answers.
  int64_t storage_requests = 0;
  int64_t storage_bytes = 0;
  std::string error;
};

struct EngineStats {
  int64_t running = 0;
  int64_t waiting = 0;
  int64_t started_total = 0;
  int64_t failed_total = 0;
  int64_t cancelled_total = 0;
  int64_t memory_bytes = 0;
  int64_t temp_bytes = 0;
  int64_t instances_replaced = 0;
};

/// A system table: its rows are made when it is queried.
class SystemTable {
 public:
  virtual ~SystemTable() = default;
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Read() = 0;
};

/// SQL in, Arrow out: every frontend goes through it. Thread-safe.
///
/// Errors: InvalidArgument (with the position in the message's detail, see SqlErrorPosition) for bad SQL, NotFound for
/// an unknown table, PermissionDenied for what the session's policy forbids, DeadlineExceeded, Cancelled,
/// ResourceExhausted (memory, rows, queue), Internal for a fault of the engine, which is then replaced.
class QueryService {
 public:
  virtual ~QueryService() = default;
  /// `catalog` outlives the service.
  static Result<std::unique_ptr<QueryService>> Open(const EngineOptions& options, lake::TableCatalog& catalog,
                                                    Clock& clock);

  /// Adds a table `system.<name>`; before the first query.
  virtual Status RegisterSystemTable(const std::string& name, std::shared_ptr<SystemTable> table) = 0;
  /// Adds a local file as table `main.<name>` (policy.local_files only): Parquet, CSV or NDJSON by its extension.
  virtual Status RegisterLocalFile(const std::string& name, const std::string& path) = 0;

  /// Starts a query and returns once its schema is known; a query that ends within a few milliseconds has ended then.
  /// AlreadyExists when a query of the same id is running.
  virtual Result<std::unique_ptr<QueryStream>> Execute(const QueryRequest& request) = 0;

  /// Interrupts a running query; NotFound when there is none of that id.
  virtual Status Cancel(const std::string& query_id) = 0;
  virtual std::vector<QueryInfo> Queries() const = 0;
  virtual EngineStats stats() const = 0;

  /// Makes the engine behave as after an internal error of its own; for tests.
  virtual void SpoilInstanceForTesting() {}
};

/// Whether the text is a statement that SessionPolicy::writes is for; false for one that does not parse.
bool ChangesTables(const std::string& sql);

/// The byte offset in the SQL text that an InvalidArgument status points to, where the engine told one.
std::optional<size_t> SqlErrorPosition(const Status& status);
/// The message without that offset, for those who tell it in another way.
std::string SqlErrorText(const Status& status);
/// A status that SqlErrorPosition finds `position` in.
Status WithSqlErrorPosition(const Status& status, size_t position);

}  // namespace tarn::engine
