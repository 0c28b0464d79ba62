#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "delta/column_path.h"
#include "delta/table.h"

namespace tarn::delta {

// What ALTER TABLE can ask for. Columns are found whatever the case of their names.

/// Where a column comes to stand among its siblings; by default it is the last, or stays where it is.
struct ColumnPosition {
  bool first = false;
  /// Behind this one.
  std::string after = {};
};

/// Whether it says anything.
inline bool IsSomewhere(const ColumnPosition& position) { return position.first || !position.after.empty(); }

struct AddColumns {
  struct Column {
    /// Empty for a column of the table, else the struct that gets a new member.
    ColumnPath record;
    /// Nullable; its metadata may hold a "comment".
    std::shared_ptr<arrow::Field> field;
    ColumnPosition position;
  };
  std::vector<Column> columns;
};

/// Needs column mapping, as does dropping: data files have the names.
struct RenameColumn {
  ColumnPath column;
  std::string to;
};

struct DropColumns {
  std::vector<ColumnPath> columns;
};

struct ChangeColumn {
  ColumnPath column;
  /// What is to become of it; nothing where it is empty.
  std::optional<bool> nullable = {};
  /// Removed where the text is empty.
  std::optional<std::string> comment = {};
  std::optional<ColumnPosition> position = {};
};

/// Table properties by the names that PropertyName gives; `delta.feature.NAME = supported` adds a table feature.
struct SetProperties {
  std::map<std::string, std::string> properties;
};

struct UnsetProperties {
  std::vector<std::string> names;
};

struct SetTableComment {
  /// Removed where it is empty.
  std::string comment;
};

/// A CHECK constraint in Spark's SQL, which every row must keep, those of the table among them. Names differ by more
/// than case.
struct AddConstraint {
  std::string name;
  std::string expression;
};

struct DropConstraint {
  std::string name;
};

struct UpgradeProtocol {
  int reader_version = 0;
  int writer_version = 0;
};

using TableChange = std::variant<AddColumns, RenameColumn, DropColumns, ChangeColumn, SetProperties, UnsetProperties,
                                 SetTableComment, AddConstraint, DropConstraint, UpgradeProtocol>;

struct AlterOptions {
  /// Finds out whether it can be done and what that would make of the table, and commits nothing.
  bool dry_run = false;
  /// More than one: where others changed the table meanwhile, the change is planned anew behind theirs, so often
  /// altogether. Then errors are about the table as it is by then.
  int max_attempts = 1;
};

struct AlterResult {
  /// Nothing changed: the table is so already. There is no commit then.
  bool is_as_before = false;
  /// The table behind the change; in a dry run, or when nothing changed, as it was.
  std::shared_ptr<const Snapshot> snapshot;
  /// What it says from now on; in a dry run what it would.
  Protocol protocol;
  Metadata metadata;
};

/// Changes what a table says of itself by one commit, which history names as Spark does. No data file is touched.
///
/// The protocol is raised for properties and constraints that need a feature, by `delta.feature.NAME` and by
/// UpgradeProtocol, and by nothing else. `delta.columnMapping.mode` can become `name` where columns are not mapped yet,
/// and is then kept. Others' appends and compaction are in nobody's way; Conflict when somebody else changed metadata
/// or protocol meanwhile, or committed anything beside NOT NULL or a new constraint, for which every row is looked at.
///
/// NotFound for columns and properties that are not there, AlreadyExists for a name that is taken, InvalidArgument for
/// what no table can be, Unsupported for what needs a feature: the message says how to switch it on.
Result<AlterResult> AlterTable(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                               const TableChange& change, const AlterOptions& options = {});

}  // namespace tarn::delta
