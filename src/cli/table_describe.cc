#include "cli/table_describe.h"

#include <arrow/type.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/any_table.h"
#include "cli/command_line.h"
#include "cli/local_lake.h"
#include "cli/table_text.h"
#include "columnar/delta_schema.h"
#include "delta/column_path.h"
#include "delta/log/commit_json.h"
#include "delta/table.h"

namespace tarn::cli {
namespace {

/// A table with what it needs to be looked at.
struct ShownTable {
  LocalLake lake;
  AnyTable alone;
  /// Without a name where the table was given by its place.
  std::shared_ptr<const lake::TableView> view;
  delta::TableContext context;
};

Result<ShownTable> Find(const DescribeOptions& options) {
  ShownTable table;
  if (!IsPath(options.table)) {
    TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseTableName(options.table));
    TARN_ASSIGN_OR_RETURN(table.lake, OpenLocalLake(options.lake, LakeAccess::kRead));
    TARN_ASSIGN_OR_RETURN(table.view, table.lake.lake->Pin(name, std::nullopt));
    table.context = {.store = table.view->store, .clock = &SystemClock(), .random = table.lake.random.get()};
    return table;
  }
  TARN_ASSIGN_OR_RETURN(table.alone, OpenAnyTable(options.lake, options.table));
  table.context = table.alone.context;
  lake::TableView view;
  view.store = table.context.store;
  TARN_ASSIGN_OR_RETURN(view.snapshot, table.alone.Load());
  view.schema = view.snapshot->schema();
  view.partition_columns = view.snapshot->partition_columns();
  table.view = std::make_shared<const lake::TableView>(std::move(view));
  return table;
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

/// Nothing where there is no comment.
std::string CommentMember(const std::string& comment) {
  std::string json;
  if (!comment.empty()) AppendMember(json, "comment", comment);
  return json;
}

/// null for a time that no store tells.
std::string TimestampJson(int64_t millis) {
  std::string json;
  if (millis <= 0) return "null";
  delta::AppendJsonString(json, TimestampText(millis));
  return json;
}

std::string ViewJson(const lake::TableView& view, int64_t buffered) {
  std::string json = "{" + NameMembers(view.name);
  AppendMember(json, "location", view.store->uri());
  if (view.snapshot != nullptr) {
    const delta::Snapshot& snapshot = *view.snapshot;
    json += R"(,"version":)" + std::to_string(snapshot.version());
    json += R"(,"timestamp":)" + TimestampJson(snapshot.timestamp_millis());
    json += "," + ProtocolMembers(snapshot.protocol()) + R"(,"maps_columns":)" +
            (snapshot.field_match() == columnar::FieldMatch::kName ? "false" : "true") + R"(,"properties":)" +
            MapJson(snapshot.metadata().configuration) + CommentMember(snapshot.metadata().description.value_or("")) +
            R"(,"files":)" + std::to_string(snapshot.num_files()) + R"(,"bytes":)" +
            std::to_string(snapshot.total_bytes());
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
    json += field->nullable() ? R"(,"nullable":true)" : R"(,"nullable":false)";
    json += CommentMember(delta::CommentOf(*field)) + "}";
  }
  return json + "]}\n";
}

std::string EntryJson(const delta::HistoryEntry& entry) {
  std::string json = R"({"version":)" + std::to_string(entry.version) + R"(,"timestamp":)" +
                     TimestampJson(entry.timestamp_millis) + R"(,"operation":)";
  delta::AppendJsonString(json, entry.info.operation);
  json += R"(,"parameters":)" + MapJson(entry.info.operation_parameters) + R"(,"metrics":)" +
          MapJson(entry.info.operation_metrics) + R"(,"files_added":)" + std::to_string(entry.files_added) +
          R"(,"files_removed":)" + std::to_string(entry.files_removed) + R"(,"by":)";
  delta::AppendJsonString(json, entry.info.engine_info);
  return json + "}";
}

}  // namespace

Status Describe(const DescribeOptions& options) {
  TARN_ASSIGN_OR_RETURN(const ShownTable table, Find(options));
  const auto& view = table.view;
  int64_t buffered = 0;
  for (const auto& segment : view->segments) buffered += segment->num_rows;
  if (options.json) return WriteStdout(ViewJson(*view, buffered));
  std::string text = "location   " + view->store->uri() + "\n";
  if (!view->name.table.empty()) text = "table      " + view->name.ToString() + "\n" + text;
  if (view->snapshot != nullptr) {
    const delta::Snapshot& snapshot = *view->snapshot;
    text += "version    " + std::to_string(snapshot.version());
    if (snapshot.timestamp_millis() > 0) text += " of " + TimestampText(snapshot.timestamp_millis());
    text += "\nprotocol   " + ProtocolText(snapshot.protocol()) + "\n" + PropertiesText(snapshot) + "files      " +
            std::to_string(snapshot.num_files()) + ", " + std::to_string(snapshot.total_bytes()) + " bytes\n";
  }
  if (!view->name.table.empty()) text += "buffered   " + std::to_string(buffered) + " rows\n";
  std::string partitions;
  for (const int column : view->partition_columns) {
    partitions += (partitions.empty() ? "" : ", ") + view->schema->field(column)->name();
  }
  if (!partitions.empty()) text += "partitions " + partitions + "\n";
  TextTable columns({"COLUMN", "TYPE", "NULLABLE", "COMMENT"});
  for (const auto& field : view->schema->fields()) {
    columns.Add({field->name(), columnar::DeltaTypeName(*field->type()), field->nullable() ? "yes" : "no",
                 delta::CommentOf(*field)});
  }
  return WriteStdout(text + "\n" + columns.ToString());
}

Status History(const DescribeOptions& options) {
  if (options.limit < 1) return Status::InvalidArgument("--limit must be at least 1");
  TARN_ASSIGN_OR_RETURN(const ShownTable table, Find(options));
  std::vector<delta::HistoryEntry> history;
  if (table.view->snapshot != nullptr) {
    TARN_ASSIGN_OR_RETURN(history, delta::ReadHistory(table.context, *table.view->snapshot, options.limit));
  }
  if (options.json) {
    std::string json;
    for (const delta::HistoryEntry& entry : history) json += (json.empty() ? "" : ",") + EntryJson(entry);
    return WriteStdout(R"({"commits":[)" + json + "]}\n");
  }
  TextTable text({"VERSION", "TIMESTAMP", "OPERATION", "ADDED", "REMOVED", "BY"});
  for (const delta::HistoryEntry& entry : history) {
    const std::string time = entry.timestamp_millis > 0 ? TimestampText(entry.timestamp_millis) : "";
    text.Add({std::to_string(entry.version), time, entry.info.operation, std::to_string(entry.files_added),
              std::to_string(entry.files_removed), entry.info.engine_info});
  }
  return WriteStdout(text.ToString());
}

}  // namespace tarn::cli
