#include "cli/table_alter.h"

#include <arrow/type.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <map>
#include <utility>

#include "cli/any_table.h"
#include "cli/command_line.h"
#include "cli/table_text.h"
#include "columnar/delta_schema.h"
#include "delta/log/commit_json.h"
#include "delta/operations/after_commit.h"
#include "delta/operations/alter_table.h"
#include "lake/alter_rules.h"

namespace tarn::cli {
namespace {

using Pair = std::pair<std::string, std::string>;

/// Each one that fails means that somebody else changed the table.
constexpr int kMaxAttempts = 32;

/// The two sides of the first '=' that is not in backquotes.
Result<Pair> SplitPair(const std::string& text, const std::string& option, const std::string& form) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '`') quoted = !quoted;
    if (text[i] == '=' && !quoted) return Pair{text.substr(0, i), text.substr(i + 1)};
  }
  return Status::InvalidArgument(option + " takes " + form + ", not '" + text + "'");
}

/// A type as a table's schema writes it: a name, or the JSON of a nested one.
Result<std::shared_ptr<arrow::Field>> MakeField(const std::string& name, const std::string& type) {
  std::string json = R"({"type":"struct","fields":[{"name":)";
  delta::AppendJsonString(json, name);
  json += R"(,"nullable":true,"metadata":{},"type":)";
  if (type.starts_with("{")) {
    json += type;
  } else {
    delta::AppendJsonString(json, type);
  }
  const auto schema = columnar::SchemaFromDeltaJson(json + "}]}");
  if (!schema.ok()) return Status::InvalidArgument("--add-column: " + schema.status().message());
  return (*schema)->field(0);
}

Result<delta::TableChange> AddChange(const AlterOptions& options, const delta::ColumnPosition& position) {
  delta::AddColumns change;
  for (const std::string& text : options.add_columns) {
    TARN_ASSIGN_OR_RETURN(const Pair pair, SplitPair(text, "--add-column", "COLUMN=TYPE"));
    TARN_ASSIGN_OR_RETURN(delta::ColumnPath path, delta::ParseColumnPath(pair.first));
    TARN_ASSIGN_OR_RETURN(auto field, MakeField(path.back(), pair.second));
    path.pop_back();
    // Several keep their order.
    const bool follows = IsSomewhere(position) && !change.columns.empty() && change.columns.back().record == path;
    delta::ColumnPosition place = position;
    if (follows) place = {.after = change.columns.back().field->name()};
    change.columns.push_back({std::move(path), std::move(field), std::move(place)});
  }
  return delta::TableChange(std::move(change));
}

Result<delta::TableChange> SetChange(const AlterOptions& options) {
  delta::SetProperties change;
  for (const std::string& text : options.set) {
    TARN_ASSIGN_OR_RETURN(Pair pair, SplitPair(text, "--set", "KEY=VALUE"));
    change.properties[std::move(pair.first)] = std::move(pair.second);
  }
  return delta::TableChange(std::move(change));
}

Result<delta::TableChange> DropChange(const AlterOptions& options) {
  delta::DropColumns change;
  for (const std::string& text : options.drop_columns) {
    TARN_ASSIGN_OR_RETURN(delta::ColumnPath path, delta::ParseColumnPath(text));
    change.columns.push_back(std::move(path));
  }
  return delta::TableChange(std::move(change));
}

Result<delta::TableChange> RenameChange(const AlterOptions& options) {
  TARN_ASSIGN_OR_RETURN(const Pair pair, SplitPair(options.rename_column, "--rename-column", "COLUMN=NAME"));
  TARN_ASSIGN_OR_RETURN(delta::ColumnPath path, delta::ParseColumnPath(pair.first));
  TARN_ASSIGN_OR_RETURN(const delta::ColumnPath name, delta::ParseColumnPath(pair.second));
  if (name.size() != 1) {
    return Status::InvalidArgument("--rename-column: a column stays where it is, so " + pair.second +
                                   " must be a name alone; one with a dot stands in backquotes");
  }
  return delta::TableChange(delta::RenameColumn{std::move(path), name[0]});
}

Result<delta::TableChange> UpgradeChange(const AlterOptions& options) {
  delta::UpgradeProtocol change;
  const char* end = options.upgrade.data() + options.upgrade.size();
  const auto [comma, first] = std::from_chars(options.upgrade.data(), end, change.reader_version);
  if (first == std::errc() && comma != end && *comma == ',') {
    const auto [rest, second] = std::from_chars(comma + 1, end, change.writer_version);
    if (second == std::errc() && rest == end) return delta::TableChange(change);
  }
  return Status::InvalidArgument("--upgrade takes READER,WRITER as in 3,7, not '" + options.upgrade + "'");
}

/// A change of the column that `text` leads to.
Result<delta::TableChange> ColumnChange(const std::string& text, delta::ChangeColumn change) {
  TARN_ASSIGN_OR_RETURN(change.column, delta::ParseColumnPath(text));
  return delta::TableChange(std::move(change));
}

Result<delta::TableChange> ChangeOf(const AlterOptions& options) {
  const delta::ColumnPosition position{.first = options.first, .after = options.after};
  if (IsSomewhere(position) && options.add_columns.empty() && options.move_column.empty()) {
    return Status::InvalidArgument("--first and --after belong to --add-column or --move-column");
  }
  if (!options.add_columns.empty()) return AddChange(options, position);
  if (!options.set.empty()) return SetChange(options);
  if (!options.unset.empty()) return delta::TableChange(delta::UnsetProperties{options.unset});
  if (!options.drop_columns.empty()) return DropChange(options);
  if (!options.rename_column.empty()) return RenameChange(options);
  if (!options.move_column.empty()) {
    if (!IsSomewhere(position)) return Status::InvalidArgument("--move-column needs --first or --after");
    return ColumnChange(options.move_column, {.column = {}, .position = position});
  }
  if (!options.not_null.empty()) return ColumnChange(options.not_null, {.column = {}, .nullable = false});
  if (!options.nullable.empty()) return ColumnChange(options.nullable, {.column = {}, .nullable = true});
  if (!options.comment_column.empty()) {
    TARN_ASSIGN_OR_RETURN(Pair pair, SplitPair(options.comment_column, "--comment-column", "COLUMN=TEXT"));
    return ColumnChange(pair.first, {.column = {}, .comment = std::move(pair.second)});
  }
  if (!options.add_constraint.empty()) {
    TARN_ASSIGN_OR_RETURN(Pair pair, SplitPair(options.add_constraint, "--add-constraint", "NAME=EXPRESSION"));
    return delta::TableChange(delta::AddConstraint{std::move(pair.first), std::move(pair.second)});
  }
  if (!options.drop_constraint.empty()) return delta::TableChange(delta::DropConstraint{options.drop_constraint});
  if (options.comment.has_value()) return delta::TableChange(delta::SetTableComment{*options.comment});
  return UpgradeChange(options);
}

Status CheckOneKind(const AlterOptions& options) {
  int kinds = 0;
  for (const auto* list : {&options.set, &options.unset, &options.add_columns, &options.drop_columns}) {
    if (!list->empty()) ++kinds;
  }
  for (const auto* text :
       {&options.rename_column, &options.move_column, &options.not_null, &options.nullable, &options.comment_column,
        &options.add_constraint, &options.drop_constraint, &options.upgrade}) {
    if (!text->empty()) ++kinds;
  }
  if (options.comment.has_value()) ++kinds;
  if (kinds == 1) return Status::Ok();
  return Status::InvalidArgument(kinds == 0 ? "table alter needs a change, as --set KEY=VALUE"
                                            : "table alter makes one kind of change at a time, each one commit");
}

Status Tell(const AlterOptions& options, const delta::AlterResult& result, const delta::Protocol& before) {
  if (options.json) {
    return WriteStdout(std::string(R"({"dry_run":)") + (options.dry_run ? "true" : "false") + R"(,"changed":)" +
                       (result.is_as_before ? "false" : "true") + R"(,"version":)" +
                       std::to_string(result.snapshot->version()) + "," + ProtocolMembers(result.protocol) + "}\n");
  }
  if (result.is_as_before) return WriteStdout("nothing to do: the table is so already\n");
  const std::string version = "version " + std::to_string(result.snapshot->version());
  std::string text = options.dry_run ? version + " can be changed" : version + " is changed";
  if (result.protocol != before) {
    text += "; the protocol " + std::string(options.dry_run ? "would be " : "is now ") + ProtocolText(result.protocol);
  }
  return WriteStdout(text + "\n");
}

}  // namespace

void AddAlterOptions(CLI::App& command, AlterOptions& options) {
  const auto add = [&](const char* name, auto& value, const char* what, const char* form) {
    return command.add_option(name, value, what)->type_name(form);
  };
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* what, const char* form) {
    add(name, values, what, form)->check(MustNotBeEmpty)->allow_extra_args(false);
  };
  const auto one = [&](const char* name, std::string& value, const char* what, const char* form) {
    add(name, value, what, form)->check(MustNotBeEmpty);
  };
  list("--set", options.set,
       "Set a table property; delta.feature.NAME=supported adds a table feature, delta.columnMapping.mode=name lets "
       "columns be renamed and dropped. May be given several times, for one commit",
       "KEY=VALUE");
  list("--unset", options.unset, "Remove a table property. May be given several times", "KEY");
  list("--add-column", options.add_columns,
       "Add a column, or with a path a member of a struct; the type as in the log: long, string, timestamp, "
       "'decimal(10,2)', or the JSON of a nested one. May be given several times",
       "COLUMN=TYPE");
  list("--drop-column", options.drop_columns, "Drop a column. May be given several times", "COLUMN");
  one("--rename-column", options.rename_column, "Give a column another name", "COLUMN=NAME");
  one("--move-column", options.move_column, "Move a column among its siblings, to --first or --after", "COLUMN");
  command.add_flag("--first", options.first, "With --add-column or --move-column: before all others");
  one("--after", options.after, "With --add-column or --move-column: behind this one", "NAME");
  one("--not-null", options.not_null, "Forbid null in a column, which must hold none now", "COLUMN");
  one("--nullable", options.nullable, "Allow null in a column", "COLUMN");
  add("--comment", options.comment, "The table's comment; an empty one removes it", "TEXT");
  one("--comment-column", options.comment_column, "A column's comment; an empty one removes it", "COLUMN=TEXT");
  one("--add-constraint", options.add_constraint,
      "Add a CHECK constraint in Spark's SQL, which every row must keep, those of the table among them",
      "NAME=EXPRESSION");
  one("--drop-constraint", options.drop_constraint, "Drop a CHECK constraint", "NAME");
  one("--upgrade", options.upgrade,
      "Raise the protocol's versions, as to 3,7; which costs readers and writers that do not know them",
      "READER,WRITER");
  command.add_flag("--dry-run", options.dry_run,
                   "Change nothing; say whether it can be done, and what of the protocol");
}

Status Alter(const AlterOptions& options) {
  TARN_RETURN_NOT_OK(CheckOneKind(options));
  TARN_ASSIGN_OR_RETURN(const delta::TableChange change, ChangeOf(options));
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(const auto snapshot, table.Load());
  TARN_RETURN_NOT_OK(lake::CheckAlter(*snapshot, change));
  TARN_ASSIGN_OR_RETURN(
      const auto result,
      delta::AlterTable(table.context, snapshot, change, {.dry_run = options.dry_run, .max_attempts = kMaxAttempts}));
  if (!options.dry_run) delta::WriteAfterCommit(table.context, *result.snapshot, snapshot->version());
  return Tell(options, result, snapshot->protocol());
}

}  // namespace tarn::cli
