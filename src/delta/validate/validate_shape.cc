#include "delta/validate/validate_shape.h"

#include <arrow/type.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <set>

#include "columnar/delta_schema.h"
#include "columnar/value.h"
#include "delta/constraints.h"
#include "delta/files/column_mapping.h"
#include "delta/files/type_changes.h"
#include "delta/letter_case.h"
#include "delta/protocol_features.h"

namespace tarn::delta::validation {
namespace {

constexpr int kFeaturesReader = 3;
constexpr int kFeaturesWriter = 7;

/// The protocol's table features, and the versions without lists that imply them (PROTOCOL.md, "Valid Feature Names").
struct KnownFeature {
  std::string_view name;
  bool reader = false;
  int legacy_writer = 0;
};

constexpr KnownFeature kKnown[] = {
    {"appendOnly", false, 2},
    {"invariants", false, 2},
    {"checkConstraints", false, 3},
    {"changeDataFeed", false, 4},
    {"generatedColumns", false, 4},
    {"columnMapping", true, 5},
    {"identityColumns", false, 6},
    {"deletionVectors", true},
    {"timestampNtz", true},
    {"timestampWithoutTimezone", true},
    {"v2Checkpoint", true},
    {"vacuumProtocolCheck", true},
    {"typeWidening", true},
    {"typeWidening-preview", true},
    {"variantType", true},
    {"variantType-preview", true},
    {"variantShredding", true},
    {"variantShredding-preview", true},
    {"catalogManaged", true},
    {"catalogOwned-preview", true},
    {"rowTracking"},
    {"domainMetadata"},
    {"inCommitTimestamp"},
    {"inCommitTimestamp-preview"},
    {"allowColumnDefaults"},
    {"clustering"},
    {"icebergCompatV1"},
    {"icebergCompatV2"},
    {"icebergCompatV3"},
    {"icebergWriterCompatV1"},
    {"icebergWriterCompatV3"},
    {"materializePartitionColumns"},
    {"checkpointProtection"},
};

const KnownFeature* FindKnown(const std::string& name) {
  const auto* found =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](const KnownFeature& known) { return known.name == name; });
  return found == std::end(kKnown) ? nullptr : found;
}

using Features = std::optional<std::vector<std::string>>;

bool Lists(const Features& features, const std::string& name) {
  return features.has_value() && std::find(features->begin(), features->end(), name) != features->end();
}

bool AnyType(const arrow::FieldVector& fields, const std::function<bool(const arrow::DataType&)>& holds) {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& field) {
    return holds(*field->type()) || AnyType(field->type()->fields(), holds);
  });
}

bool IsZoneless(const arrow::DataType& type) {
  return type.id() == arrow::Type::TIMESTAMP && static_cast<const arrow::TimestampType&>(type).timezone().empty();
}

int32_t GreatestId(const arrow::FieldVector& fields) {
  int32_t greatest = 0;
  for (const auto& field : fields) {
    greatest = std::max({greatest, columnar::MappingId(*field).value_or(0), GreatestId(field->type()->fields())});
  }
  return greatest;
}

std::optional<int64_t> MaxColumnId(const Metadata& metadata) {
  const auto found = metadata.configuration.find("delta.columnMapping.maxColumnId");
  if (found == metadata.configuration.end()) return std::nullopt;
  int64_t id = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(id) : std::nullopt;
}

void CheckMappedIds(const Metadata& metadata, const TableShape& shape, const Place& place, Findings& findings) {
  if (const Status status = CheckMapping(*shape.schema, shape.match); !status.ok()) {
    findings.Error("column-mapping", place, status.message());
    return;
  }
  if (shape.match == columnar::FieldMatch::kName) return;
  const int32_t greatest = GreatestId(shape.schema->fields());
  if (const auto max = MaxColumnId(metadata); !max.has_value() || *max < greatest) {
    findings.Error("max-column-id", place,
                   "delta.columnMapping.maxColumnId must be at least " + std::to_string(greatest) +
                       ", the greatest id in the schema");
  }
}

void SplitColumns(const Metadata& metadata, const Place& place, TableShape& shape, Findings& findings) {
  const auto stored = [&](const arrow::Field& field) {
    return shape.match == columnar::FieldMatch::kName ? field.name() : columnar::PhysicalName(field);
  };
  std::set<std::string> partitions;
  for (const std::string& name : metadata.partition_columns) {
    const auto field = shape.schema->GetFieldByName(name);
    if (field == nullptr) {
      findings.Error("partition-columns", place, "the schema has no column " + name + ", by which it is partitioned");
    } else if (!partitions.insert(name).second) {
      findings.Error("partition-columns", place, "the table is partitioned by " + name + " twice");
    } else if (field->type()->num_fields() > 0) {
      findings.Error("partition-columns", place, "the table is partitioned by " + name + ", which is nested");
    } else {
      shape.partitions.push_back({stored(*field), field->type()});
    }
  }
  for (const auto& field : shape.schema->fields()) {
    // A column without a type is in no file.
    const bool in_files = !partitions.contains(field->name()) && field->type()->id() != arrow::Type::NA;
    if (in_files) shape.columns.push_back({stored(*field), field->type(), WasFloat(*field)});
  }
}

void Require(const Protocol& protocol, const std::string& feature, const std::string& user, const Place& place,
             Findings& findings) {
  if (!HasFeature(protocol, feature)) {
    findings.Error("feature-missing", place, user + " needs the feature " + feature + ", which the protocol lacks");
  }
}

void CheckConstraints(const Protocol& protocol, const Metadata& metadata, const TableShape& shape, const Place& place,
                      Findings& findings) {
  const auto listed = ConstraintsOf(metadata, *shape.schema);
  for (const Constraint& constraint : listed.ok() ? *listed : std::vector<Constraint>()) {
    Require(protocol, constraint.is_invariant ? "invariants" : "checkConstraints", constraint.ToString(), place,
            findings);
  }
  const auto understood = RowConstraints::Of(metadata, shape.schema);
  if (!understood.ok()) findings.Warn("constraint", place, "no rows are taken: " + understood.status().message());
}

void CheckPartitionValues(const Add& add, const TableShape& shape, const Place& place, Findings& findings) {
  std::set<std::string> names;
  for (const auto& [name, text] : add.partition_values) {
    const auto column = std::find_if(shape.partitions.begin(), shape.partitions.end(),
                                     [&, &key = name](const StatsColumn& known) { return known.name == key; });
    if (column == shape.partitions.end() || !names.insert(name).second) {
      findings.Error("partition-keys", place,
                     add.path + " has a value for " + name + ", by which the table is not partitioned (once)");
    } else if (text.has_value()) {
      if (const auto value = columnar::ParsePartitionValue(*text, *column->type); !value.ok()) {
        findings.Error("partition-value", place, add.path + ": " + name + ": " + value.status().message());
      }
    }
  }
  for (const StatsColumn& column : shape.partitions) {
    if (!names.contains(column.name)) {
      findings.Error("partition-keys", place, add.path + " has no value for the partition column " + column.name);
    }
  }
}

enum class BoundKind : uint8_t { kAny, kNumber, kText, kBoolean };

/// What JSON writes the bounds of a column as (PROTOCOL.md, "Per-file Statistics"). Decimals are numbers, and texts
/// where a number would round them.
BoundKind BoundKindOf(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return BoundKind::kBoolean;
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
      return BoundKind::kNumber;
    case arrow::Type::STRING:
    case arrow::Type::DATE32:
    case arrow::Type::TIMESTAMP:
      return BoundKind::kText;
    default:
      return BoundKind::kAny;
  }
}

bool IsOfKind(const simdjson::dom::element& bound, const arrow::DataType& type) {
  std::string_view text;
  const bool is_text = bound.get(text) == simdjson::SUCCESS;
  const bool is_floating = type.id() == arrow::Type::FLOAT || type.id() == arrow::Type::DOUBLE;
  switch (BoundKindOf(type)) {
    case BoundKind::kNumber:
      if (!is_floating) return bound.is_int64();
      // JSON has no numbers for these.
      return bound.is_number() || (is_text && (text == "NaN" || text == "Infinity" || text == "-Infinity"));
    case BoundKind::kText:
      return is_text && (type.id() != arrow::Type::DATE32 || columnar::ParsePartitionValue(text, type).ok());
    case BoundKind::kBoolean:
      return bound.is_bool();
    case BoundKind::kAny:
      return true;
  }
  return true;
}

bool IsCount(const simdjson::dom::element& value) {
  int64_t number = -1;
  return value.get(number) == simdjson::SUCCESS && number >= 0;
}

/// Readers pass over statistics of another kind than they have to be, or fail by them.
void CheckKindsOfStatistics(const Add& add, const TableShape& shape, const Place& place, Findings& findings) {
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  if (parser.parse(add.stats).get(root) != simdjson::SUCCESS) return;
  const auto expect = [&](bool good, const std::string& what, const simdjson::dom::element& found,
                          const std::string& instead_of) {
    if (good) return;
    findings.Warn("stats", place,
                  "the statistics of " + add.path + " have " + simdjson::minify(found) + " as " + what + ", where " +
                      instead_of + " has to be");
  };
  simdjson::dom::element value;
  if (root["numRecords"].get(value) == simdjson::SUCCESS) expect(IsCount(value), "numRecords", value, "a count");
  if (root["tightBounds"].get(value) == simdjson::SUCCESS) {
    expect(value.is_bool() || value.is_null(), "tightBounds", value, "true or false");
  }
  for (const char* const name : {"minValues", "maxValues", "nullCount"}) {
    if (root[name].get(value) != simdjson::SUCCESS || value.is_null()) continue;
    simdjson::dom::object columns;
    const bool is_object = value.get(columns) == simdjson::SUCCESS;
    expect(is_object, name, value, "an object");
    if (!is_object) continue;
    for (const StatsColumn& column : shape.columns) {
      if (columns[column.name].get(value) != simdjson::SUCCESS || value.is_null()) continue;
      const std::string what = std::string(name) + " of " + column.name;
      if (name == std::string_view("nullCount")) {
        expect(IsCount(value) || column.type->num_fields() > 0, what, value, "a count");
      } else {
        expect(IsOfKind(value, *column.type), what, value, "a value of the type " + column.type->ToString());
      }
    }
  }
}

void CheckStatistics(const Add& add, const TableShape& shape, StatsParser& parser, const Place& place,
                     Findings& findings) {
  const auto facts = parser.Parse(add.stats, shape.columns);
  if (!facts.ok()) {
    findings.Error("stats", place, "the statistics of " + add.path + " are no JSON object");
    return;
  }
  for (size_t i = 0; i < shape.columns.size(); ++i) {
    const ColumnBounds& bounds = facts->columns[i];
    const std::string of = "the statistics of " + add.path + " say of " + shape.columns[i].name;
    if (columnar::Compare(bounds.min, bounds.max) == std::strong_ordering::greater) {
      findings.Error("stats", place, of + " that its minimum is above its maximum");
    }
    if (facts->num_records >= 0 && bounds.null_count > facts->num_records) {
      findings.Error("stats", place, of + " that it has more nulls than the file has rows");
    }
  }
  CheckKindsOfStatistics(add, shape, place, findings);
  if (!add.deletion_vector.has_value()) return;
  if (facts->num_records < 0) {
    findings.Error("vector-stats", place, add.path + " has a deletion vector, but no numRecords");
  } else if (add.deletion_vector->cardinality > facts->num_records) {
    findings.Error("vector-stats", place, "more rows of " + add.path + " are deleted than it has");
  }
}

/// Columns, and the members of a struct, are told apart without regard to case.
void CheckNames(const arrow::FieldVector& fields, const std::string& path, const Place& place, Findings& findings) {
  std::set<std::string> names;
  for (const auto& field : fields) {
    if (!names.insert(LowerCase(field->name())).second) {
      findings.Error("schema", place,
                     "the column " + path + field->name() + " is there twice but for the case of letters");
    }
    CheckNames(field->type()->fields(), path + field->name() + ".", place, findings);
  }
}

}  // namespace

bool HasFeature(const Protocol& protocol, const std::string& feature) {
  const KnownFeature* known = FindKnown(feature);
  if (protocol.min_writer_version >= kFeaturesWriter) return Lists(protocol.writer_features, feature);
  return known != nullptr && known->legacy_writer > 0 && protocol.min_writer_version >= known->legacy_writer;
}

void CheckFeatureLists(const Protocol& protocol, const Place& place, Findings& findings) {
  const auto fail = [&](std::string message) { findings.Error("feature-lists", place, std::move(message)); };
  if (protocol.min_reader_version > kFeaturesReader || protocol.min_writer_version > kFeaturesWriter) {
    findings.Error("protocol-version", place, "the protocol has reader versions up to 3 and writer versions up to 7");
    return;
  }
  if ((protocol.min_reader_version >= kFeaturesReader) != protocol.reader_features.has_value()) {
    fail("readerFeatures must be there at reader version 3 and only there");
  }
  if ((protocol.min_writer_version >= kFeaturesWriter) != protocol.writer_features.has_value()) {
    fail("writerFeatures must be there at writer version 7 and only there");
  }
  if (protocol.min_reader_version >= kFeaturesReader && protocol.min_writer_version < kFeaturesWriter) {
    fail("reader version 3 requires writer version 7");
  }
  for (const std::string& name : protocol.reader_features.value_or(std::vector<std::string>())) {
    const KnownFeature* known = FindKnown(name);
    if (known != nullptr && !known->reader) fail(name + " is no feature of readers");
    if (!Lists(protocol.writer_features, name)) fail(name + " is in readerFeatures, but not in writerFeatures");
  }
  for (const std::string& name : protocol.writer_features.value_or(std::vector<std::string>())) {
    const KnownFeature* known = FindKnown(name);
    if (known == nullptr) {
      findings.Warn("feature-unknown", place, "the feature " + name + " is not known, nor what it asks of a table");
    } else if (known->reader && protocol.min_reader_version >= kFeaturesReader &&
               !Lists(protocol.reader_features, name)) {
      fail(name + " is in writerFeatures, but not in readerFeatures");
    } else if (known->reader && protocol.min_reader_version < kFeaturesReader && name != "columnMapping") {
      fail(name + " needs reader version 3");
    }
  }
}

TableShape CheckShape(const Protocol& protocol, const Metadata& metadata, const Place& place, Findings& findings) {
  TableShape shape;
  shape.has_vectors = HasFeature(protocol, "deletionVectors");
  shape.has_domains = HasFeature(protocol, "domainMetadata");
  shape.append_only = HasFeature(protocol, "appendOnly") && PropertyIsTrue(metadata, "delta.appendOnly");
  shape.in_commit_timestamps = PropertyIsTrue(metadata, "delta.enableInCommitTimestamps");
  if (shape.in_commit_timestamps && !HasFeature(protocol, "inCommitTimestamp-preview")) {
    Require(protocol, "inCommitTimestamp", "delta.enableInCommitTimestamps", place, findings);
  }
  if (PropertyIsTrue(metadata, "delta.enableDeletionVectors")) {
    Require(protocol, "deletionVectors", "delta.enableDeletionVectors", place, findings);
  }
  const auto mode = metadata.configuration.find("delta.columnMapping.mode");
  if (mode != metadata.configuration.end() && mode->second != "none") {
    Require(protocol, "columnMapping", "delta.columnMapping.mode", place, findings);
  }
  auto schema = columnar::SchemaFromDeltaJson(metadata.schema_string);
  if (!schema.ok()) {
    if (schema.status().Is(StatusCode::kUnsupported)) {
      findings.Warn("schema-unsupported", place, "files are not checked: " + schema.status().message());
    } else {
      findings.Error("schema", place, schema.status().message());
    }
    return shape;
  }
  shape.schema = *std::move(schema);
  CheckNames(shape.schema->fields(), "", place, findings);
  const auto match = FieldMatchOf(protocol, metadata);
  if (!match.ok()) {
    findings.Error("column-mapping", place, match.status().message());
    return shape;
  }
  shape.match = *match;
  if (AnyType(shape.schema->fields(), IsZoneless) && !HasFeature(protocol, "timestampWithoutTimezone")) {
    Require(protocol, "timestampNtz", "a column of timestamp_ntz", place, findings);
  }
  CheckMappedIds(metadata, shape, place, findings);
  CheckConstraints(protocol, metadata, shape, place, findings);
  SplitColumns(metadata, place, shape, findings);
  return shape;
}

void CheckColumnIdsKept(const Metadata& before, const Metadata& after, const Place& place, Findings& findings) {
  const auto old_id = MaxColumnId(before);
  const auto new_id = MaxColumnId(after);
  if (old_id.has_value() && new_id.has_value() && *new_id < *old_id) {
    findings.Error(
        "max-column-id", place,
        "delta.columnMapping.maxColumnId falls from " + std::to_string(*old_id) + " to " + std::to_string(*new_id));
  }
}

void CheckAdd(const Add& add, const TableShape& shape, StatsParser& parser, const Place& place, Findings& findings) {
  if (add.deletion_vector.has_value() && !shape.has_vectors) {
    findings.Error("feature-missing", place, add.path + " has a deletion vector, but the protocol not the feature");
  }
  if (shape.schema == nullptr) return;
  CheckPartitionValues(add, shape, place, findings);
  CheckStatistics(add, shape, parser, place, findings);
}

}  // namespace tarn::delta::validation
