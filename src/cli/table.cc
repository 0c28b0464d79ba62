#include <arrow/type.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "cli/any_table.h"
#include "cli/command_line.h"
#include "cli/local_lake.h"
#include "cli/table_alter.h"
#include "cli/table_fsck.h"
#include "cli/table_text.h"
#include "cli/table_upkeep.h"
#include "columnar/delta_schema.h"
#include "delta/log/commit_json.h"
#include "delta/operations/optimize.h"
#include "delta/table.h"
#include "server/config.h"

namespace tarn::cli {

namespace {

struct TableOptions {
  LakeChoice lake;
  std::string table;
  int64_t limit = 20;
  bool dry_run = false;
  bool json = false;
  /// Of optimize; empty when not given.
  std::string target_size;
  std::string min_file_size;
  /// Lake and table aside, as those below.
  FsckOptions fsck;
  UpkeepOptions upkeep;
  AlterOptions alter;
};

Result<lake::TableName> ParseName(const std::string& text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
    return Status::InvalidArgument("'" + text + "' is not a DATABASE.TABLE");
  }
  return lake::TableName{text.substr(0, dot), text.substr(dot + 1)};
}

std::string NameJson(const lake::TableName& name) {
  std::string json = R"({"database":)";
  delta::AppendJsonString(json, name.database);
  AppendMember(json, "table", name.table);
  return json;
}

/// With the names and values that `system.tables` has.
std::string StatusJson(const lake::TableStatus& table) {
  std::string json = NameJson(table.name) + R"(,"version":)" + std::to_string(table.version) + R"(,"files":)" +
                     std::to_string(table.files) + R"(,"bytes":)" + std::to_string(table.bytes) +
                     R"(,"buffered_rows":)" + std::to_string(table.buffered_rows) + R"(,"buffered_bytes":)" +
                     std::to_string(table.buffered_bytes) + R"(,"rejected_rows":)" +
                     std::to_string(table.rejected_rows);
  if (table.readable.ok()) return json + R"(,"error":null})";
  AppendMember(json, "error", table.readable.ToString());
  return json + "}";
}

Status List(const TableOptions& options) {
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
  TARN_ASSIGN_OR_RETURN(const auto tables, local.lake->ListTableStatus());
  if (options.json) {
    std::string json;
    for (const lake::TableStatus& table : tables) json += (json.empty() ? "" : ",") + StatusJson(table);
    return WriteStdout(R"({"tables":[)" + json + "]}\n");
  }
  TextTable text({"TABLE", "VERSION", "FILES", "BYTES", "BUFFERED ROWS", "REJECTED ROWS", "ERROR"});
  for (const lake::TableStatus& table : tables) {
    text.Add({table.name.ToString(), table.version < 0 ? "-" : std::to_string(table.version),
              std::to_string(table.files), std::to_string(table.bytes), std::to_string(table.buffered_rows),
              std::to_string(table.rejected_rows), table.readable.ok() ? "-" : table.readable.ToString()});
  }
  return WriteStdout(text.ToString());
}

/// A JSON object of texts.
std::string MapJson(const std::map<std::string, std::string>& values) {
  std::string json = "{";
  for (const auto& [key, value] : values) {
    if (json.size() > 1) json += ',';
    delta::AppendJsonString(json, key);
    json += ':';
    delta::AppendJsonString(json, value);
  }
  return json + "}";
}

/// Lines for what a table says of itself where it says anything.
std::string PropertiesText(const delta::Snapshot& snapshot) {
  const delta::Metadata& metadata = snapshot.metadata();
  std::string text;
  if (metadata.description.has_value()) text += "comment    " + *metadata.description + "\n";
  const char* heading = "properties ";
  for (const auto& [key, value] : metadata.configuration) {
    text += std::exchange(heading, "           ") + key + " = " + value + "\n";
  }
  return text;
}

std::string ViewJson(const lake::TableView& view, int64_t buffered) {
  std::string json = NameJson(view.name);
  AppendMember(json, "location", view.store->uri());
  if (view.snapshot != nullptr) {
    const delta::Snapshot& snapshot = *view.snapshot;
    json += R"(,"version":)" + std::to_string(snapshot.version());
    AppendMember(json, "timestamp", TimestampText(snapshot.timestamp_millis()));
    json += "," + ProtocolMembers(snapshot.protocol()) + R"(,"maps_columns":)" +
            (snapshot.field_match() == columnar::FieldMatch::kName ? "false" : "true") + R"(,"properties":)" +
            MapJson(snapshot.metadata().configuration) + R"(,"files":)" + std::to_string(snapshot.num_files()) +
            R"(,"bytes":)" + std::to_string(snapshot.total_bytes());
  } else {
    json += R"(,"version":-1)";
  }
  json += R"(,"buffered_rows":)" + std::to_string(buffered) + R"(,"partition_columns":[)";
  for (const int column : view.partition_columns) {
    if (json.back() != '[') json += ',';
    delta::AppendJsonString(json, view.schema->field(column)->name());
  }
  json += R"(],"columns":[)";
  for (const auto& field : view.schema->fields()) {
    json += json.back() == '[' ? R"({"name":)" : R"(,{"name":)";
    delta::AppendJsonString(json, field->name());
    AppendMember(json, "type", columnar::DeltaTypeName(*field->type()));
    json += field->nullable() ? R"(,"nullable":true})" : R"(,"nullable":false})";
  }
  return json + "]}\n";
}

Status Describe(const TableOptions& options) {
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseName(options.table));
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
  TARN_ASSIGN_OR_RETURN(const auto view, local.lake->Pin(name, std::nullopt));
  int64_t buffered = 0;
  for (const auto& segment : view->segments) buffered += segment->num_rows;
  if (options.json) return WriteStdout(ViewJson(*view, buffered));
  std::string text = "table      " + view->name.ToString() + "\nlocation   " + view->store->uri() + "\n";
  if (view->snapshot != nullptr) {
    const delta::Snapshot& snapshot = *view->snapshot;
    text += "version    " + std::to_string(snapshot.version()) + " of " + TimestampText(snapshot.timestamp_millis()) +
            "\nprotocol   " + ProtocolText(snapshot.protocol()) + "\n" + PropertiesText(snapshot) + "files      " +
            std::to_string(snapshot.num_files()) + ", " + std::to_string(snapshot.total_bytes()) + " bytes\n";
  }
  text += "buffered   " + std::to_string(buffered) + " rows\n";
  std::string partitions;
  for (const int column : view->partition_columns) {
    partitions += (partitions.empty() ? "" : ", ") + view->schema->field(column)->name();
  }
  if (!partitions.empty()) text += "partitions " + partitions + "\n";
  TextTable columns({"COLUMN", "TYPE", "NULLABLE"});
  for (const auto& field : view->schema->fields()) {
    columns.Add({field->name(), columnar::DeltaTypeName(*field->type()), field->nullable() ? "yes" : "no"});
  }
  return WriteStdout(text + "\n" + columns.ToString());
}

std::string EntryJson(const delta::HistoryEntry& entry) {
  std::string json = R"({"version":)" + std::to_string(entry.version) + R"(,"timestamp":)";
  delta::AppendJsonString(json, TimestampText(entry.timestamp_millis));
  json += R"(,"operation":)";
  delta::AppendJsonString(json, entry.info.operation);
  json += R"(,"parameters":)" + MapJson(entry.info.operation_parameters) + R"(,"metrics":)" +
          MapJson(entry.info.operation_metrics) + R"(,"files_added":)" + std::to_string(entry.files_added) +
          R"(,"files_removed":)" + std::to_string(entry.files_removed) + R"(,"by":)";
  delta::AppendJsonString(json, entry.info.engine_info);
  return json + "}";
}

Status History(const TableOptions& options) {
  if (options.limit < 1) return Status::InvalidArgument("--limit must be at least 1");
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseName(options.table));
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
  TARN_ASSIGN_OR_RETURN(const auto view, local.lake->Pin(name, std::nullopt));
  std::vector<delta::HistoryEntry> history;
  if (view->snapshot != nullptr) {
    const delta::TableContext context{.store = view->store, .clock = &SystemClock(), .random = local.random.get()};
    TARN_ASSIGN_OR_RETURN(history, delta::ReadHistory(context, *view->snapshot, options.limit));
  }
  if (options.json) {
    std::string json;
    for (const delta::HistoryEntry& entry : history) json += (json.empty() ? "" : ",") + EntryJson(entry);
    return WriteStdout(R"({"commits":[)" + json + "]}\n");
  }
  TextTable text({"VERSION", "TIMESTAMP", "OPERATION", "ADDED", "REMOVED", "BY"});
  for (const delta::HistoryEntry& entry : history) {
    text.Add({std::to_string(entry.version), TimestampText(entry.timestamp_millis), entry.info.operation,
              std::to_string(entry.files_added), std::to_string(entry.files_removed), entry.info.engine_info});
  }
  return WriteStdout(text.ToString());
}

/// What a merge would take; how many files come out is only known then.
/// What the options ask for.
Result<delta::OptimizeOptions> SizesOf(const TableOptions& options) {
  delta::OptimizeOptions sizes;
  const auto take = [](const char* option, const std::string& text, int64_t& bytes) -> Status {
    if (text.empty()) return Status::Ok();
    const auto parsed = server::ParseSize(text);
    if (!parsed.ok()) return parsed.status().WithContext(option);
    bytes = *parsed;
    return bytes > 0 ? Status::Ok() : Status::InvalidArgument(std::string(option) + ": must be more than 0");
  };
  TARN_RETURN_NOT_OK(take("--target-size", options.target_size, sizes.target_file_bytes));
  TARN_RETURN_NOT_OK(take("--min-file-size", options.min_file_size, sizes.min_file_bytes));
  return sizes;
}

Status PlanOptimize(const TableOptions& options, const delta::OptimizeOptions& sizes, const delta::Snapshot* snapshot) {
  std::vector<delta::OptimizeGroup> plan;
  if (snapshot != nullptr) {
    TARN_ASSIGN_OR_RETURN(plan, delta::PlanOptimize(*snapshot, sizes));
  }
  int64_t files = 0;
  int64_t bytes = 0;
  for (const delta::OptimizeGroup& group : plan) {
    for (const delta::FileIndex index : group) {
      TARN_ASSIGN_OR_RETURN(const delta::DataFile file, snapshot->File(index));
      ++files;
      bytes += file.size_bytes;
    }
  }
  if (options.json) {
    return WriteStdout(R"({"dry_run":true,"files_removed":)" + std::to_string(files) + R"(,"bytes_read":)" +
                       std::to_string(bytes) + R"(,"groups":)" + std::to_string(plan.size()) + "}\n");
  }
  if (plan.empty()) return WriteStdout("nothing to do\n");
  return WriteStdout(CountText(files, "file") + " of " + CountText(bytes, "byte") + " would be merged, in " +
                     CountText(static_cast<int64_t>(plan.size()), "group") + "\n");
}

Status TellOptimized(const TableOptions& options, const delta::OptimizeResult& result) {
  if (options.json) {
    return WriteStdout(R"({"dry_run":false,"version":)" +
                       (result.version.has_value() ? std::to_string(*result.version) : "null") +
                       R"(,"files_removed":)" + std::to_string(result.files_removed) + R"(,"files_added":)" +
                       std::to_string(result.files_added) + R"(,"bytes_read":)" + std::to_string(result.bytes_read) +
                       R"(,"bytes_written":)" + std::to_string(result.bytes_written) + "}\n");
  }
  if (!result.version.has_value()) return WriteStdout("nothing to do\n");
  return WriteStdout("version " + std::to_string(*result.version) + ": " + std::to_string(result.files_removed) +
                     " files became " + std::to_string(result.files_added) + "\n");
}

/// Of a table by its folder, in a lake or not.
Status OptimizeFolder(const TableOptions& options, const delta::OptimizeOptions& sizes) {
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(const auto snapshot, delta::LoadSnapshot(table.context));
  if (options.dry_run) return PlanOptimize(options, sizes, snapshot.get());
  TARN_ASSIGN_OR_RETURN(const auto result, delta::Optimize(table.context, snapshot, sizes));
  return TellOptimized(options, result);
}

Status Optimize(const TableOptions& options) {
  TARN_ASSIGN_OR_RETURN(const delta::OptimizeOptions sizes, SizesOf(options));
  if (options.table.find('/') != std::string::npos) return OptimizeFolder(options, sizes);
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseName(options.table));
  if (options.dry_run) {
    TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
    TARN_ASSIGN_OR_RETURN(const auto view, local.lake->Pin(name, std::nullopt));
    return PlanOptimize(options, sizes, view->snapshot.get());
  }
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kWrite));
  TARN_ASSIGN_OR_RETURN(const auto result, local.lake->Optimize(name, sizes));
  TARN_RETURN_NOT_OK(local.lake->FlushAll());
  local.lake->Close();
  return TellOptimized(options, result);
}

Status RunFsck(const TableOptions& options) {
  FsckOptions fsck = options.fsck;
  fsck.lake = options.lake;
  fsck.table = options.table;
  fsck.json = options.json;
  fsck.dry_run = options.dry_run;
  return Fsck(fsck);
}

Status RunAlter(const TableOptions& options) {
  AlterOptions alter = options.alter;
  alter.lake = options.lake;
  alter.table = options.table;
  alter.json = options.json;
  return Alter(alter);
}

template <Status (*Run)(const UpkeepOptions&)>
Status RunUpkeep(const TableOptions& options) {
  UpkeepOptions upkeep = options.upkeep;
  upkeep.lake = options.lake;
  upkeep.table = options.table;
  upkeep.json = options.json;
  upkeep.dry_run = options.dry_run;
  return Run(upkeep);
}

/// The commands that work on any table, in a lake or not.
void AddUpkeep(const std::function<CLI::App*(const char*, const char*, Status (*)(const TableOptions&))>& add,
               TableOptions& options) {
  const auto add_command = [&](const char* name, const char* description, Status (*run)(const TableOptions&)) {
    CLI::App* command = add(name, description, run);
    command->add_option("table", options.table, "The table, or with a '/' the folder of any Delta table")
        ->required()
        ->type_name("DATABASE.TABLE|FOLDER");
    command->add_flag("--json", options.json, "One JSON object instead of text");
    return command;
  };
  CLI::App* fsck = add_command("fsck", "Check a table against every rule of the Delta protocol", RunFsck);
  fsck->add_flag("--check-files", options.fsck.check_files, "Look whether every live file is there, too");
  fsck->add_flag("--check-data", options.fsck.check_data, "Read all live files and check their statistics, too");
  fsck->add_flag("--repair", options.fsck.repair,
                 "Mend wrong checkpoints, checksums, compacted logs and the hint first; never touches a commit");
  fsck->add_flag("--dry-run", options.dry_run, "With --repair: change nothing, say what would be");
  CLI::App* optimize = add_command("optimize", "Merge a table's small files now; writers need not stop", Optimize);
  optimize->add_flag("--dry-run", options.dry_run, "Merge nothing; say how much would be");
  optimize->add_option("--target-size", options.target_size, "Of the files that are written [128MiB]")
      ->type_name("SIZE")
      ->check(MustNotBeEmpty);
  optimize
      ->add_option("--min-file-size", options.min_file_size,
                   "Files at least this large are left alone [three quarters of the target]")
      ->type_name("SIZE")
      ->check(MustNotBeEmpty);
  CLI::App* vacuum =
      add_command("vacuum", "Delete files that no version within the retention needs", RunUpkeep<Vacuum>);
  vacuum
      ->add_option("--retention", options.upkeep.retention,
                   "Keep what was removed less than this ago [delta.deletedFileRetentionDuration, else 7d]")
      ->type_name("DURATION")
      ->check(MustNotBeEmpty);
  vacuum->add_flag("--lite", options.upkeep.lite,
                   "Look only at what commits removed since the last vacuum, not at every file of the folder");
  vacuum->add_flag("--allow-short-retention", options.upkeep.allow_short_retention,
                   "Take a --retention below the table's: may destroy what writers at work have not committed yet, and "
                   "what readers of earlier versions need");
  vacuum->add_flag("--dry-run", options.dry_run, "Delete nothing; say of each file what would become of it, and why");
  CLI::App* cleanup = add_command("cleanup",
                                  "Delete log files older than delta.logRetentionDuration (30 days) that a "
                                  "checkpoint stands for",
                                  RunUpkeep<CleanUp>);
  cleanup->add_flag("--dry-run", options.dry_run, "Delete nothing; name each file that would go");
  CLI::App* restore =
      add_command("restore", "Take a table back to an earlier version, by a new one", RunUpkeep<Restore>);
  restore->add_option("--version", options.upkeep.version, "The version")->type_name("N");
  restore->add_option("--timestamp", options.upkeep.timestamp, "The newest version not later than this time")
      ->type_name("TIME")
      ->check(MustNotBeEmpty);
  restore->add_flag("--dry-run", options.dry_run, "Change nothing; look for the files and say what would be");
  AddAlterOptions(*add_command("alter", "Change a table's columns, properties or protocol, by one commit", RunAlter),
                  options.alter);
  add_command("checkpoint", "Write a checkpoint of the newest version", RunUpkeep<Checkpoint>);
}

}  // namespace

Command AddTable(CLI::App& app) {
  auto options = std::make_shared<TableOptions>();
  auto chosen = std::make_shared<Status (*)(const TableOptions&)>(nullptr);
  options->lake.uri = DefaultLake();
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* description, Status (*run)(const TableOptions&)) {
    CLI::App* command = app.add_subcommand(name, description);
    AddLakeOptions(*command, "The lake [TARN_LAKE, else ./tarn-data]", options->lake);
    command->callback([chosen, run] { *chosen = run; });
    return command;
  };
  const auto with_table = [&](CLI::App* command) {
    command->add_option("table", options->table, "The table")->required()->type_name("DATABASE.TABLE");
    return command;
  };
  const auto with_json = [&](CLI::App* command) {
    command->add_flag("--json", options->json, "One JSON object instead of text");
    return command;
  };
  with_json(add("list", "Every table with its version, files and buffered rows", List));
  with_json(with_table(add("describe", "A table's location, version, protocol and columns", Describe)));
  CLI::App* history = with_json(with_table(add("history", "A table's commits, newest first", History)));
  history->add_option("--limit", options->limit, "At most so many commits [20]")->type_name("N");
  AddUpkeep(add, *options);
  return [options, chosen] { return (*chosen)(*options); };
}

}  // namespace tarn::cli
