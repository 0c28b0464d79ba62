#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "cli/command_line.h"
#include "cli/local_catalog.h"
#include "cli/local_lake.h"
#include "cli/remote.h"
#include "cli/result_output.h"
#include "cli/spill_folder.h"
#include "cli/stop_signals.h"
#include "delta/letter_case.h"
#include "engine/query_service.h"
#include "server/config.h"
#include "server/system_tables.h"
#include "storage/stores.h"

namespace tarn::cli {

namespace {

namespace fs = std::filesystem;

constexpr char kFormats[] = "table, csv, json, ndjson, arrow, parquet and markdown";

struct SqlOptions {
  LakeChoice lake;
  std::vector<std::string> tables;
  std::string server;
  std::string format;
  std::string output_file;
  /// Keys of the configuration beside those of the lake.
  GivenKeys given;
  std::string sql;
};

Result<std::string> ReadStdin() {
  std::string text;
  char bytes[65536];
  while (true) {
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (got < 0) return Status::InvalidArgument("standard input cannot be read");
    if (got == 0) return text;
    text.append(bytes, static_cast<size_t>(got));
  }
}

struct NamedTable {
  std::string name;
  std::string uri;
};

/// "name=URI", or a URI alone, whose last part without extensions is then the name.
Result<NamedTable> ParseTable(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0) return NamedTable{text.substr(0, equals), text.substr(equals + 1)};
  std::string path = text;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::string name = fs::path(path).filename().string();
  name = name.substr(0, name.find('.', 1));
  if (name.empty() || name == ".") return Status::InvalidArgument("-t " + text + ": give it a name, as in -t name=URI");
  return NamedTable{name, text};
}

/// The file, or the pattern of files, that a table is; nullopt for a Delta folder, NotFound when there is neither.
Result<std::optional<std::string>> LocalFile(const NamedTable& table) {
  const std::string what = "-t " + table.name;
  if (storage::IsRemoteUri(table.uri)) return std::optional<std::string>();
  auto path = storage::LocalPathOf(table.uri);
  if (!path.ok()) return path.status().WithContext(what);
  if (path->find('*') != std::string::npos) return std::optional(*path);
  std::error_code error;
  const fs::file_status status = fs::status(*path, error);
  if (!fs::exists(status)) return Status::NotFound(what + ": '" + *path + "' does not exist");
  return fs::is_directory(status) ? std::optional<std::string>() : std::optional(*path);
}

Status RunRemote(const SqlOptions& options, frontends::ResultFormat format, ResultOutput& output) {
  TARN_RETURN_NOT_OK(PostSql(options.server, options.sql, frontends::FormatMediaType(format), output));
  return output.Finish();
}

/// The lake that a local query sees; empty when it sees none. -t alone means these tables alone, and the lake in the
/// working directory needs not be there.
std::string LakeOf(const SqlOptions& options) {
  if (!options.lake.uri.empty() || !options.tables.empty()) return options.lake.uri;
  std::error_code error;
  return LakeIsInEnvironment() || fs::is_directory(DefaultLake(), error) ? DefaultLake() : "";
}

/// What a local query reads, and the engine that runs it.
struct LocalQuery {
  LocalLake lake;
  Random random = Random::FromSystem();
  LocalCatalog catalog{SystemClock(), random};
  std::optional<SpillFolder> spill;
  std::unique_ptr<engine::QueryService> queries;
};

/// Opens the tables of -t and gives those that are files.
Result<std::vector<NamedTable>> AddTables(const SqlOptions& options, LocalCatalog& catalog) {
  TARN_ASSIGN_OR_RETURN(const TableSettings settings, TableSettingsOf(options.lake));
  std::vector<NamedTable> files;
  std::set<std::string> names;
  for (const std::string& text : options.tables) {
    TARN_ASSIGN_OR_RETURN(NamedTable table, ParseTable(text));
    if (!names.insert(delta::LowerCase(table.name)).second) {
      return Status::InvalidArgument("-t " + text + ": the table name '" + table.name +
                                     "' is given twice; choose another, as in -t other=URI");
    }
    TARN_ASSIGN_OR_RETURN(const auto file, LocalFile(table));
    if (file.has_value()) {
      files.push_back({table.name, *file});
    } else {
      Status added = catalog.AddDeltaTable(table.name, table.uri, settings);
      if (added.Is(StatusCode::kNotFound) && storage::IsWebUri(table.uri)) {
        return Status::NotFound(added.message() + "; only Delta tables are read from web servers, files are not");
      }
      TARN_RETURN_NOT_OK(added);
    }
  }
  return files;
}

Status Open(const SqlOptions& options, LocalQuery& local) {
  if (const std::string uri = LakeOf(options); !uri.empty()) {
    TARN_ASSIGN_OR_RETURN(local.lake,
                          OpenLocalLake({.uri = uri, .given = options.lake.given},
                                        engine::ChangesTables(options.sql) ? LakeAccess::kWrite : LakeAccess::kRead));
    local.catalog.SetLake(local.lake.lake.get());
  }
  TARN_ASSIGN_OR_RETURN(const std::vector<NamedTable> files, AddTables(options, local.catalog));
  TARN_ASSIGN_OR_RETURN(SpillFolder spill, SpillFolder::Make());
  engine::EngineOptions engine_options;
  TARN_ASSIGN_OR_RETURN(engine_options.memory_limit_bytes, MemoryLimitOf(options.given));
  engine_options.threads = server::AvailableProcessors();
  engine_options.temp_directory = spill.path();
  engine_options.policy = {.local_files = true, .writes = true};
  local.spill.emplace(std::move(spill));
  TARN_ASSIGN_OR_RETURN(local.queries, engine::QueryService::Open(engine_options, local.catalog, SystemClock()));
  if (local.lake.lake != nullptr) {
    TARN_RETURN_NOT_OK(server::RegisterSystemTables(*local.lake.lake, SystemClock(), local.random, *local.queries));
  }
  for (const NamedTable& file : files) TARN_RETURN_NOT_OK(local.queries->RegisterLocalFile(file.name, file.uri));
  return Status::Ok();
}

Status RunLocal(const SqlOptions& options, frontends::ResultFormat format, ResultOutput& output) {
  StopSignals signals;
  LocalQuery local;
  engine::QueryRequest request;
  request.sql = options.sql;
  request.principal = "command line";
  request.query_id = "command-line";
  std::atomic<engine::QueryService*> running = nullptr;
  std::atomic<bool> stopped = false;
  return signals.Run(
      [&]() -> Status {
        // Takes as long as a store does, for which a second signal need not wait.
        TARN_RETURN_NOT_OK(Open(options, local));
        running = local.queries.get();
        if (stopped) return Status::Cancelled("stopped before the query began");
        TARN_ASSIGN_OR_RETURN(auto stream, local.queries->Execute(request));
        return WriteResult(std::move(stream), format, output);
      },
      [&](int) {
        stopped = true;
        if (engine::QueryService* const queries = running) (void)queries->Cancel(request.query_id);
      });
}

/// Points at the place in the SQL text that an error is about.
Status PointAt(const Status& status, const std::string& sql) {
  const std::optional<size_t> position = engine::SqlErrorPosition(status);
  if (!position.has_value()) return status;
  // Of a view's text, not of the user's.
  if (*position > sql.size()) return {status.code(), engine::SqlErrorText(status)};
  const size_t line_begin = *position == 0 ? 0 : sql.rfind('\n', *position - 1) + 1;
  const size_t line_end = std::min(sql.find('\n', *position), sql.size());
  // As wide as what stands before the place: a character may have several bytes, and a tab several columns.
  std::string indent;
  for (const char c : sql.substr(line_begin, *position - line_begin)) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) indent += c == '\t' ? '\t' : ' ';
  }
  return {status.code(), engine::SqlErrorText(status) + "\n  " + sql.substr(line_begin, line_end - line_begin) +
                             "\n  " + indent + "^"};
}

Status RunSql(SqlOptions options) {
  if (options.sql == "-") {
    TARN_ASSIGN_OR_RETURN(options.sql, ReadStdin());
  }
  if (!options.server.empty()) {
    TARN_RETURN_NOT_OK(
        CheckServerStandsAlone(!options.lake.uri.empty() || !options.tables.empty(), options.lake.given));
    TARN_RETURN_NOT_OK(CheckServerStandsAlone(false, options.given));
  }
  const std::string name = !options.format.empty() ? options.format : "table";
  const auto format = frontends::FormatByName(name);
  if (!format.has_value()) {
    return Status::InvalidArgument("unknown output format '" + name + "'; there are " + kFormats);
  }
  const bool binary = *format == frontends::ResultFormat::kArrow || *format == frontends::ResultFormat::kParquet;
  if (binary && options.output_file.empty() && isatty(STDOUT_FILENO) != 0) {
    return Status::InvalidArgument(name + " is not for a terminal; add --output-file, or redirect the output");
  }
  TARN_ASSIGN_OR_RETURN(const auto output, ResultOutput::Open(options.output_file));
  const Status status =
      options.server.empty() ? RunLocal(options, *format, *output) : RunRemote(options, *format, *output);
  return PointAt(status, options.sql);
}

}  // namespace

Command AddSql(CLI::App& app) {
  auto options = std::make_shared<SqlOptions>();
  app.add_option("sql", options->sql, "The query, or - to read it from standard input")->required();
  AddLakeOptions(app, "The lake whose tables are database.table [TARN_LAKE, else ./tarn-data]", options->lake);
  AddConfigOptions(app, "cache.", options->lake.given);
  app.add_option("-t,--table", options->tables,
                 "A table: a Delta folder, Parquet, CSV or NDJSON; may be given several times")
      ->type_name("NAME=URI")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--server", options->server, "Ask a running server instead, as in --server http://127.0.0.1:8080")
      ->type_name("URL")
      ->check(MustNotBeEmpty);
  app.add_option("-o,--output", options->format, std::string(kFormats) + " [table]")->type_name("FORMAT");
  app.add_option("--output-file", options->output_file, "Write there instead of standard output")
      ->type_name("FILE")
      ->check(MustNotBeEmpty);
  app.add_option_function<std::string>(
         "--memory-limit", [options](const std::string& text) { options->given["memory_limit"] = text; },
         "The memory that the query may use, a size or a share of the machine's; what needs more spills to "
         "temporary files [TARN_MEMORY_LIMIT, else 60%]")
      ->type_name("SIZE")
      ->check(MustNotBeEmpty);
  app.footer(R"~(
Without --lake, -t and --server the lake that TARN_LAKE names is queried, else the one in ./tarn-data where there is one.

Beside a live server, --lake sees what is committed to Delta only, and says so on stderr: the server alone sees its
buffer. With no live server the rows in its write-ahead log are read too, and nothing is changed.

A query may also read files of yours by name: select * from 'data.parquet'. A CSV of -t is split as its first line tells,
and a line that has more or fewer columns is an error; for others there is read_csv with options, in the query.

Examples:
  tarn sql "select city, avg(temp) from home.weather group by city"
  tarn sql -t t=./events.csv -t users=./users_delta "select * from t join users using (id)"
  tarn sql --server http://127.0.0.1:8080 -o csv "select * from system.tables" > tables.csv
  echo "select 42" | tarn sql -)~");
  return [options] { return RunSql(*options); };
}

}  // namespace tarn::cli
