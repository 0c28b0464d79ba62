#include <arrow/type.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "cli/command_line.h"
#include "cli/local_lake.h"
#include "cli/table_fsck.h"
#include "columnar/delta_schema.h"
#include "delta/table.h"
#include "frontends/encoding/value_text.h"

namespace tarn::cli {

namespace {

struct TableOptions {
  std::string lake;
  std::string table;
  int64_t limit = 20;
  /// Lake and table aside.
  FsckOptions fsck;
};

/// Lines of text cells under a header, in columns as wide as they need.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string ToString() const {
    std::vector<size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) {
        text += row[i];
        if (i + 1 < row.size()) text += std::string(widths[i] - row[i].size() + 2, ' ');
      }
      text += '\n';
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string TimestampText(int64_t millis) {
  frontends::ByteBuffer text;
  frontends::AppendTimestamp(millis, 1000, /*utc=*/true, text);
  return std::string(text.view());
}

Result<lake::TableName> ParseName(const std::string& text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
    return Status::InvalidArgument("'" + text + "' is not a DATABASE.TABLE");
  }
  return lake::TableName{text.substr(0, dot), text.substr(dot + 1)};
}

Status List(const TableOptions& options) {
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
  TARN_ASSIGN_OR_RETURN(const auto tables, local.lake->ListTableStatus());
  TextTable text({"TABLE", "VERSION", "FILES", "BYTES", "BUFFERED ROWS", "REJECTED ROWS", "ERROR"});
  for (const lake::TableStatus& table : tables) {
    text.Add({table.name.ToString(), table.version < 0 ? "-" : std::to_string(table.version),
              std::to_string(table.files), std::to_string(table.bytes), std::to_string(table.buffered_rows),
              std::to_string(table.rejected_rows), table.readable.ok() ? "-" : table.readable.ToString()});
  }
  return WriteStdout(text.ToString());
}

Status Describe(const TableOptions& options) {
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseName(options.table));
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
  TARN_ASSIGN_OR_RETURN(const auto view, local.lake->Pin(name, std::nullopt));
  std::string text = "table      " + view->name.ToString() + "\nlocation   " + view->store->uri() + "\n";
  int64_t buffered = 0;
  for (const auto& segment : view->segments) buffered += segment->num_rows;
  if (view->snapshot != nullptr) {
    const delta::Snapshot& snapshot = *view->snapshot;
    text += "version    " + std::to_string(snapshot.version()) + " of " + TimestampText(snapshot.timestamp_millis()) +
            "\nprotocol   reader " + std::to_string(snapshot.protocol().min_reader_version) + ", writer " +
            std::to_string(snapshot.protocol().min_writer_version) + "\nfiles      " +
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

Status History(const TableOptions& options) {
  if (options.limit < 1) return Status::InvalidArgument("--limit must be at least 1");
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseName(options.table));
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
  TARN_ASSIGN_OR_RETURN(const auto view, local.lake->Pin(name, std::nullopt));
  TextTable text({"VERSION", "TIMESTAMP", "OPERATION", "ADDED", "REMOVED", "BY"});
  if (view->snapshot != nullptr) {
    const delta::TableContext context{.store = view->store, .clock = &SystemClock(), .random = local.random.get()};
    TARN_ASSIGN_OR_RETURN(const auto history, delta::ReadHistory(context, *view->snapshot, options.limit));
    for (const delta::HistoryEntry& entry : history) {
      text.Add({std::to_string(entry.version), TimestampText(entry.timestamp_millis), entry.info.operation,
                std::to_string(entry.files_added), std::to_string(entry.files_removed), entry.info.engine_info});
    }
  }
  return WriteStdout(text.ToString());
}

Status Optimize(const TableOptions& options) {
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseName(options.table));
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kWrite));
  TARN_ASSIGN_OR_RETURN(const auto result, local.lake->Optimize(name, {}));
  TARN_RETURN_NOT_OK(local.lake->FlushAll());
  local.lake->Close();
  if (!result.version.has_value()) return WriteStdout("nothing to do\n");
  return WriteStdout("version " + std::to_string(*result.version) + ": " + std::to_string(result.files_removed) +
                     " files became " + std::to_string(result.files_added) + "\n");
}

Status RunFsck(const TableOptions& options) {
  FsckOptions fsck = options.fsck;
  fsck.lake = options.lake;
  fsck.table = options.table;
  return Fsck(fsck);
}

}  // namespace

Command AddTable(CLI::App& app) {
  auto options = std::make_shared<TableOptions>();
  auto chosen = std::make_shared<Status (*)(const TableOptions&)>(nullptr);
  options->lake = DefaultLake();
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* description, Status (*run)(const TableOptions&)) {
    CLI::App* command = app.add_subcommand(name, description);
    command->add_option("--lake", options->lake, "The lake [TARN_LAKE, else ./tarn-data]")
        ->type_name("URI")
        ->check(MustNotBeEmpty);
    command->callback([chosen, run] { *chosen = run; });
    return command;
  };
  const auto with_table = [&](CLI::App* command) {
    command->add_option("table", options->table, "The table")->required()->type_name("DATABASE.TABLE");
    return command;
  };
  add("list", "Every table with its version, files and buffered rows", List);
  with_table(add("describe", "A table's location, version, protocol and columns", Describe));
  with_table(add("history", "A table's commits, newest first", History))
      ->add_option("--limit", options->limit, "At most so many commits [20]")
      ->type_name("N");
  CLI::App* fsck = add("fsck", "Check a table against every rule of the Delta protocol; changes nothing", RunFsck);
  fsck->add_option("table", options->table, "The table, or with a '/' the folder of any Delta table")
      ->required()
      ->type_name("DATABASE.TABLE|FOLDER");
  fsck->add_flag("--check-files", options->fsck.check_files, "Look whether every live file is there, too");
  fsck->add_flag("--check-data", options->fsck.check_data, "Read all live files and check their statistics, too");
  fsck->add_flag("--json", options->fsck.json, "One JSON object instead of a finding per line");
  with_table(add("optimize", "Merge a table's small files now; writers need not stop", Optimize));
  return [options, chosen] { return (*chosen)(*options); };
}

}  // namespace tarn::cli
