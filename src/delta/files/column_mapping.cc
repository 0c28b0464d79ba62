#include "delta/files/column_mapping.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <set>
#include <string>

#include "delta/letter_case.h"
#include "delta/protocol_features.h"

namespace tarn::delta {
namespace {

using columnar::FieldMatch;

constexpr int kLegacyReader = 2;
constexpr int kFeaturesReader = 3;
constexpr char kMaxColumnIdKey[] = "delta.columnMapping.maxColumnId";
constexpr char kIdKey[] = "json:delta.columnMapping.id";
constexpr char kPhysicalNameKey[] = "delta.columnMapping.physicalName";

bool HasMapping(const Protocol& protocol) {
  if (protocol.min_reader_version < kFeaturesReader) return protocol.min_reader_version == kLegacyReader;
  const auto& features = protocol.reader_features;
  return features.has_value() && std::find(features->begin(), features->end(), "columnMapping") != features->end();
}

Status CheckFields(const arrow::FieldVector& fields, bool are_members, const std::string& path, std::set<int32_t>& ids);

/// What a type holds; elements, keys and values of lists and maps have no names of their own.
Status CheckType(const arrow::DataType& type, const std::string& path, std::set<int32_t>& ids) {
  switch (type.id()) {
    case arrow::Type::STRUCT:
      return CheckFields(type.fields(), /*are_members=*/true, path, ids);
    case arrow::Type::LIST:
      return CheckFields(type.fields(), /*are_members=*/false, path, ids);
    case arrow::Type::MAP:
      return CheckFields(type.field(0)->type()->fields(), /*are_members=*/false, path, ids);
    default:
      return Status::Ok();
  }
}

Status CheckFields(const arrow::FieldVector& fields, bool are_members, const std::string& path,
                   std::set<int32_t>& ids) {
  std::set<std::string> names;
  for (const auto& field : fields) {
    const std::string at = path.empty() ? field->name() : path + "." + field->name();
    if (are_members) {
      const auto id = columnar::MappingId(*field);
      if (!id.has_value() || !field->metadata()->Contains(kPhysicalNameKey)) {
        return Status::Corruption("column '" + at + "' has no physical name or id, but columns are mapped");
      }
      if (!ids.insert(*id).second) return Status::Corruption("column '" + at + "' has the id of another column");
      // Readers of Parquet files do not tell names by their case.
      if (!names.insert(LowerCase(columnar::PhysicalName(*field))).second) {
        return Status::Corruption("column '" + at + "' has the physical name of another column");
      }
    }
    TARN_RETURN_NOT_OK(CheckType(*field->type(), at, ids));
  }
  return Status::Ok();
}

int64_t HighestId(const arrow::FieldVector& fields) {
  int64_t highest = 0;
  for (const auto& field : fields) {
    highest = std::max<int64_t>(highest, columnar::MappingId(*field).value_or(0));
    highest = std::max(highest, HighestId(field->type()->fields()));
  }
  return highest;
}

int64_t MaxColumnId(const Metadata& metadata) { return PropertyNumber(metadata, kMaxColumnIdKey, /*otherwise=*/0); }

/// Gives ids and names in data files to fields at every depth.
class Mapper {
 public:
  enum class Rule : uint8_t {
    /// A new one of each, whatever the field had elsewhere: those of dropped columns are never used again.
    kAllNew,
    /// New ones for fields that have none.
    kWhereLacking,
    /// Data files have the fields under their own names; ids only for those that have none.
    kAsInFiles,
  };

  /// `random` is for the rules that make names.
  Mapper(Rule rule, int64_t last_id, Random* random) : rule_(rule), last_id_(last_id), random_(random) {}

  std::shared_ptr<arrow::Field> Member(const std::shared_ptr<arrow::Field>& field) {
    // A struct's id comes before those of its members.
    const std::string id = IdOf(*field);
    const auto mapping = arrow::key_value_metadata({kIdKey, kPhysicalNameKey}, {id, NameOf(*field)});
    return field->WithType(Type(field->type()))->WithMergedMetadata(mapping);
  }

  arrow::FieldVector Members(const arrow::FieldVector& fields) {
    arrow::FieldVector members;
    for (const auto& field : fields) members.push_back(Member(field));
    return members;
  }

 private:
  std::string IdOf(const arrow::Field& field) {
    const auto id = rule_ == Rule::kAllNew ? std::nullopt : columnar::MappingId(field);
    return std::to_string(id.has_value() ? *id : ++last_id_);
  }

  std::string NameOf(const arrow::Field& field) {
    if (rule_ == Rule::kAsInFiles) return field.name();
    const bool has_name = field.HasMetadata() && field.metadata()->Contains(kPhysicalNameKey);
    if (rule_ == Rule::kWhereLacking && has_name) return columnar::PhysicalName(field);
    return "col-" + random_->Uuid();
  }

  std::shared_ptr<arrow::DataType> Type(const std::shared_ptr<arrow::DataType>& type) {
    switch (type->id()) {
      case arrow::Type::STRUCT:
        return arrow::struct_(Members(type->fields()));
      case arrow::Type::LIST:
        return arrow::list(type->field(0)->WithType(Type(type->field(0)->type())));
      case arrow::Type::MAP: {
        const auto& map = static_cast<const arrow::MapType&>(*type);
        return std::make_shared<arrow::MapType>(map.key_field()->WithType(Type(map.key_type())),
                                                map.item_field()->WithType(Type(map.item_type())), map.keys_sorted());
      }
      default:
        return type;
    }
  }

  const Rule rule_;
  int64_t last_id_;
  Random* const random_;
};

/// The highest id that was ever given to a column of the table.
int64_t LastId(const arrow::FieldVector& fields, const Metadata& metadata) {
  return std::max(MaxColumnId(metadata), HighestId(fields));
}

}  // namespace

std::shared_ptr<arrow::Schema> MapNewColumns(const arrow::Schema& current, const Metadata& metadata,
                                             const arrow::Schema& schema, Random& random) {
  Mapper mapper(Mapper::Rule::kAllNew, LastId(current.fields(), metadata), &random);
  arrow::FieldVector fields;
  for (const auto& field : schema.fields()) {
    const auto known = current.GetFieldByName(field->name());
    fields.push_back(known != nullptr ? known : mapper.Member(field));
  }
  return arrow::schema(std::move(fields), current.metadata());
}

std::shared_ptr<arrow::Field> MapNewColumn(const std::shared_ptr<arrow::Field>& field, Metadata& metadata,
                                           const arrow::Schema& current, Random& random) {
  Mapper mapper(Mapper::Rule::kAllNew, LastId(current.fields(), metadata), &random);
  const auto mapped = mapper.Member(field);
  RaiseMaxColumnId(*arrow::schema({mapped}), metadata);
  return mapped;
}

std::shared_ptr<arrow::Schema> MapColumnsOfNewTable(const arrow::Schema& schema, Random& random) {
  Mapper mapper(Mapper::Rule::kWhereLacking, HighestId(schema.fields()), &random);
  return arrow::schema(mapper.Members(schema.fields()), schema.metadata());
}

std::shared_ptr<arrow::Schema> MapColumnsAsInFiles(const arrow::Schema& schema, const Metadata& metadata) {
  Mapper mapper(Mapper::Rule::kAsInFiles, LastId(schema.fields(), metadata), nullptr);
  return arrow::schema(mapper.Members(schema.fields()), schema.metadata());
}

void RaiseMaxColumnId(const arrow::Schema& schema, Metadata& metadata) {
  metadata.configuration[kMaxColumnIdKey] = std::to_string(LastId(schema.fields(), metadata));
}

Result<FieldMatch> FieldMatchOf(const Protocol& protocol, const Metadata& metadata) {
  const auto mode = metadata.configuration.find("delta.columnMapping.mode");
  if (mode == metadata.configuration.end() || mode->second == "none" || !HasMapping(protocol)) {
    return FieldMatch::kName;
  }
  if (mode->second == "name") return FieldMatch::kPhysicalName;
  if (mode->second == "id") return FieldMatch::kFieldId;
  return Status::Corruption("unknown delta.columnMapping.mode '" + mode->second + "'");
}

Status CheckMapping(const arrow::Schema& schema, FieldMatch match) {
  if (match == FieldMatch::kName) return Status::Ok();
  std::set<int32_t> ids;
  return CheckFields(schema.fields(), /*are_members=*/true, "", ids);
}

}  // namespace tarn::delta
