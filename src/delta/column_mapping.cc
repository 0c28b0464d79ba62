#include "delta/column_mapping.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <set>
#include <string>

namespace tarn::delta {
namespace {

using columnar::FieldMatch;

constexpr int kLegacyReader = 2;
constexpr int kFeaturesReader = 3;

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
      if (!id.has_value() || !field->metadata()->Contains("delta.columnMapping.physicalName")) {
        return Status::Corruption("column '" + at + "' has no physical name or id, but columns are mapped");
      }
      if (!ids.insert(*id).second) return Status::Corruption("column '" + at + "' has the id of another column");
      if (!names.insert(columnar::PhysicalName(*field)).second) {
        return Status::Corruption("column '" + at + "' has the physical name of another column");
      }
    }
    TARN_RETURN_NOT_OK(CheckType(*field->type(), at, ids));
  }
  return Status::Ok();
}

}  // namespace

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
