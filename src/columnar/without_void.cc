#include "columnar/without_void.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"

namespace tarn::columnar {
namespace {

std::shared_ptr<arrow::Field> WithoutVoid(const std::shared_ptr<arrow::Field>& field) {
  auto type = columnar::WithoutVoid(field->type());
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

std::shared_ptr<arrow::DataType> WithoutVoid(const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::STRUCT: {
      arrow::FieldVector fields;
      bool changed = false;
      for (const auto& field : type->fields()) {
        if (field->type()->id() == arrow::Type::NA) {
          changed = true;
          continue;
        }
        fields.push_back(WithoutVoid(field));
        changed = changed || fields.back() != field;
      }
      return changed && !fields.empty() ? arrow::struct_(std::move(fields)) : type;
    }
    case arrow::Type::LIST: {
      const auto& item = type->field(0);
      auto stored = WithoutVoid(item);
      return stored == item ? type : arrow::list(std::move(stored));
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(*type);
      auto key = WithoutVoid(map.key_field());
      auto item = WithoutVoid(map.item_field());
      if (key == map.key_field() && item == map.item_field()) return type;
      return std::make_shared<arrow::MapType>(std::move(key), std::move(item), map.keys_sorted());
    }
    default:
      return type;
  }
}

std::shared_ptr<arrow::Schema> WithoutVoid(const std::shared_ptr<arrow::Schema>& schema) {
  arrow::FieldVector fields;
  bool changed = false;
  for (const auto& field : schema->fields()) {
    if (field->type()->id() == arrow::Type::NA) {
      changed = true;
      continue;
    }
    fields.push_back(WithoutVoid(field));
    changed = changed || fields.back() != field;
  }
  return changed ? arrow::schema(std::move(fields), schema->metadata()) : schema;
}

std::shared_ptr<arrow::RecordBatch> WithoutVoid(const arrow::RecordBatch& batch,
                                                const std::shared_ptr<arrow::Schema>& schema) {
  std::vector<std::shared_ptr<arrow::ArrayData>> columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    if (batch.schema()->field(i)->type()->id() == arrow::Type::NA) continue;
    columns.push_back(As(batch.column_data(i), schema->field(static_cast<int>(columns.size()))->type()));
  }
  TARN_CHECK(static_cast<int>(columns.size()) == schema->num_fields());
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

bool HoldsVoid(const arrow::DataType& type) {
  return type.id() == arrow::Type::NA || std::any_of(type.fields().begin(), type.fields().end(),
                                                     [](const auto& field) { return HoldsVoid(*field->type()); });
}

Status CheckVoid(const arrow::Field& column) {
  if (column.type()->id() == arrow::Type::NA || !HoldsVoid(*WithoutVoid(column.type()))) return Status::Ok();
  return Status::Unsupported("column " + column.name() + ": no file can hold the void in its type");
}

}  // namespace tarn::columnar
