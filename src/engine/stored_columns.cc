#include "engine/stored_columns.h"

#include <arrow/type.h>

#include <algorithm>

#include "duckdb/common/string_util.hpp"
#include "engine/data_file_errors.h"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

using columnar::FieldMatch;
using Definition = duckdb::MultiFileColumnDefinition;

/// No file has a column of this name.
constexpr char kNowhere[] = "\x01 not in this file";

bool HasFieldId(const Definition& stored) {
  return !stored.identifier.IsNull() && stored.identifier.type().id() == duckdb::LogicalTypeId::INTEGER;
}

const Definition* Find(const duckdb::vector<Definition>& stored, const arrow::Field& field, FieldMatch match) {
  const auto id = columnar::MappingId(field);
  const std::string name = match == FieldMatch::kPhysicalName ? columnar::PhysicalName(field) : field.name();
  for (const Definition& candidate : stored) {
    // What has no id is no column of the table: a change file's kind of change.
    const bool found = match == FieldMatch::kFieldId && id
                           ? HasFieldId(candidate) && candidate.GetIdentifierFieldId() == *id
                           : candidate.name == name ||
                                 (match == FieldMatch::kName && duckdb::StringUtil::CIEquals(candidate.name, name));
    if (found) return &candidate;
  }
  return nullptr;
}

bool HoldsStruct(const arrow::DataType& type) {
  if (type.id() == arrow::Type::STRUCT) return true;
  const auto holds = [](const auto& field) { return HoldsStruct(*field->type()); };
  const auto& fields = type.id() == arrow::Type::MAP ? type.field(0)->type()->fields() : type.fields();
  return std::any_of(fields.begin(), fields.end(), holds);
}

/// How what a column holds is found in one file.
class Resolver {
 public:
  explicit Resolver(FieldMatch match) : match_(match) {}

  void Resolve(const arrow::Field& field, const Definition* stored, Definition& wanted) const {
    wanted.identifier = duckdb::Value(stored == nullptr ? std::string(kNowhere) : stored->name);
    wanted.children.clear();
    // Void is null whatever a file has under its name.
    if (field.type()->id() == arrow::Type::NA) wanted.identifier = duckdb::Value(kNowhere);
    // Without a struct there is no name to be found below.
    if (stored == nullptr || !HoldsStruct(*field.type())) return;
    switch (field.type()->id()) {
      case arrow::Type::STRUCT:
        if (wanted.type.id() == duckdb::LogicalTypeId::STRUCT) Members(field, *stored, wanted);
        return;
      case arrow::Type::LIST:
        if (stored->children.size() == 1) {
          Held(*field.type()->field(0), stored->children[0], duckdb::ListType::GetChildType(wanted.type), wanted);
        }
        return;
      case arrow::Type::MAP: {
        if (stored->children.size() != 1 || stored->children[0].children.size() != 2) return;
        const auto& entry = field.type()->field(0)->type();
        const auto& pair = stored->children[0].children;
        Held(*entry->field(0), pair[0], duckdb::MapType::KeyType(wanted.type), wanted);
        Held(*entry->field(1), pair[1], duckdb::MapType::ValueType(wanted.type), wanted);
        return;
      }
      default:
        return;
    }
  }

 private:
  void Members(const arrow::Field& field, const Definition& stored, Definition& wanted) const {
    const auto& members = duckdb::StructType::GetChildTypes(wanted.type);
    for (size_t i = 0; i < members.size(); i++) {
      const arrow::Field& member = *field.type()->field(static_cast<int>(i));
      Definition child(members[i].first, members[i].second);
      Resolve(member, Find(stored.children, member, match_), child);
      wanted.children.push_back(std::move(child));
    }
  }

  /// An element, key or value, which is found by its place.
  void Held(const arrow::Field& field, const Definition& stored, const duckdb::LogicalType& type,
            Definition& wanted) const {
    Definition child(field.name(), type);
    Resolve(field, &stored, child);
    wanted.children.push_back(std::move(child));
  }

  const FieldMatch match_;
};

/// Types whose values may stand in for each other in a file: what a writer chose for a type of Delta's, or what was the
/// column's type before it was widened.
enum class Kind : uint8_t { kBoolean, kInteger, kFloat, kDecimal, kDate, kTimestamp, kText, kOther };

Kind KindOf(const duckdb::LogicalType& type) {
  if (type.IsIntegral()) return Kind::kInteger;
  if (type.IsFloating()) return Kind::kFloat;
  switch (type.id()) {
    case duckdb::LogicalTypeId::BOOLEAN:
      return Kind::kBoolean;
    case duckdb::LogicalTypeId::DECIMAL:
      return Kind::kDecimal;
    case duckdb::LogicalTypeId::DATE:
      return Kind::kDate;
    case duckdb::LogicalTypeId::TIMESTAMP:
    case duckdb::LogicalTypeId::TIMESTAMP_SEC:
    case duckdb::LogicalTypeId::TIMESTAMP_MS:
    case duckdb::LogicalTypeId::TIMESTAMP_NS:
    case duckdb::LogicalTypeId::TIMESTAMP_TZ:
      return Kind::kTimestamp;
    case duckdb::LogicalTypeId::VARCHAR:
    case duckdb::LogicalTypeId::BLOB:
    case duckdb::LogicalTypeId::ENUM:
    case duckdb::LogicalTypeId::UUID:
      return Kind::kText;
    default:
      return Kind::kOther;
  }
}

bool MayHold(const duckdb::LogicalType& stored, const duckdb::LogicalType& wanted) {
  const Kind from = KindOf(stored);
  const Kind to = KindOf(wanted);
  if (from == Kind::kOther || to == Kind::kOther) return stored.id() == wanted.id();
  const auto bytes = [](const duckdb::LogicalType& type) { return duckdb::GetTypeIdSize(type.InternalType()); };
  // Of a wider number not every value fits; what is shorter than an integer may be stored as one.
  if (from == to && from == Kind::kFloat) return bytes(stored) <= bytes(wanted);
  if (from == to && from == Kind::kInteger) {
    return bytes(stored) + (stored.IsUnsigned() ? 1 : 0) <= std::max(bytes(wanted), sizeof(int32_t));
  }
  return from == to || (from == Kind::kInteger && (to == Kind::kFloat || to == Kind::kDecimal)) ||
         (from == Kind::kDate && to == Kind::kTimestamp);
}

const arrow::Field& FieldOf(const ScanSource& source, size_t column) {
  return *source.view().schema->field(static_cast<int>(column));
}

}  // namespace

const Definition* StoredColumn(const duckdb::BaseFileReader& reader, const ScanSource& source, size_t column) {
  // A column that is not committed yet has no name in files, where its own may be that of one that was dropped.
  const bool is_mapped = source.field_match() != FieldMatch::kName;
  if (is_mapped && !source.columns()[column].in_snapshot) return nullptr;
  if (FieldOf(source, column).type()->id() == arrow::Type::NA) return nullptr;
  return Find(reader.columns, FieldOf(source, column), source.field_match());
}

void CheckKindOfColumn(const duckdb::BaseFileReader& reader, const ScanSource& source, size_t column) {
  const ScanColumn& wanted = source.columns()[column];
  const Definition* stored = StoredColumn(reader, source, column);
  if (wanted.partition_index >= 0 || stored == nullptr || MayHold(stored->type, wanted.type)) return;
  ThrowStatus(FaultOfTable(Status::Corruption("its column '" + wanted.name + "' is " + stored->type.ToString() +
                                              ", the table's " + wanted.type.ToString()),
                           source, reader.GetFileName()));
}

duckdb::vector<Definition> ColumnsAsStored(const duckdb::vector<Definition>& columns,
                                           const duckdb::BaseFileReader& reader, const ScanSource& source) {
  const FieldMatch match = source.field_match();
  if (match == FieldMatch::kFieldId && std::none_of(reader.columns.begin(), reader.columns.end(), HasFieldId)) {
    ThrowStatus(Status::Corruption("data file " + reader.GetFileName() +
                                   " has no field ids, by which the table finds its columns"));
  }
  const Resolver resolver(match);
  duckdb::vector<Definition> resolved = columns;
  for (size_t i = 0; i < source.columns().size() && i < resolved.size(); i++) {
    resolver.Resolve(FieldOf(source, i), StoredColumn(reader, source, i), resolved[i]);
  }
  return resolved;
}

}  // namespace tarn::engine
