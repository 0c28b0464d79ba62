#include "delta/operations/alter_table.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <set>
#include <utility>

#include "columnar/delta_schema.h"
#include "columnar/without_void.h"
#include "delta/constraints.h"
#include "delta/expressions/expression.h"
#include "delta/files/column_mapping.h"
#include "delta/files/data_file_reader.h"
#include "delta/letter_case.h"
#include "delta/log/commit_json.h"
#include "delta/protocol_features.h"
#include "delta/schema_evolution.h"
#include "delta/table_properties.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

constexpr char kMappingMode[] = "delta.columnMapping.mode";
constexpr char kCommentKey[] = "comment";

std::string JsonText(std::string_view text) {
  std::string json;
  AppendJsonString(json, text);
  return json;
}

std::string JsonMap(const std::map<std::string, std::string>& texts) {
  std::string json;
  for (const auto& [key, text] : texts) json += (json.empty() ? "{" : ",") + JsonText(key) + ":" + JsonText(text);
  return json.empty() ? "{}" : json + "}";
}

/// A field as the list of a schema's fields has it.
Result<std::string> JsonField(const std::shared_ptr<arrow::Field>& field) {
  TARN_ASSIGN_OR_RETURN(const std::string schema, columnar::SchemaToDeltaJson(*arrow::schema({field})));
  const size_t begin = schema.find('[') + 1;
  return schema.substr(begin, schema.rfind(']') - begin);
}

std::string PositionText(const ColumnPosition& position) {
  return position.first ? "first" : "after " + ColumnPathText({position.after});
}

/// Puts a field among others.
Status Insert(arrow::FieldVector& fields, std::shared_ptr<arrow::Field> field, const ColumnPosition& position) {
  auto place = position.first ? fields.begin() : fields.end();
  if (!position.after.empty()) {
    const int before = FindField(fields, position.after);
    if (before < 0) return Status::NotFound("there is no column " + position.after + " beside " + field->name());
    place = fields.begin() + before + 1;
  }
  fields.insert(place, std::move(field));
  return Status::Ok();
}

Status NeedsMapping(const std::string& what) {
  return Status::Unsupported(what +
                             " needs column mapping, which the table property delta.columnMapping.mode = name switches "
                             "on; readers that do not know it cannot read the table then");
}

/// Works out what a change makes of metadata and protocol.
class Planner {
 public:
  Planner(const TableContext& table, const Snapshot& snapshot)
      : table_(table),
        snapshot_(snapshot),
        schema_(snapshot.schema()),
        metadata_(snapshot.metadata()),
        protocol_(snapshot.protocol()) {}

  Status Plan(const TableChange& change) {
    TARN_RETURN_NOT_OK(std::visit([this](const auto& kind) { return Apply(kind); }, change));
    if (schema_ != snapshot_.schema()) {
      TARN_ASSIGN_OR_RETURN(metadata_.schema_string, columnar::SchemaToDeltaJson(*schema_));
    }
    const std::set<std::string> used_before = FeaturesInUse(snapshot_.metadata(), *snapshot_.schema());
    for (const std::string& feature : FeaturesInUse(metadata_, *schema_)) {
      if (!used_before.contains(feature)) features_.insert(feature);
    }
    TARN_ASSIGN_OR_RETURN(protocol_, RaiseFor(protocol_, features_));
    TARN_ASSIGN_OR_RETURN(const columnar::FieldMatch match, FieldMatchOf(protocol_, metadata_));
    if (const Status mapped = CheckMapping(*schema_, match); !mapped.ok()) {
      return Status::InvalidArgument("nobody could read the table then: " + mapped.message());
    }
    return CheckWritable(protocol_, metadata_, *schema_);
  }

  bool IsAsBefore() const { return metadata_ == snapshot_.metadata() && protocol_ == snapshot_.protocol(); }
  const Protocol& protocol() const { return protocol_; }
  const Metadata& metadata() const { return metadata_; }

  Result<Committed> Commit(const std::shared_ptr<const Snapshot>& snapshot) const {
    TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table_, snapshot));
    if (protocol_ != snapshot_.protocol()) transaction->SetProtocol(protocol_);
    if (metadata_ != snapshot_.metadata()) TARN_RETURN_NOT_OK(transaction->SetMetadata(metadata_));
    if (read_table_) transaction->SetReads({.whole_table = true});
    transaction->SetOperation(operation_, parameters_);
    return transaction->Commit();
  }

 private:
  Status Apply(const AddColumns& change);
  Status Apply(const RenameColumn& change);
  Status Apply(const DropColumns& change);
  Status Apply(const ChangeColumn& change);
  Status Apply(const SetProperties& change);
  Status Apply(const UnsetProperties& change);
  Status Apply(const SetTableComment& change);
  Status Apply(const AddConstraint& change);
  Status Apply(const DropConstraint& change);
  Status Apply(const UpgradeProtocol& change);

  bool is_mapped() const { return snapshot_.field_match() != columnar::FieldMatch::kName; }
  bool IsPartitionColumn(const std::string& name) const {
    return std::find(metadata_.partition_columns.begin(), metadata_.partition_columns.end(), name) !=
           metadata_.partition_columns.end();
  }
  Status Add(const AddColumns::Column& column);
  Status Drop(const ColumnPath& column);
  /// `path` as the table spells it; NotFound when it leads to no field.
  Result<ColumnPath> Spelled(const ColumnPath& path) const;
  Status SetMappingMode(const std::string& mode);
  /// InvalidArgument where a rule of the table may be about the column.
  Status CheckUnmentioned(const ColumnPath& path, const std::string& verb) const;
  Status CheckNoNulls(int column) const;
  std::map<std::string, std::string>::iterator FindConstraint(const std::string& name);
  /// Whether all rows keep a constraint that would have this key.
  Status CheckRows(const std::string& key, const std::string& expression) const;

  const TableContext& table_;
  const Snapshot& snapshot_;
  std::shared_ptr<arrow::Schema> schema_;
  Metadata metadata_;
  Protocol protocol_;
  /// Asked for, beside those that come to be in use.
  std::set<std::string> features_;
  bool read_table_ = false;
  std::string operation_;
  std::map<std::string, std::string> parameters_;
};

Status Planner::Add(const AddColumns::Column& column) {
  const std::shared_ptr<arrow::Field>& field = column.field;
  if (!field->nullable()) return Status::InvalidArgument("the new column " + field->name() + " must be nullable");
  const SchemaFreedom freedom{is_mapped(), FeaturesOf(protocol_).contains("timestampNtz")};
  const Status fits = CheckPlainSchema(*arrow::schema({field}), freedom);
  if (fits.Is(StatusCode::kUnsupported) && !CheckPlainName(field->name()).ok()) {
    return NeedsMapping("the name '" + field->name() + "'");
  }
  TARN_RETURN_NOT_OK(fits);
  TARN_RETURN_NOT_OK(columnar::CheckVoid(*field));
  const auto added = is_mapped() ? MapNewColumn(field, metadata_, *schema_, *table_.random) : field;
  TARN_ASSIGN_OR_RETURN(schema_, EditFields(*schema_, column.record, [&](arrow::FieldVector& fields) -> Status {
                          if (const int taken = FindField(fields, field->name()); taken >= 0) {
                            ColumnPath path = column.record;
                            path.push_back(fields[static_cast<size_t>(taken)]->name());
                            return Status::AlreadyExists("there is a column " + ColumnPathText(path) + " already");
                          }
                          return Insert(fields, added, column.position);
                        }));
  return Status::Ok();
}

Status Planner::Apply(const AddColumns& change) {
  std::string columns;
  for (const AddColumns::Column& column : change.columns) {
    TARN_RETURN_NOT_OK(Add(column));
    TARN_ASSIGN_OR_RETURN(const std::string json, JsonField(column.field));
    columns += (columns.empty() ? R"({"column":)" : R"(,{"column":)") + json;
    if (!column.record.empty()) columns += R"(,"parent":)" + JsonText(ColumnPathText(column.record));
    if (IsSomewhere(column.position)) columns += R"(,"position":)" + JsonText(PositionText(column.position));
    columns += "}";
  }
  operation_ = "ADD COLUMNS";
  parameters_ = {{"columns", "[" + columns + "]"}};
  return Status::Ok();
}

Result<ColumnPath> Planner::Spelled(const ColumnPath& path) const {
  ColumnPath spelled;
  for (size_t length = 1; length <= path.size(); ++length) {
    const ColumnPath part(path.begin(), path.begin() + static_cast<ptrdiff_t>(length));
    const auto found = EditField(*schema_, part, [&](arrow::FieldVector& fields, size_t at) {
      spelled.push_back(fields[at]->name());
      return Status::Ok();
    });
    // What a list or map holds has no name to spell.
    if (length == path.size()) TARN_RETURN_NOT_OK(found.status());
    if (spelled.size() < length) spelled.push_back(LowerCase(path[length - 1]));
  }
  return spelled;
}

Status Planner::CheckUnmentioned(const ColumnPath& path, const std::string& verb) const {
  const std::string& name = path.back();
  const auto refuse = [&](const std::string& rule) {
    return Status::InvalidArgument("the column " + ColumnPathText(path) + " cannot be " + verb + ": " + rule);
  };
  for (const auto& [key, value] : metadata_.configuration) {
    if (key.starts_with("delta.constraints.") && MayMention(value, name)) {
      return refuse("the constraint " + key.substr(key.rfind('.') + 1) + " mentions it");
    }
    if (key == "delta.dataSkippingStatsColumns" && MayMention(value, name)) return refuse(key + " names it");
  }
  // Rules of a column are part of its metadata, at any depth.
  const auto in_rules = [&](const auto& self, const arrow::FieldVector& fields) -> Status {
    for (const auto& field : fields) {
      const int64_t entries = field->HasMetadata() ? field->metadata()->size() : 0;
      for (int64_t i = 0; i < entries; ++i) {
        const std::string& key = field->metadata()->key(i);
        const bool is_rule = key == "delta.invariants" || key == "delta.generationExpression";
        if (!is_rule || !MayMention(field->metadata()->value(i), name)) continue;
        return refuse((key == "delta.invariants" ? "an invariant of " : "the generated column ") + field->name() +
                      " mentions it");
      }
      TARN_RETURN_NOT_OK(self(self, field->type()->fields()));
    }
    return Status::Ok();
  };
  return in_rules(in_rules, schema_->fields());
}

Status Planner::Apply(const RenameColumn& change) {
  if (!is_mapped()) return NeedsMapping("renaming a column");
  TARN_ASSIGN_OR_RETURN(const ColumnPath path, Spelled(change.column));
  TARN_RETURN_NOT_OK(CheckUnmentioned(path, "renamed"));
  if (change.to.empty()) return Status::InvalidArgument("a column has an empty name");
  ColumnPath renamed(path.begin(), path.end() - 1);
  renamed.push_back(change.to);
  TARN_ASSIGN_OR_RETURN(schema_, EditField(*schema_, path, [&](arrow::FieldVector& fields, size_t at) -> Status {
                          const int taken = FindField(fields, change.to);
                          if (taken >= 0 && static_cast<size_t>(taken) != at) {
                            return Status::AlreadyExists("there is a column " + ColumnPathText(renamed) + " already");
                          }
                          fields[at] = fields[at]->WithName(change.to);
                          return Status::Ok();
                        }));
  if (path.size() == 1) {
    std::replace(metadata_.partition_columns.begin(), metadata_.partition_columns.end(), path[0], change.to);
  }
  operation_ = "RENAME COLUMN";
  parameters_ = {{"oldColumnPath", ColumnPathText(path)}, {"newColumnPath", ColumnPathText(renamed)}};
  return Status::Ok();
}

Status Planner::Drop(const ColumnPath& path) {
  TARN_RETURN_NOT_OK(CheckUnmentioned(path, "dropped"));
  if (path.size() == 1 && IsPartitionColumn(path[0])) {
    return Status::InvalidArgument("the column " + path[0] + " cannot be dropped: it partitions the table");
  }
  TARN_ASSIGN_OR_RETURN(schema_, EditField(*schema_, path, [&](arrow::FieldVector& fields, size_t at) -> Status {
                          fields.erase(fields.begin() + static_cast<ptrdiff_t>(at));
                          const bool is_last =
                              path.size() == 1 ? fields.size() == metadata_.partition_columns.size() : fields.empty();
                          if (!is_last) return Status::Ok();
                          return Status::InvalidArgument("the column " + ColumnPathText(path) +
                                                         " cannot be dropped: nothing would be left");
                        }));
  return Status::Ok();
}

Status Planner::Apply(const DropColumns& change) {
  if (!is_mapped()) return NeedsMapping("dropping a column");
  std::vector<std::string> dropped;
  for (const ColumnPath& column : change.columns) {
    TARN_ASSIGN_OR_RETURN(const ColumnPath path, Spelled(column));
    TARN_RETURN_NOT_OK(Drop(path));
    dropped.push_back(ColumnPathText(path));
  }
  operation_ = "DROP COLUMNS";
  parameters_ = {{"columns", JsonList(dropped)}};
  return Status::Ok();
}

Status Planner::CheckNoNulls(int column) const {
  TARN_ASSIGN_OR_RETURN(const auto candidates, snapshot_.Select({{Predicate::Op::kIsNull, column, {}, {}}}));
  for (const FileIndex index : candidates) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot_.File(index));
    TARN_ASSIGN_OR_RETURN(const auto deleted, DeletedRows(*table_.store, file));
    const auto look = [&](const FileRows& rows) -> Status {
      if (rows.batch->column(0)->null_count() == 0) return Status::Ok();
      return Status::InvalidArgument("the column " + snapshot_.schema()->field(column)->name() +
                                     " cannot become NOT NULL: it is null in a row of " + file.key);
    };
    TARN_RETURN_NOT_OK(ScanDataFile(*table_.store, snapshot_, file, {column}, *deleted, look).status());
  }
  return Status::Ok();
}

Status Planner::Apply(const ChangeColumn& change) {
  TARN_ASSIGN_OR_RETURN(const ColumnPath path, Spelled(change.column));
  std::shared_ptr<arrow::Field> field;
  const auto edit = [&](arrow::FieldVector& fields, size_t at) -> Status {
    field = fields[at];
    if (change.comment.has_value()) {
      auto entries = field->HasMetadata() ? field->metadata()->Copy() : arrow::key_value_metadata({}, {});
      if (entries->Contains(kCommentKey)) (void)entries->Delete(kCommentKey);
      if (!change.comment->empty()) entries->Append(kCommentKey, *change.comment);
      field = field->WithMetadata(std::move(entries));
    }
    if (change.nullable.has_value()) field = field->WithNullable(*change.nullable);
    if (!change.position.has_value() || !IsSomewhere(*change.position)) {
      fields[at] = field;
      return Status::Ok();
    }
    fields.erase(fields.begin() + static_cast<ptrdiff_t>(at));
    return Insert(fields, field, *change.position);
  };
  const bool becomes_required =
      change.nullable == false && path.size() == 1 && schema_->GetFieldByName(path[0])->nullable();
  if (change.nullable == false && path.size() > 1) {
    return Status::Unsupported("NOT NULL for " + ColumnPathText(path) + ": only columns of the table can become that");
  }
  if (becomes_required) {
    TARN_RETURN_NOT_OK(CheckNoNulls(schema_->GetFieldIndex(path[0])));
    read_table_ = true;
    features_.insert("invariants");
  }
  TARN_ASSIGN_OR_RETURN(const auto changed, EditField(*schema_, path, edit));
  if (!changed->Equals(*schema_, /*check_metadata=*/true)) schema_ = changed;
  TARN_ASSIGN_OR_RETURN(std::string json, JsonField(field));
  operation_ = "CHANGE COLUMN";
  parameters_ = {{"column", std::move(json)}};
  if (path.size() > 1) parameters_["path"] = ColumnPathText({path.begin(), path.end() - 1});
  if (change.position.has_value()) parameters_["position"] = PositionText(*change.position);
  return Status::Ok();
}

Status Planner::SetMappingMode(const std::string& mode) {
  const auto known = snapshot_.metadata().configuration.find(kMappingMode);
  const std::string before = is_mapped() ? known->second : "none";
  if (mode == before) return Status::Ok();
  if (before != "none" || mode != "name") {
    return Status::Unsupported(std::string(kMappingMode) + " is " + before + " and cannot become " + mode +
                               ": the names in the data files stay as they are");
  }
  schema_ = MapColumnsAsInFiles(*schema_, metadata_);
  RaiseMaxColumnId(*schema_, metadata_);
  return Status::Ok();
}

Status Planner::Apply(const SetProperties& change) {
  std::map<std::string, std::string> properties;
  for (const auto& [given, value] : change.properties) {
    TARN_ASSIGN_OR_RETURN(const std::string name, PropertyName(given));
    TARN_RETURN_NOT_OK(CheckPropertyValue(name, value));
    properties[name] = value;
  }
  operation_ = "SET TBLPROPERTIES";
  parameters_ = {{"properties", JsonMap(properties)}};
  TARN_ASSIGN_OR_RETURN(features_, TakeFeatures(properties));
  for (const auto& [name, value] : properties) {
    if (name == kMappingMode) TARN_RETURN_NOT_OK(SetMappingMode(value));
    metadata_.configuration[name] = value;
  }
  return Status::Ok();
}

Status Planner::Apply(const UnsetProperties& change) {
  std::vector<std::string> names;
  for (const std::string& given : change.names) {
    TARN_ASSIGN_OR_RETURN(const std::string name, PropertyName(given));
    if (name == kMappingMode && is_mapped()) TARN_RETURN_NOT_OK(SetMappingMode("none"));
    auto& properties = metadata_.configuration;
    const auto found = std::find_if(properties.begin(), properties.end(),
                                    [&](const auto& property) { return SameButForCase(property.first, name); });
    if (found == properties.end()) return Status::NotFound("the table has no property " + name);
    names.push_back(found->first);
    properties.erase(found);
  }
  operation_ = "UNSET TBLPROPERTIES";
  parameters_ = {{"properties", JsonList(names)}};
  return Status::Ok();
}

Status Planner::Apply(const SetTableComment& change) {
  metadata_.description.reset();
  if (!change.comment.empty()) metadata_.description = change.comment;
  operation_ = change.comment.empty() ? "UNSET TBLPROPERTIES" : "SET TBLPROPERTIES";
  parameters_ = {
      {"properties", change.comment.empty() ? JsonList({kCommentKey}) : JsonMap({{kCommentKey, change.comment}})}};
  return Status::Ok();
}

std::map<std::string, std::string>::iterator Planner::FindConstraint(const std::string& name) {
  auto& properties = metadata_.configuration;
  const std::string key = std::string(kConstraintPrefix) + name;
  return std::find_if(properties.begin(), properties.end(),
                      [&](const auto& property) { return SameButForCase(property.first, key); });
}

Status Planner::CheckRows(const std::string& key, const std::string& expression) const {
  TARN_ASSIGN_OR_RETURN(const auto parsed, Expression::Parse(expression, *snapshot_.schema()));
  // Of the columns that it names, without the rules that they have already.
  arrow::FieldVector fields;
  for (const int column : parsed->columns()) {
    fields.push_back(snapshot_.schema()->field(column)->RemoveMetadata());
  }
  const Metadata alone{.configuration = {{key, expression}}};
  TARN_ASSIGN_OR_RETURN(const auto constraint, RowConstraints::Of(alone, arrow::schema(std::move(fields))));
  for (FileIndex index = 0; index < snapshot_.num_files(); ++index) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot_.File(index));
    TARN_ASSIGN_OR_RETURN(const auto deleted, DeletedRows(*table_.store, file));
    const auto look = [&](const FileRows& rows) { return constraint->Check(*rows.batch).WithContext(file.key); };
    TARN_RETURN_NOT_OK(ScanDataFile(*table_.store, snapshot_, file, parsed->columns(), *deleted, look).status());
  }
  return Status::Ok();
}

Status Planner::Apply(const AddConstraint& change) {
  if (change.name.empty()) return Status::InvalidArgument("a constraint needs a name");
  if (FindConstraint(change.name) != metadata_.configuration.end()) {
    return Status::AlreadyExists("the table has a constraint " + change.name);
  }
  const std::string key = std::string(kConstraintPrefix) + LowerCase(change.name);
  const std::string expression = SpelledAs(*schema_, change.expression);
  TARN_RETURN_NOT_OK(CheckRows(key, expression).WithContext("the constraint " + change.name + " cannot be added"));
  metadata_.configuration[key] = expression;
  read_table_ = true;
  operation_ = "ADD CONSTRAINT";
  parameters_ = {{"name", change.name}, {"expr", expression}};
  return Status::Ok();
}

Status Planner::Apply(const DropConstraint& change) {
  const auto found = FindConstraint(change.name);
  if (found == metadata_.configuration.end()) return Status::NotFound("the table has no constraint " + change.name);
  operation_ = "DROP CONSTRAINT";
  parameters_ = {{"name", change.name}, {"expr", found->second}};
  metadata_.configuration.erase(found);
  return Status::Ok();
}

Status Planner::Apply(const UpgradeProtocol& change) {
  TARN_ASSIGN_OR_RETURN(protocol_, UpgradeTo(protocol_, change.reader_version, change.writer_version));
  std::string json;
  AppendObject(json, protocol_);
  operation_ = "UPGRADE PROTOCOL";
  parameters_ = {{"newProtocol", std::move(json)}};
  return Status::Ok();
}

}  // namespace

namespace {

Result<AlterResult> AlterOnce(const TableContext& table, const std::shared_ptr<const Snapshot>& snapshot,
                              const TableChange& change, bool dry_run) {
  TARN_RETURN_NOT_OK(CheckWritable(snapshot->protocol(), snapshot->metadata(), *snapshot->schema()));
  Planner planner(table, *snapshot);
  TARN_RETURN_NOT_OK(planner.Plan(change));
  AlterResult result;
  result.is_as_before = planner.IsAsBefore();
  result.protocol = planner.protocol();
  result.metadata = planner.metadata();
  result.snapshot = snapshot;
  if (result.is_as_before || dry_run) return result;
  TARN_ASSIGN_OR_RETURN(Committed committed, planner.Commit(snapshot));
  result.snapshot = std::move(committed.snapshot);
  result.metadata = result.snapshot->metadata();
  return result;
}

}  // namespace

Result<AlterResult> AlterTable(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                               const TableChange& change, const AlterOptions& options) {
  Result<AlterResult> result = AlterOnce(table, snapshot, change, options.dry_run);
  for (int attempt = 1; attempt < options.max_attempts && result.status().Is(StatusCode::kConflict); ++attempt) {
    TARN_ASSIGN_OR_RETURN(snapshot, Refresh(table, snapshot));
    result = AlterOnce(table, snapshot, change, options.dry_run);
  }
  return result;
}

}  // namespace tarn::delta
