#include "columnar/field_match.h"

#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <charconv>

namespace tarn::columnar {
namespace {

constexpr char kPhysicalNameKey[] = "delta.columnMapping.physicalName";
/// A number, so SchemaFromDeltaJson keeps it as JSON text.
constexpr char kMappingIdKey[] = "json:delta.columnMapping.id";
/// Where Arrow's Parquet reader puts field ids.
constexpr char kFieldIdKey[] = "PARQUET:field_id";

const std::string* Lookup(const arrow::Field& field, const char* key) {
  if (field.metadata() == nullptr) return nullptr;
  const int at = field.metadata()->FindKey(key);
  return at < 0 ? nullptr : &field.metadata()->value(at);
}

std::optional<int32_t> Number(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  int32_t number = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

bool Holds(const arrow::Field& stored, const arrow::Field& field, FieldMatch match) {
  switch (match) {
    case FieldMatch::kName:
      return stored.name() == field.name();
    case FieldMatch::kPhysicalName:
      return stored.name() == PhysicalName(field);
    case FieldMatch::kFieldId: {
      const std::optional<int32_t> id = MappingId(field);
      // What has no id is no column of the table: a change file's kind of change.
      return id.has_value() ? StoredFieldId(stored) == id : stored.name() == field.name();
    }
  }
  return false;
}

std::shared_ptr<arrow::DataType> StoredType(const std::shared_ptr<arrow::DataType>& type);

std::shared_ptr<arrow::Field> StoredMember(const std::shared_ptr<arrow::Field>& field) {
  return field->WithName(PhysicalName(*field))->WithType(StoredType(field->type()));
}

std::shared_ptr<arrow::DataType> StoredType(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::STRUCT: {
      arrow::FieldVector members;
      for (const auto& member : type->fields()) members.push_back(StoredMember(member));
      return arrow::struct_(members);
    }
    case arrow::Type::LIST:
      return arrow::list(type->field(0)->WithType(StoredType(type->field(0)->type())));
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      return std::make_shared<arrow::MapType>(map.key_field()->WithType(StoredType(map.key_type())),
                                              map.item_field()->WithType(StoredType(map.item_type())),
                                              map.keys_sorted());
    }
    default:
      return type;
  }
}

/// `data` as an array of `type`, which has the same shape.
std::shared_ptr<arrow::ArrayData> Retyped(const arrow::ArrayData& data, const std::shared_ptr<arrow::DataType>& type) {
  auto retyped = data.Copy();
  retyped->type = type;
  for (size_t i = 0; i < retyped->child_data.size(); ++i) {
    retyped->child_data[i] = Retyped(*retyped->child_data[i], type->field(static_cast<int>(i))->type());
  }
  return retyped;
}

}  // namespace

std::shared_ptr<arrow::Schema> StoredSchema(const std::shared_ptr<arrow::Schema>& schema, FieldMatch match) {
  if (match == FieldMatch::kName) return schema;
  arrow::FieldVector fields;
  for (const auto& field : schema->fields()) fields.push_back(StoredMember(field));
  return arrow::schema(std::move(fields), schema->metadata());
}

std::shared_ptr<arrow::RecordBatch> Renamed(const arrow::RecordBatch& batch,
                                            const std::shared_ptr<arrow::Schema>& schema) {
  std::vector<std::shared_ptr<arrow::ArrayData>> columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    columns.push_back(Retyped(*batch.column_data(i), schema->field(i)->type()));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

std::string PhysicalName(const arrow::Field& field) {
  const std::string* name = Lookup(field, kPhysicalNameKey);
  return name == nullptr ? field.name() : *name;
}

std::optional<int32_t> MappingId(const arrow::Field& field) { return Number(Lookup(field, kMappingIdKey)); }

std::optional<int32_t> StoredFieldId(const arrow::Field& field) { return Number(Lookup(field, kFieldIdKey)); }

int FindStored(const arrow::FieldVector& stored, const arrow::Field& field, FieldMatch match) {
  for (size_t i = 0; i < stored.size(); ++i) {
    if (Holds(*stored[i], field, match)) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace tarn::columnar
