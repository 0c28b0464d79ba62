#include "columnar/field_match.h"

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
      return id.has_value() && StoredFieldId(stored) == id;
    }
  }
  return false;
}

}  // namespace

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
