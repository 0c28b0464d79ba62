#include "engine/lake_table_alter.h"

#include <arrow/type.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "delta/constraints.h"
#include "delta/operations/alter_table.h"
#include "delta/protocol_features.h"
#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "duckdb/parser/parsed_data/comment_on_column_info.hpp"
#include "engine/check_constraint.h"
#include "engine/lake_table_ddl.h"
#include "lake/alter_rules.h"

namespace tarn::engine {
namespace {

using duckdb::AlterTableType;
/// Nothing where IF EXISTS or IF NOT EXISTS leaves nothing to be done.
using MaybeChange = std::optional<delta::TableChange>;

delta::ColumnPath PathOf(const duckdb::vector<std::string>& names) { return {names.begin(), names.end()}; }

bool IsThere(const arrow::Schema& schema, const delta::ColumnPath& path) {
  const auto looked = delta::EditField(schema, path, [](arrow::FieldVector&, size_t) { return Status::Ok(); });
  return looked.ok();
}

Result<MaybeChange> Add(const delta::Snapshot& snapshot, delta::ColumnPath record,
                        const duckdb::ColumnDefinition& column, bool if_not_exists) {
  delta::ColumnPath path = record;
  path.push_back(column.Name());
  if (if_not_exists && IsThere(*snapshot.schema(), path)) return MaybeChange();
  if (column.HasDefaultValue()) return Status::Unsupported("ALTER TABLE: a default for a column");
  TARN_ASSIGN_OR_RETURN(auto type,
                        StoredType(column.Type(), delta::FeaturesOf(snapshot.protocol()).contains("timestampNtz")));
  return MaybeChange(
      delta::AddColumns{{{std::move(record), arrow::field(column.Name(), std::move(type)), delta::ColumnPosition()}}});
}

Result<MaybeChange> Drop(const arrow::Schema& schema, delta::ColumnPath path, bool if_exists) {
  if (if_exists && !IsThere(schema, path)) return MaybeChange();
  return MaybeChange(delta::DropColumns{{std::move(path)}});
}

Result<MaybeChange> Set(const duckdb::SetTableOptionsInfo& set) {
  delta::SetProperties change;
  for (const auto& [name, value] : set.table_options) {
    TARN_ASSIGN_OR_RETURN(const std::string property, SqlPropertyName(name));
    if (value->GetExpressionClass() != duckdb::ExpressionClass::CONSTANT) {
      return Status::Unsupported("the property '" + name + "' takes a constant");
    }
    change.properties[property] = value->Cast<duckdb::ConstantExpression>().value.ToString();
  }
  return MaybeChange(std::move(change));
}

Result<MaybeChange> Change(const ConstraintChange& change, const delta::Snapshot& snapshot) {
  const auto& properties = snapshot.metadata().configuration;
  const auto is_there = [&](const std::string& name) {
    return std::any_of(properties.begin(), properties.end(), [&](const auto& property) {
      return duckdb::StringUtil::CIEquals(property.first, std::string(delta::kConstraintPrefix) + name);
    });
  };
  if (!change.condition) {
    if (change.if_exists && !is_there(change.name)) return MaybeChange();
    return MaybeChange(delta::DropConstraint{change.name});
  }
  const std::string name = change.name.empty() ? NextCheckName(is_there) : change.name;
  TARN_ASSIGN_OR_RETURN(auto constraint, StoredConstraint(name, *change.condition, *snapshot.schema()));
  return MaybeChange(std::move(constraint));
}

std::string TextOf(const duckdb::Value& comment) { return comment.IsNull() ? std::string() : comment.ToString(); }

Result<MaybeChange> ChangeOf(const duckdb::AlterTableInfo& info, const delta::Snapshot& snapshot) {
  switch (info.alter_table_type) {
    case AlterTableType::ADD_COLUMN: {
      const auto& add = info.Cast<duckdb::AddColumnInfo>();
      return Add(snapshot, {}, add.new_column, add.if_column_not_exists);
    }
    case AlterTableType::ADD_FIELD: {
      const auto& add = info.Cast<duckdb::AddFieldInfo>();
      return Add(snapshot, PathOf(add.column_path), add.new_field, add.if_field_not_exists);
    }
    case AlterTableType::REMOVE_COLUMN: {
      const auto& drop = info.Cast<duckdb::RemoveColumnInfo>();
      return Drop(*snapshot.schema(), {drop.removed_column}, drop.if_column_exists);
    }
    case AlterTableType::REMOVE_FIELD: {
      const auto& drop = info.Cast<duckdb::RemoveFieldInfo>();
      return Drop(*snapshot.schema(), PathOf(drop.column_path), drop.if_column_exists);
    }
    case AlterTableType::RENAME_COLUMN: {
      const auto& rename = info.Cast<duckdb::RenameColumnInfo>();
      return MaybeChange(delta::RenameColumn{{rename.old_name}, rename.new_name});
    }
    case AlterTableType::RENAME_FIELD: {
      const auto& rename = info.Cast<duckdb::RenameFieldInfo>();
      return MaybeChange(delta::RenameColumn{PathOf(rename.column_path), rename.new_name});
    }
    case AlterTableType::SET_NOT_NULL:
      return MaybeChange(
          delta::ChangeColumn{.column = {info.Cast<duckdb::SetNotNullInfo>().column_name}, .nullable = false});
    case AlterTableType::DROP_NOT_NULL:
      return MaybeChange(
          delta::ChangeColumn{.column = {info.Cast<duckdb::DropNotNullInfo>().column_name}, .nullable = true});
    case AlterTableType::SET_TABLE_OPTIONS:
      return Set(info.Cast<duckdb::SetTableOptionsInfo>());
    case AlterTableType::RESET_TABLE_OPTIONS: {
      if (const auto* constraint = dynamic_cast<const ConstraintChange*>(&info)) return Change(*constraint, snapshot);
      const auto& names = info.Cast<duckdb::ResetTableOptionsInfo>().table_options;
      return MaybeChange(delta::UnsetProperties{{names.begin(), names.end()}});
    }
    default:
      return CheckAlterKind(info);
  }
}

Result<MaybeChange> ChangeOf(const duckdb::AlterInfo& info, const delta::Snapshot& snapshot) {
  switch (info.type) {
    case duckdb::AlterType::ALTER_TABLE:
      return ChangeOf(info.Cast<duckdb::AlterTableInfo>(), snapshot);
    case duckdb::AlterType::SET_COMMENT:
      return MaybeChange(delta::SetTableComment{TextOf(info.Cast<duckdb::SetCommentInfo>().comment_value)});
    case duckdb::AlterType::SET_COLUMN_COMMENT: {
      const auto& set = info.Cast<duckdb::SetColumnCommentInfo>();
      return MaybeChange(delta::ChangeColumn{.column = {set.column_name}, .comment = TextOf(set.comment_value)});
    }
    default:
      return CheckAlterKind(info);
  }
}

}  // namespace

Status CheckAlterKind(const duckdb::AlterInfo& info) {
  const auto refuse = [](const char* what) { return Status::Unsupported(std::string("ALTER TABLE ") + what); };
  if (info.type == duckdb::AlterType::SET_COLUMN_COMMENT) return Status::Ok();
  if (info.type == duckdb::AlterType::SET_COMMENT) {
    if (info.GetCatalogType() == duckdb::CatalogType::TABLE_ENTRY) return Status::Ok();
    return Status::Unsupported("only tables and columns have comments");
  }
  if (info.type != duckdb::AlterType::ALTER_TABLE) return Status::Unsupported("only tables can be altered");
  switch (info.Cast<duckdb::AlterTableInfo>().alter_table_type) {
    case AlterTableType::ADD_COLUMN:
    case AlterTableType::ADD_FIELD:
    case AlterTableType::REMOVE_COLUMN:
    case AlterTableType::REMOVE_FIELD:
    case AlterTableType::RENAME_COLUMN:
    case AlterTableType::RENAME_FIELD:
    case AlterTableType::SET_NOT_NULL:
    case AlterTableType::DROP_NOT_NULL:
    case AlterTableType::SET_TABLE_OPTIONS:
    case AlterTableType::RESET_TABLE_OPTIONS:
      return Status::Ok();
    case AlterTableType::RENAME_TABLE:
      return refuse("cannot rename a table: its name is that of its folder");
    case AlterTableType::ALTER_COLUMN_TYPE:
      return refuse("cannot change the type of a column");
    case AlterTableType::SET_DEFAULT:
      return refuse("cannot give a column a default");
    case AlterTableType::SET_PARTITIONED_BY:
    case AlterTableType::SET_SORTED_BY:
      return refuse("cannot change how a table is laid out");
    default:
      return OnlyChecks();
  }
}

Status AlterLakeTable(lake::TableCatalog& catalog, const lake::TableName& name, duckdb::AlterInfo& info) {
  TARN_ASSIGN_OR_RETURN(const auto table, catalog.PinForChange(name));
  const auto& snapshot = table.view->snapshot;
  TARN_ASSIGN_OR_RETURN(const MaybeChange change, ChangeOf(info, *snapshot));
  if (!change.has_value()) return Status::Ok();
  TARN_RETURN_NOT_OK(lake::CheckAlter(*snapshot, *change).WithContext(table.view->name.ToString()));
  const auto altered = delta::AlterTable(table.context, snapshot, *change);
  if (!altered.ok()) return altered.status().WithContext(table.view->name.ToString());
  if (!altered->is_as_before) catalog.NoteCommit(name, altered->snapshot);
  return Status::Ok();
}

}  // namespace tarn::engine
