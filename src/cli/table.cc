#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "cli/command_line.h"
#include "cli/local_lake.h"
#include "cli/table_alter.h"
#include "cli/table_describe.h"
#include "cli/table_fsck.h"
#include "cli/table_optimize.h"
#include "cli/table_text.h"
#include "cli/table_upkeep.h"
#include "delta/log/commit_json.h"

namespace tarn::cli {

namespace {

struct TableOptions {
  LakeChoice lake;
  std::string table;
  bool dry_run = false;
  bool json = false;
  /// Lake, table and flags aside, which are those above.
  DescribeOptions describe;
  OptimizeOptions optimize;
  FsckOptions fsck;
  UpkeepOptions upkeep;
  AlterOptions alter;
};

/// With the names and values that `system.tables` has.
std::string StatusJson(const lake::TableStatus& table) {
  std::string json = "{" + NameMembers(table.name) + R"(,"version":)" + std::to_string(table.version) + R"(,"files":)" +
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

template <Status (*Run)(const DescribeOptions&)>
Status RunDescribe(const TableOptions& options) {
  DescribeOptions describe = options.describe;
  describe.lake = options.lake;
  describe.table = options.table;
  describe.json = options.json;
  return Run(describe);
}

Status RunOptimize(const TableOptions& options) {
  OptimizeOptions optimize = options.optimize;
  optimize.lake = options.lake;
  optimize.table = options.table;
  optimize.json = options.json;
  optimize.dry_run = options.dry_run;
  return Optimize(optimize);
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
  add_command("describe", "A table's location, version, protocol and columns", RunDescribe<Describe>);
  add_command("history", "A table's commits, newest first", RunDescribe<History>)
      ->add_option("--limit", options.describe.limit, "At most so many commits [20]")
      ->type_name("N");
  CLI::App* fsck = add_command("fsck", "Check a table against every rule of the Delta protocol", RunFsck);
  fsck->add_flag("--check-files", options.fsck.check_files, "Look whether every live file is there, too");
  fsck->add_flag("--check-data", options.fsck.check_data, "Read all live files and check their statistics, too");
  CLI::Option* const repair =
      fsck->add_flag("--repair", options.fsck.repair,
                     "Mend wrong checkpoints, checksums, compacted logs and the hint first; never touches a commit");
  fsck->add_flag("--dry-run", options.dry_run, "With --repair: change nothing, say what would be")->needs(repair);
  CLI::App* optimize = add_command("optimize", "Merge a table's small files now; writers need not stop", RunOptimize);
  optimize->add_flag("--dry-run", options.dry_run, "Merge nothing; say how much would be");
  optimize->add_option("--target-size", options.optimize.target_size, "Of the files that are written [128MiB]")
      ->type_name("SIZE")
      ->check(MustNotBeEmpty);
  optimize
      ->add_option("--min-file-size", options.optimize.min_file_size,
                   "Files at least this large are left alone [three quarters of the target]")
      ->type_name("SIZE")
      ->check(MustNotBeEmpty);
  optimize
      ->add_option(
          "--sort-by", options.optimize.sort_by,
          "Sort the rows of each partition by these columns, so that queries that name them skip files: all files "
          "are rewritten but for large ones that were sorted so before. Nulls come first")
      ->type_name("COLUMN,...")
      ->delimiter(',')
      ->allow_extra_args(false)
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
  add("list", "Every table with its version, files and buffered rows", List)
      ->add_flag("--json", options->json, "One JSON object instead of text");
  AddUpkeep(add, *options);
  return [options, chosen] { return (*chosen)(*options); };
}

}  // namespace tarn::cli
