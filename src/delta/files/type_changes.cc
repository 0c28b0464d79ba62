#include "delta/files/type_changes.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <string_view>

namespace tarn::delta {
namespace {

/// A list, so SchemaFromDeltaJson keeps it as JSON text.
constexpr char kTypeChangesKey[] = "json:delta.typeChanges";

struct Change {
  std::string_view from;
  std::string_view to;
};

/// "decimal" stands for any precision and scale: casts check that no value changes.
constexpr std::array kWidenings = {
    Change{"byte", "short"},         Change{"byte", "integer"},   Change{"byte", "long"},
    Change{"byte", "double"},        Change{"byte", "decimal"},   Change{"short", "integer"},
    Change{"short", "long"},         Change{"short", "double"},   Change{"short", "decimal"},
    Change{"integer", "long"},       Change{"integer", "double"}, Change{"integer", "decimal"},
    Change{"long", "decimal"},       Change{"float", "double"},   Change{"decimal", "decimal"},
    Change{"date", "timestamp_ntz"},
};

std::string_view WithoutParameters(std::string_view type) { return type.substr(0, type.find('(')); }

bool IsWidening(std::string_view from, std::string_view to) {
  return std::any_of(kWidenings.begin(), kWidenings.end(), [&](const Change& known) {
    return known.from == WithoutParameters(from) && known.to == WithoutParameters(to);
  });
}

using Visit = std::function<Status(std::string_view from, std::string_view to)>;

/// Calls `visit` for each recorded change of a field, those of its elements, keys and values included.
Status VisitChanges(const arrow::Field& field, const Visit& visit) {
  if (field.metadata() == nullptr) return Status::Ok();
  const int at = field.metadata()->FindKey(kTypeChangesKey);
  if (at < 0) return Status::Ok();
  simdjson::dom::parser parser;
  simdjson::dom::array changes;
  if (parser.parse(field.metadata()->value(at)).get(changes) != simdjson::SUCCESS) {
    return Status::Corruption("column '" + field.name() + "' has malformed delta.typeChanges");
  }
  for (const simdjson::dom::element change : changes) {
    std::string_view from;
    std::string_view to;
    if (change["fromType"].get(from) != simdjson::SUCCESS || change["toType"].get(to) != simdjson::SUCCESS) {
      return Status::Corruption("column '" + field.name() + "' has malformed delta.typeChanges");
    }
    TARN_RETURN_NOT_OK(visit(from, to));
  }
  return Status::Ok();
}

Status CheckFields(const arrow::FieldVector& fields) {
  for (const auto& field : fields) {
    TARN_RETURN_NOT_OK(VisitChanges(*field, [&](std::string_view from, std::string_view to) {
      if (IsWidening(from, to)) return Status::Ok();
      return Status::Unsupported("column '" + field->name() + "' was changed from " + std::string(from) + " to " +
                                 std::string(to) + ", which the feature typeWidening does not have");
    }));
    TARN_RETURN_NOT_OK(CheckFields(field->type()->fields()));
  }
  return Status::Ok();
}

}  // namespace

Status CheckTypeChanges(const arrow::Schema& schema) { return CheckFields(schema.fields()); }

bool HasTypeChanges(const arrow::Field& field) {
  return field.metadata() != nullptr && field.metadata()->FindKey(kTypeChangesKey) >= 0;
}

bool WasFloat(const arrow::Field& field) {
  bool was = false;
  // What is malformed was refused when the snapshot was made.
  (void)VisitChanges(field, [&](std::string_view from, std::string_view) {
    was = was || from == "float";
    return Status::Ok();
  });
  return was;
}

}  // namespace tarn::delta
