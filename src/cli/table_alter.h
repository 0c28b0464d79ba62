#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/config_options.h"

namespace CLI {
class App;
}

namespace tarn::cli {

/// `tarn table alter`: one change of what a table says of itself, which is one commit. Of `OpenAnyTable`, so that any
/// Delta table will do.
struct AlterOptions {
  LakeChoice lake;
  std::string table;
  bool dry_run = false;
  bool json = false;
  /// KEY=VALUE
  std::vector<std::string> set;
  std::vector<std::string> unset;
  /// COLUMN=TYPE
  std::vector<std::string> add_columns;
  std::vector<std::string> drop_columns;
  /// COLUMN=NAME
  std::string rename_column;
  std::string move_column;
  /// Where columns that are added or moved come to stand.
  bool first = false;
  std::string after;
  std::string not_null;
  std::string nullable;
  std::optional<std::string> comment;
  /// COLUMN=TEXT
  std::string comment_column;
  /// NAME=EXPRESSION
  std::string add_constraint;
  std::string drop_constraint;
  /// READER,WRITER
  std::string upgrade;
};

/// Declares the options of the changes.
void AddAlterOptions(CLI::App& command, AlterOptions& options);

/// Writes what the table became, or would become, to standard output. InvalidArgument when not exactly one kind of
/// change is asked for.
Status Alter(const AlterOptions& options);

}  // namespace tarn::cli
