#include "delta/schema_evolution.h"

#include <arrow/api.h>

#include <set>
#include <string>

#include "delta/letter_case.h"

namespace tarn::delta {

namespace {

constexpr std::string_view kNamesNeedingMapping = " ,;{}()\n\t=";

Status CheckPlainFields(const arrow::FieldVector& fields, bool is_record, const SchemaFreedom& freedom) {
  std::set<std::string> names;
  for (const auto& field : fields) {
    if (is_record) {
      if (field->name().empty()) return Status::InvalidArgument("a column has an empty name");
      if (!names.insert(LowerCase(field->name())).second) {
        return Status::InvalidArgument("two columns are named " + field->name() + " but for case");
      }
      if (!freedom.any_name) TARN_RETURN_NOT_OK(CheckPlainName(field->name()));
    }
    const arrow::DataType& type = *field->type();
    const bool is_zoneless =
        type.id() == arrow::Type::TIMESTAMP && static_cast<const arrow::TimestampType&>(type).timezone().empty();
    if (is_zoneless && !freedom.zoneless_times) {
      return Status::Unsupported(
          "the column " + field->name() +
          " of type timestamp_ntz needs the table feature timestampNtz, which the table "
          "property delta.feature.timestampNtz = supported switches on; timestamp, which is UTC, "
          "needs none");
    }
    TARN_RETURN_NOT_OK(CheckPlainFields(type.fields(), type.id() == arrow::Type::STRUCT, freedom));
  }
  return Status::Ok();
}

}  // namespace

Status CheckPlainName(std::string_view name) {
  const size_t found = name.find_first_of(kNamesNeedingMapping);
  if (found == std::string_view::npos) return Status::Ok();
  const std::string what = name[found] == '\n'   ? "a line feed"
                           : name[found] == '\t' ? "a tab"
                                                 : "'" + std::string(1, name[found]) + "'";
  return Status::Unsupported("the column name '" + std::string(name) + "' holds " + what +
                             ", which needs column mapping (delta.columnMapping.mode = name)");
}

Status CheckPlainSchema(const arrow::Schema& schema, const SchemaFreedom& freedom) {
  if (schema.num_fields() == 0) return Status::InvalidArgument("a table has at least one column");
  return CheckPlainFields(schema.fields(), /*is_record=*/true, freedom);
}

bool NeedsMapping(const arrow::Schema& schema) {
  return CheckPlainFields(schema.fields(), /*is_record=*/true, {.any_name = true}).ok() &&
         !CheckPlainFields(schema.fields(), /*is_record=*/true, {}).ok();
}

Status CheckOnlyAddsColumns(const arrow::Schema& before, const arrow::Schema& after) {
  int expected = 0;
  std::set<std::string> names;
  for (const auto& field : after.fields()) {
    if (!names.insert(LowerCase(field->name())).second) {
      return Status::InvalidArgument("two columns are named " + field->name() + " but for case");
    }
    if (expected < before.num_fields() && before.field(expected)->name() == field->name()) {
      const arrow::Field& old = *before.field(expected);
      if (!old.type()->Equals(*field->type()) || old.nullable() != field->nullable()) {
        return Status::InvalidArgument("the column " + field->name() + " would change its type");
      }
      ++expected;
    } else if (!field->nullable()) {
      return Status::InvalidArgument("the new column " + field->name() + " must be nullable");
    }
  }
  if (expected < before.num_fields()) {
    return Status::InvalidArgument("the column " + before.field(expected)->name() + " is missing or out of order");
  }
  return Status::Ok();
}

}  // namespace tarn::delta
