#include "engine/database.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "columnar/arrow_status.h"
#include "duckdb/catalog/catalog_search_path.hpp"
#include "duckdb/execution/executor.hpp"
#include "duckdb/main/client_data.hpp"
#include "duckdb/main/connection.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/main/materialized_query_result.hpp"
#include "duckdb/main/valid_checker.hpp"
#include "duckdb/parser/parser_options.hpp"
#include "duckdb/storage/buffer_manager.hpp"
#include "engine/batch_builder.h"
#include "engine/block_report.h"
#include "engine/bounded_allocator.h"
#include "engine/capped_functions.h"
#include "engine/change_turns.h"
#include "engine/distant_files.h"
#include "engine/exception_barrier.h"
#include "engine/instance_settings.h"
#include "engine/lambda_interrupts.h"
#include "engine/local_files.h"
#include "engine/result_types.h"
#include "engine/row_bytes.h"
#include "engine/sql_gate.h"
#include "engine/table_changes_function.h"
#include "engine/text_functions.h"
#include "engine/transaction_block.h"
#include "engine/type_growth.h"

namespace tarn::engine {
namespace {

constexpr char kVersion[] = "v1.5.6";
/// The catalog of an instance without a file; holds the views over local files.
constexpr char kLocalCatalogName[] = "memory";
constexpr char kMainSchema[] = "main";
/// What planning may take: footers of wide files, not folded constants. Over local files it looks into up to 32 files
/// of a pattern to find their types, and keeps 32 MiB of each.
constexpr int64_t kMaxPlanningBytes = 64 << 20;
constexpr int64_t kMaxPlanningBytesOverFiles = int64_t{2} << 30;
/// A row of a result is held several times until it is sent: in the engine, as Arrow, and rendered. It may take a
/// quarter of the engine's memory, and between these.
constexpr int64_t kMinMaxRowBytes = kMaxValueBytes + (16 << 20);
constexpr int64_t kMaxMaxRowBytes = int64_t{1} << 30;
/// Connections kept for reuse.
constexpr size_t kMaxIdleConnections = 32;
/// A step that came back sooner than this found all the work in other threads' hands.
constexpr int64_t kFruitlessMicros = 20;
/// So many such steps in a row before the thread stops asking, and how long it then leaves the others alone.
constexpr int kMaxFruitlessSteps = 16;
constexpr int64_t kMinPauseMicros = 50;
constexpr int64_t kMaxPauseMicros = 1'000;

/// How often a statement that changes a table is run again behind other commits.
constexpr int kMaxConflicts = 8;

int64_t MaxRowBytes(int64_t memory_limit_bytes) {
  return memory_limit_bytes == 0 ? kMaxMaxRowBytes
                                 : std::clamp(memory_limit_bytes / 4, kMinMaxRowBytes, kMaxMaxRowBytes);
}

/// Memory of the engine's that something takes which does not account for itself.
class ReservedMemory {
 public:
  /// Throws ResourceExhausted, which says that `what` takes it, when the engine has no more.
  ReservedMemory(duckdb::shared_ptr<duckdb::DatabaseInstance> instance, int64_t bytes, const char* what)
      : instance_(std::move(instance)), bytes_(static_cast<duckdb::idx_t>(bytes)) {
    if (bytes_ == 0) return;
    try {
      duckdb::BufferManager::GetBufferManager(*instance_).ReserveMemory(bytes_);
    } catch (const duckdb::OutOfMemoryException&) {
      ThrowStatus(Status::ResourceExhausted(std::string(what) + " takes about " + std::to_string(bytes_ >> 20) +
                                            " MiB of memory, more than the engine has left"));
    }
  }
  ReservedMemory(const ReservedMemory&) = delete;
  ReservedMemory& operator=(const ReservedMemory&) = delete;
  ~ReservedMemory() {
    if (bytes_ > 0) duckdb::BufferManager::GetBufferManager(*instance_).FreeReservedMemory(bytes_);
  }

 private:
  const duckdb::shared_ptr<duckdb::DatabaseInstance> instance_;
  const duckdb::idx_t bytes_;
};

struct Statement final : public CheckedStatement {
  Statement(ParsedRequest parsed, std::unique_ptr<ReservedMemory> memory)
      : request(std::move(parsed)), trees(std::move(memory)) {}

  ParsedRequest request;
  std::unique_ptr<ReservedMemory> trees;
};

duckdb::Value ToValue(const Parameter& parameter) {
  struct Visitor {
    duckdb::Value operator()(std::monostate) const { return duckdb::Value(); }
    duckdb::Value operator()(bool v) const { return duckdb::Value::BOOLEAN(v); }
    duckdb::Value operator()(int64_t v) const { return duckdb::Value::BIGINT(v); }
    duckdb::Value operator()(double v) const { return duckdb::Value::DOUBLE(v); }
    duckdb::Value operator()(const std::string& v) const { return duckdb::Value(v); }
  };
  return std::visit(Visitor{}, parameter);
}

using BoundParameters = duckdb::case_insensitive_map_t<duckdb::BoundParameterData>;

BoundParameters ToBoundParameters(const QueryRequest& request) {
  BoundParameters bound;
  for (size_t i = 0; i < request.parameters.size(); ++i) {
    bound[std::to_string(i + 1)] = duckdb::BoundParameterData(ToValue(request.parameters[i]));
  }
  for (const auto& [name, parameter] : request.named_parameters) {
    bound[name] = duckdb::BoundParameterData(ToValue(parameter));
  }
  return bound;
}

class DuckDatabase;

/// Keeps a cursor's thread from spinning while other threads have all of the query's tasks: DuckDB tells of no event to
/// wait for then.
class Patience {
 public:
  int64_t Now() const { return clock_.MonotonicMicros(); }
  /// To be called after each step that ended the wait for nothing; pauses when it is one too many in a row.
  void AfterStep(int64_t began_micros) EXCLUDES(mutex_) {
    if (Now() - began_micros >= kFruitlessMicros) {
      fruitless_ = 0;
      pause_micros_ = kMinPauseMicros;
    } else if (++fruitless_ >= kMaxFruitlessSteps) {
      MutexLock lock(mutex_);
      if (!awake_) clock_.WaitUntil(woken_, mutex_, Now() + pause_micros_);
      pause_micros_ = std::min(2 * pause_micros_, kMaxPauseMicros);
    }
  }
  /// Ends a pause at once, and lets none follow. By any thread.
  void Wake() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    awake_ = true;
    woken_.notify_all();
  }

 private:
  // The engine's threads run in real time, whatever the clock of the service.
  Clock& clock_ = SystemClock();
  int fruitless_ = 0;
  int64_t pause_micros_ = kMinPauseMicros;
  Mutex mutex_;
  CondVar woken_;
  bool awake_ GUARDED_BY(mutex_) = false;
};

class DuckCursor final : public Cursor {
 public:
  DuckCursor(std::shared_ptr<DuckDatabase> database, std::unique_ptr<duckdb::Connection> connection, ChangeTurns& turns,
             lake::TableCatalog& catalog, int64_t max_planning_bytes, int64_t max_row_bytes)
      : database_(std::move(database)),
        connection_(std::move(connection)),
        cost_(CountReads(*connection_->context)),
        max_planning_bytes_(max_planning_bytes),
        turns_(turns),
        catalog_(catalog),
        builder_(max_row_bytes) {}
  ~DuckCursor() override;

  Status Start(std::unique_ptr<CheckedStatement> statement, const QueryRequest& request) override {
    return Guarded([&] {
      auto& checked = static_cast<Statement&>(*statement);
      trees_ = std::move(checked.trees);
      request_ = std::move(checked.request);
      parameters_ = ToBoundParameters(request);
      limits_ = request.limits;
      if (request_.is_block) {
        TARN_RETURN_NOT_OK(CheckBlockParameters());
        TARN_RETURN_NOT_OK(CheckResultRows(limits_, static_cast<int64_t>(request_.statements.size())));
      }
      for (const ParsedStatement& each : request_.statements) {
        if (table_.empty()) table_ = each.table;
        if (each.changes_rows) turns_.AwaitOthers(each.table, interrupted_);
      }
      TARN_RETURN_NOT_OK(Begin());
      if (request_.is_block) return Status::Ok();
      return builder_.Begin(*pending_, connection_->context->GetClientProperties());
    });
  }
  const std::shared_ptr<arrow::Schema>& schema() const override {
    return request_.is_block ? BlockReport::Schema() : builder_.schema();
  }
  Result<Step> Advance() override {
    return Guarded([&]() -> Result<Step> {
      if (request_.is_block && at_ == request_.statements.size()) return EndBlock();
      return result_ ? Fetch() : Run();
    });
  }
  void Interrupt() override {
    interrupted_ = true;
    connection_->context->Interrupt();
    patience_.Wake();
    turns_.Wake();
  }
  double progress() const override {
    const double percent = connection_->context->GetQueryProgress().GetPercentage();
    return std::clamp(percent / 100, 0.0, 1.0);
  }
  std::shared_ptr<const storage::ReadCost> cost() const override { return cost_; }

 private:
  /// Runs the request from its first statement on.
  Status Begin() {
    at_ = 0;
    report_ = {};
    // One that returns rows is a block of its own, so that whatever its answer fails of fails before the commit.
    const bool answers_first = request_.is_block || request_.statements.front().returns_rows;
    block_ = answers_first ? std::make_shared<TransactionBlock>(catalog_) : nullptr;
    LetChangeTables(*connection_->context, request_.writes(), block_);
    return request_.statements.empty() ? Status::Ok() : Plan();
  }

  /// Plans the statement whose turn it is.
  Status Plan() {
    ParsedStatement& parsed = request_.statements[at_];
    SetCondition(*connection_->context, parsed.condition);
    // One that changes tables may have to run again.
    auto statement = request_.writes() ? parsed.statement->Copy() : std::move(parsed.statement);
    // Covers the optimizer only: its folding of constants happens on this thread, the query's own work does not yet.
    const PlanningScope planning(*connection_->context, max_planning_bytes_);
    duckdb::QueryParameters how(block_ ? duckdb::QueryResultOutputType::FORCE_MATERIALIZED
                                       : duckdb::QueryResultOutputType::ALLOW_STREAMING);
    how.memory_type = duckdb::QueryResultMemoryType::BUFFER_MANAGED;
    BoundParameters parameters = request_.is_block ? ParametersOf(*statement) : parameters_;
    pending_ = parameters.empty() ? connection_->context->PendingQuery(std::move(statement), how)
                                  : connection_->context->PendingQuery(std::move(statement), parameters, how);
    if (!pending_->HasError()) return Status::Ok();
    return InBlock(StatusFromError(pending_->GetErrorObject()));
  }

  /// Those among the request's parameters that the statement names.
  BoundParameters ParametersOf(const duckdb::SQLStatement& statement) const {
    BoundParameters named;
    for (const auto& [name, place] : statement.named_param_map) {
      const auto given = parameters_.find(name);
      if (given != parameters_.end()) named.insert(*given);
    }
    return named;
  }

  Status CheckBlockParameters() const {
    for (const auto& [name, value] : parameters_) {
      const bool is_used =
          std::any_of(request_.statements.begin(), request_.statements.end(),
                      [&](const ParsedStatement& each) { return each.statement->named_param_map.contains(name); });
      if (!is_used) return Status::InvalidArgument("no statement has a parameter $" + name);
    }
    return Status::Ok();
  }

  /// An error with the statement of the block that it belongs to.
  Status InBlock(const Status& error) const {
    if (!request_.is_block || at_ == request_.statements.size()) return error;
    return error.WithContext("statement " + std::to_string(at_ + 1) + " of the block");
  }

  /// What another commit came in the way of has changed nothing: it is run again on what the table is now.
  Result<Step> RunAgainAfter(const Status& error) {
    if (!request_.writes() || !error.Is(StatusCode::kConflict)) return InBlock(error);
    if (++conflicts_ > kMaxConflicts) {
      return error.WithContext("others came first " + std::to_string(conflicts_) + " times, the last time");
    }
    pending_.reset();
    turns_.Take(table_, this, interrupted_);
    if (interrupted_) return Status::Cancelled("the statement was stopped before it ran again");
    TARN_RETURN_NOT_OK(Begin());
    return Step{};
  }

  /// Goes on to the next statement of the block.
  Result<Step> EndStatement() {
    const auto rows = result_->Cast<duckdb::MaterializedQueryResult>().GetValue(0, 0).GetValue<int64_t>();
    report_.Add(request_.statements[at_].kind, rows);
    result_.reset();
    pending_.reset();
    TARN_RETURN_NOT_OK(InBlock(block_->CheckOneTable()));
    if (++at_ < request_.statements.size()) TARN_RETURN_NOT_OK(Plan());
    return Step{};
  }

  /// Commits a statement that returns rows, all of which are there.
  Result<Step> CommitAnswered() {
    if (!block_) return Step{};
    const auto rows = static_cast<int64_t>(result_->Cast<duckdb::MaterializedQueryResult>().RowCount());
    Status committed = CheckResultRows(limits_, rows);
    if (committed.ok()) committed = block_->Commit();
    if (committed.ok()) return Step{};
    result_.reset();
    return RunAgainAfter(committed);
  }

  Result<Step> EndBlock() {
    if (!request_.rolls_back) {
      const Status committed = block_->Commit();
      if (!committed.ok()) return RunAgainAfter(committed);
    }
    TARN_ASSIGN_OR_RETURN(auto rows, report_.Finish());
    return Step{.done = true, .batch = std::move(rows)};
  }

  Result<Step> Run() {
    using duckdb::PendingExecutionResult;
    const int64_t began = patience_.Now();
    const PendingExecutionResult outcome = pending_->ExecuteTask();
    if (outcome == PendingExecutionResult::EXECUTION_ERROR) {
      return RunAgainAfter(StatusFromError(pending_->GetErrorObject()));
    }
    if (duckdb::PendingQueryResult::IsResultReady(outcome)) {
      result_ = pending_->Execute();
      if (!result_->HasError()) return request_.is_block ? EndStatement() : CommitAnswered();
      const Status error = StatusFromError(result_->GetErrorObject());
      result_.reset();
      return RunAgainAfter(error);
    }
    if (outcome != PendingExecutionResult::BLOCKED) {
      patience_.AfterStep(began);
      return Step{};
    }
    pending_->WaitForTask();
    return Step{.waited = true};
  }

  Result<Step> Fetch() {
    if (builder_.has_rows()) return FillBatch();
    if (result_->type == duckdb::QueryResultType::STREAM_RESULT) {
      using duckdb::StreamExecutionResult;
      auto& stream = result_->Cast<duckdb::StreamQueryResult>();
      const int64_t began = patience_.Now();
      TARN_ASSIGN_OR_RETURN(const StreamExecutionResult outcome, ExecuteTask(stream));
      if (outcome == StreamExecutionResult::BLOCKED) {
        stream.WaitForTask();
        return Step{.waited = true};
      }
      if (result_->HasError()) return StatusFromError(result_->GetErrorObject());
      if (!duckdb::StreamQueryResult::IsChunkReady(outcome)) {
        patience_.AfterStep(began);
        return Step{};
      }
    }
    duckdb::unique_ptr<duckdb::DataChunk> chunk = result_->FetchRaw();
    if (result_->HasError()) return FetchError(result_->GetErrorObject());
    if (chunk && chunk->size() > 0) {
      TARN_RETURN_NOT_OK(builder_.Add(std::move(chunk)));
      return FillBatch();
    }
    TARN_ASSIGN_OR_RETURN(auto rest, builder_.Take());
    return Step{.done = true, .batch = std::move(rest)};
  }

  Result<Step> FillBatch() {
    builder_.Fill();
    if (!builder_.full()) return Step{};
    TARN_ASSIGN_OR_RETURN(auto batch, builder_.Take());
    return Step{.batch = std::move(batch)};
  }

  /// A task that fails stops the others by the flag that an interrupt sets, and the stream takes one for the other. The
  /// executor knows which it was.
  Result<duckdb::StreamExecutionResult> ExecuteTask(duckdb::StreamQueryResult& stream) {
    try {
      return stream.ExecuteTask();
    } catch (const duckdb::InterruptException&) {
      duckdb::Executor& executor = connection_->context->GetExecutor();
      if (interrupted_ || !executor.HasError()) throw;
      return StatusFromError(executor.GetError());
    }
  }

  /// The same within a fetch, which leaves no executor to ask. It only looks ready chunks up, so a task has to fail in
  /// the instant since ExecuteTask.
  Status FetchError(const duckdb::ErrorData& error) const {
    if (error.Type() == duckdb::ExceptionType::INTERRUPT && !interrupted_) {
      return Status::Internal("the query failed on another thread while rows were fetched; its reason was lost");
    }
    return StatusFromError(error);
  }

  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<duckdb::Connection> connection_;
  const std::shared_ptr<const storage::ReadCost> cost_;
  const int64_t max_planning_bytes_;
  BoundParameters parameters_;
  QueryLimits limits_;
  std::unique_ptr<ReservedMemory> trees_;
  ParsedRequest request_;
  /// The statement that runs; behind the last one the block ends.
  size_t at_ = 0;
  /// Null unless what the request changes is committed when its answer is there.
  std::shared_ptr<TransactionBlock> block_;
  BlockReport report_;
  ChangeTurns& turns_;
  lake::TableCatalog& catalog_;
  /// That it changes, when it does.
  std::string table_;
  int conflicts_ = 0;
  duckdb::unique_ptr<duckdb::PendingQueryResult> pending_;
  duckdb::unique_ptr<duckdb::QueryResult> result_;
  BatchBuilder builder_;
  Patience patience_;
  /// By Interrupt, not by the engine itself.
  std::atomic<bool> interrupted_ = false;
};

class DuckDatabase final : public Database {
 public:
  DuckDatabase(const DatabaseOptions& options, lake::TableCatalog& catalog) : options_(options), catalog_(catalog) {}

  Status Open(std::shared_ptr<const SystemTableRegistry> system_tables) {
    return Guarded([&] {
      BoundEngineAllocations(options_.max_allocated_bytes);
      duckdb::DBConfig config;
      config.allocator = MakeBoundedAllocator();
      ConfigureInstance(config, options_);
      RegisterLakeCatalog(config, catalog_, std::move(system_tables));
      database_ = std::make_unique<duckdb::DuckDB>(nullptr, &config);
      // After opening, which runs statements of its own.
      RegisterPlanGate(duckdb::DBConfig::GetConfig(*database_->instance), options_.policy);
      ReplaceTextMatching(*database_->instance);
      CapFunctions(*database_->instance);
      MakeLambdasInterruptible(*database_->instance);
      BoundTypeGrowth(*database_->instance);
      RegisterTableChanges(*database_->instance);
      RegisterLakeFileSystem(*database_->instance);
      duckdb::Connection setup(*database_);
      TrustConnection(*setup.context);
      TARN_RETURN_NOT_OK(AttachLake(setup));
      if (!options_.policy.local_files) {
        // Opening added those that take the name of an unknown table for a file's.
        duckdb::DBConfig::GetConfig(*database_->instance).replacement_scans.clear();
      }
      RegisterLakeNames(*database_->instance);
      TARN_RETURN_NOT_OK(LockInstance(setup, options_));
      parser_options_ = setup.context->GetParserOptions();
      return Status::Ok();
    });
  }

  Result<std::unique_ptr<CheckedStatement>> Check(const std::string& sql) override {
    return Guarded([&]() -> Result<std::unique_ptr<CheckedStatement>> {
      auto trees = std::make_unique<ReservedMemory>(database_->instance, CheckText(sql, options_.policy),
                                                    "to parse and plan a statement this long");
      auto parsed = ParseAndCheck(sql, parser_options_, options_.policy);
      // Without its text DuckDB leaves the position of an error as a number instead of drawing an arrow.
      for (ParsedStatement& each : parsed.statements) each.statement->query.clear();
      return std::unique_ptr<CheckedStatement>(std::make_unique<Statement>(std::move(parsed), std::move(trees)));
    });
  }

  Result<std::unique_ptr<Cursor>> NewCursor() override {
    return Guarded([&]() -> Result<std::unique_ptr<Cursor>> {
      RestoreTempDirectory();
      auto self = std::static_pointer_cast<DuckDatabase>(shared_from_this());
      return std::unique_ptr<Cursor>(
          std::make_unique<DuckCursor>(std::move(self), TakeConnection(), turns_, catalog_,
                                       options_.policy.local_files ? kMaxPlanningBytesOverFiles : kMaxPlanningBytes,
                                       MaxRowBytes(options_.memory_limit_bytes)));
    });
  }

  /// Takes back a connection whose statement has ended.
  void GiveBack(std::unique_ptr<duckdb::Connection> connection) {
    if (invalidated()) return;
    MutexLock lock(mutex_);
    if (idle_.size() < kMaxIdleConnections) idle_.push_back(std::move(connection));
  }

  Status AddLocalFile(const std::string& name, const std::string& path) override {
    return Guarded([&] {
      duckdb::Connection connection(*database_);
      TrustConnection(*connection.context);
      return AddFileView(connection, std::string(kLocalCatalogName) + "." + kMainSchema, name, path);
    });
  }

  bool invalidated() const override { return duckdb::ValidChecker::IsInvalidated(*database_->instance); }
  int64_t memory_bytes() const override {
    return static_cast<int64_t>(duckdb::BufferManager::GetBufferManager(*database_->instance).GetUsedMemory());
  }
  int64_t temp_bytes() const override {
    return static_cast<int64_t>(duckdb::BufferManager::GetBufferManager(*database_->instance).GetUsedSwap());
  }
  void InvalidateForTesting() override {
    duckdb::ValidChecker::Invalidate(*database_->instance, std::string("invalidated by a test"));
  }

 private:
  static Status AttachLake(duckdb::Connection& setup) {
    const std::string attach = std::string("ATTACH '' AS ") + kLakeCatalogName + " (TYPE " + kLakeStorageType + ")";
    auto result = setup.Query(attach);
    if (result->HasError()) return StatusFromError(result->GetErrorObject()).WithContext(attach);
    return Status::Ok();
  }

  /// DuckDB makes the folder once, when it first spills; somebody may have tidied it away since. Where it cannot be
  /// made, a query that spills says so.
  void RestoreTempDirectory() const {
    if (options_.temp_directory.empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(options_.temp_directory, ignored);
  }

  std::unique_ptr<duckdb::Connection> TakeConnection() {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    auto connection = std::make_unique<duckdb::Connection>(*database_);
    MakeAllocationsInterruptible(*connection->context);
    connection->context->config.enable_progress_bar = true;
    connection->context->config.print_progress_bar = false;
    connection->context->config.wait_time = 0;
    // `database.table` is the lake's; views over local files are found without a qualifier.
    duckdb::ClientData::Get(*connection->context)
        .catalog_search_path->Set({duckdb::CatalogSearchEntry(kLakeCatalogName, kMainSchema),
                                   duckdb::CatalogSearchEntry(kLocalCatalogName, kMainSchema)},
                                  duckdb::CatalogSetPathType::SET_DIRECTLY);
    return connection;
  }

  const DatabaseOptions options_;
  lake::TableCatalog& catalog_;
  std::unique_ptr<duckdb::DuckDB> database_;
  duckdb::ParserOptions parser_options_;
  ChangeTurns turns_{SystemClock()};
  Mutex mutex_;
  std::vector<std::unique_ptr<duckdb::Connection>> idle_ GUARDED_BY(mutex_);
};

DuckCursor::~DuckCursor() {
  turns_.GiveBack(table_, this);
  // Ends what is still active on the connection: an abandoned stream would hold its threads and memory otherwise.
  Status ended = Guarded([&] {
    // Cancelling waits for the tasks that run, and only an interrupt makes those end.
    connection_->context->Interrupt();
    connection_->context->Destroy();
    result_.reset();
    pending_.reset();
    LetChangeTables(*connection_->context, false);
  });
  if (ended.ok()) database_->GiveBack(std::move(connection_));
}

}  // namespace

Result<std::shared_ptr<Database>> Database::Open(const DatabaseOptions& options, lake::TableCatalog& catalog,
                                                 std::shared_ptr<const SystemTableRegistry> system_tables) {
  auto database = std::make_shared<DuckDatabase>(options, catalog);
  TARN_RETURN_NOT_OK(database->Open(std::move(system_tables)));
  return std::shared_ptr<Database>(std::move(database));
}

Status CheckResultRows(const QueryLimits& limits, int64_t rows) {
  if (limits.max_rows == 0 || rows <= limits.max_rows) return Status::Ok();
  return Status::ResourceExhausted("the result has more than " + std::to_string(limits.max_rows) + " rows");
}

Status CheckDuckDbVersion() {
  const std::string version = duckdb::DuckDB::LibraryVersion();
  if (version == kVersion) return Status::Ok();
  return Status::Unsupported("libduckdb is " + version + ", this program was built for " + kVersion);
}

}  // namespace tarn::engine
