#include "columnar/void_members.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <utility>
#include <vector>

#include "base/check.h"

namespace tarn::columnar {
namespace {

std::shared_ptr<arrow::Field> WithoutVoidMembers(const std::shared_ptr<arrow::Field>& field) {
  auto type = columnar::WithoutVoidMembers(field->type());
  return type == field->type() ? field : field->WithType(std::move(type));
}

/// `data` as `type`, which lacks some members of its structs.
std::shared_ptr<arrow::ArrayData> As(const std::shared_ptr<arrow::ArrayData>& data,
                                     const std::shared_ptr<arrow::DataType>& type) {
  if (data->type->Equals(*type)) return data;
  auto changed = data->Copy();
  changed->type = type;
  changed->child_data.clear();
  size_t child = 0;
  for (const auto& field : type->fields()) {
    // Members that stay keep their order.
    while (type->id() == arrow::Type::STRUCT && data->child_data[child]->type->id() == arrow::Type::NA) ++child;
    changed->child_data.push_back(As(data->child_data[child++], field->type()));
  }
  return changed;
}

}  // namespace

std::shared_ptr<arrow::DataType> WithoutVoidMembers(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::STRUCT: {
      arrow::FieldVector fields;
      bool changed = false;
      for (const auto& field : type->fields()) {
        if (field->type()->id() == arrow::Type::NA) {
          changed = true;
          continue;
        }
        fields.push_back(WithoutVoidMembers(field));
        changed = changed || fields.back() != field;
      }
      return changed && !fields.empty() ? arrow::struct_(std::move(fields)) : type;
    }
    case arrow::Type::LIST: {
      const auto& item = type->field(0);
      auto stored = WithoutVoidMembers(item);
      return stored == item ? type : arrow::list(std::move(stored));
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      auto key = WithoutVoidMembers(map.key_field());
      auto item = WithoutVoidMembers(map.item_field());
      if (key == map.key_field() && item == map.item_field()) return type;
      return std::make_shared<arrow::MapType>(std::move(key), std::move(item), map.keys_sorted());
    }
    default:
      return type;
  }
}

std::shared_ptr<arrow::Schema> WithoutVoidMembers(const std::shared_ptr<arrow::Schema>& schema) {
  arrow::FieldVector fields;
  bool changed = false;
  for (const auto& field : schema->fields()) {
    fields.push_back(WithoutVoidMembers(field));
    changed = changed || fields.back() != field;
  }
  return changed ? arrow::schema(std::move(fields), schema->metadata()) : schema;
}

std::shared_ptr<arrow::RecordBatch> WithoutVoidMembers(const arrow::RecordBatch& batch,
                                                       const std::shared_ptr<arrow::Schema>& schema) {
  TARN_CHECK(batch.num_columns() == schema->num_fields());
  std::vector<std::shared_ptr<arrow::ArrayData>> columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    columns.push_back(As(batch.column_data(i), schema->field(i)->type()));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

}  // namespace tarn::columnar
