#include "columnar/conform.h"

#include <arrow/array.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bitmap_ops.h>

#include <string>

#include "columnar/arrow_status.h"

namespace tarn::columnar {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

/// What does not change on the way down.
struct Conformer {
  FieldMatch match = FieldMatch::kName;

  Result<ArrayPtr> Conform(const ArrayPtr& array, const std::shared_ptr<arrow::DataType>& type,
                           const std::string& path) const;
  Result<ArrayPtr> Struct(const arrow::StructArray& array, const std::shared_ptr<arrow::DataType>& type,
                          const std::string& path, FieldMatch members_match) const;
  Result<ArrayPtr> List(const arrow::Array& array, const std::shared_ptr<arrow::DataType>& type,
                        const std::string& path) const;
};

Result<ArrayPtr> Missing(const arrow::Field& field, int64_t length, const std::string& path) {
  if (!field.nullable() && length > 0) {
    return Status::InvalidArgument("column '" + path + "' is required but missing");
  }
  return FromArrow(arrow::MakeArrayOfNull(field.type(), length));
}

Result<ArrayPtr> Conformer::Struct(const arrow::StructArray& array, const std::shared_ptr<arrow::DataType>& type,
                                   const std::string& path, FieldMatch members_match) const {
  arrow::ArrayVector members;
  for (const auto& field : type->fields()) {
    const std::string member_path = path + "." + field->name();
    const int stored = FindStored(array.type()->fields(), *field, members_match);
    ArrayPtr member;
    if (stored < 0) {
      TARN_ASSIGN_OR_RETURN(member, Missing(*field->WithNullable(true), array.length(), member_path));
    } else {
      // The member as sliced; its parent's nulls stay the parent's.
      TARN_ASSIGN_OR_RETURN(member, Conform(array.field(stored), field->type(), member_path));
    }
    members.push_back(std::move(member));
  }
  std::shared_ptr<arrow::Buffer> validity = array.null_bitmap();
  if (validity != nullptr && array.offset() != 0) {
    TARN_ASSIGN_OR_RETURN_ARROW(validity, arrow::internal::CopyBitmap(arrow::default_memory_pool(), validity->data(),
                                                                      array.offset(), array.length()));
  }
  return ArrayPtr(std::make_shared<arrow::StructArray>(type, array.length(), std::move(members), std::move(validity),
                                                       array.null_count()));
}

/// Lists and maps keep their offsets; only what they hold changes.
Result<ArrayPtr> Conformer::List(const arrow::Array& array, const std::shared_ptr<arrow::DataType>& type,
                                 const std::string& path) const {
  const std::shared_ptr<arrow::ArrayData>& data = array.data();
  const ArrayPtr held = arrow::MakeArray(data->child_data[0]);
  ArrayPtr items;
  if (type->id() == arrow::Type::MAP) {
    // Keys and values go by their own names in every table.
    const auto& entries = static_cast<const arrow::StructArray&>(*held);
    TARN_ASSIGN_OR_RETURN(items, Struct(entries, type->field(0)->type(), path, FieldMatch::kName));
  } else {
    TARN_ASSIGN_OR_RETURN(items, Conform(held, type->field(0)->type(), path + ".element"));
  }
  auto conformed = data->Copy();
  conformed->type = type;
  conformed->child_data = {items->data()};
  return arrow::MakeArray(conformed);
}

Result<ArrayPtr> Conformer::Conform(const ArrayPtr& array, const std::shared_ptr<arrow::DataType>& type,
                                    const std::string& path) const {
  // With a mapping, equal names may stand for other members.
  if (array->type()->Equals(*type) && (match == FieldMatch::kName || type->num_fields() == 0)) return array;
  if (array->type_id() == type->id()) {
    if (type->id() == arrow::Type::STRUCT) {
      return Struct(static_cast<const arrow::StructArray&>(*array), type, path, match);
    }
    if (type->id() == arrow::Type::LIST || type->id() == arrow::Type::MAP) return List(*array, type, path);
  }
  if (type->id() == arrow::Type::NA) {
    if (array->null_count() == array->length()) return FromArrow(arrow::MakeArrayOfNull(type, array->length()));
    return Status::InvalidArgument("column '" + path + "' is void: it holds nothing but NULL");
  }
  arrow::Result<ArrayPtr> cast = arrow::compute::Cast(*array, type);
  if (cast.ok()) return *std::move(cast);
  return Status::InvalidArgument("column '" + path + "' of type " + array->type()->ToString() + " does not fit " +
                                 type->ToString() + ": " + cast.status().message());
}

/// Rows in which `parent` is null do not count.
Status CheckRequiredIn(const arrow::Array& array, const arrow::Field& field, const arrow::Array* parent,
                       const std::string& path) {
  // Lists and maps that are not there may have no offsets to look at.
  if (array.length() == 0) return Status::Ok();
  if (!field.nullable() && array.null_count() > 0) {
    for (int64_t row = 0; row < array.length(); ++row) {
      if (array.IsNull(row) && (parent == nullptr || parent->IsValid(row))) {
        return Status::InvalidArgument("column '" + path + "' must not be null");
      }
    }
  }
  const auto& type = *field.type();
  if (type.id() == arrow::Type::STRUCT) {
    const auto& rows = static_cast<const arrow::StructArray&>(array);
    for (int i = 0; i < type.num_fields(); ++i) {
      // Null wherever the struct is.
      TARN_ASSIGN_OR_RETURN_ARROW(const ArrayPtr member, rows.GetFlattenedField(i));
      TARN_RETURN_NOT_OK(CheckRequiredIn(*member, *type.field(i), &array, path + "." + type.field(i)->name()));
    }
  } else if (type.id() == arrow::Type::LIST) {
    TARN_ASSIGN_OR_RETURN_ARROW(const ArrayPtr elements, static_cast<const arrow::ListArray&>(array).Flatten());
    TARN_RETURN_NOT_OK(CheckRequiredIn(*elements, *type.field(0), nullptr, path + ".element"));
  } else if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapArray&>(array);
    const auto& map_type = static_cast<const arrow::MapType&>(type);
    const int64_t begin = map.value_offset(0);
    const int64_t length = map.value_offset(map.length()) - begin;
    TARN_RETURN_NOT_OK(
        CheckRequiredIn(*map.items()->Slice(begin, length), *map_type.item_field(), nullptr, path + ".value"));
  }
  return Status::Ok();
}

}  // namespace

Status CheckRequired(const arrow::RecordBatch& batch) {
  for (int i = 0; i < batch.num_columns(); ++i) {
    const arrow::Field& field = *batch.schema()->field(i);
    TARN_RETURN_NOT_OK(CheckRequiredIn(*batch.column(i), field, nullptr, field.name()));
  }
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> ConformBatch(const arrow::RecordBatch& batch,
                                                         const std::shared_ptr<arrow::Schema>& schema,
                                                         FieldMatch match) {
  const Conformer conformer{match};
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    const int stored = FindStored(batch.schema()->fields(), *field, match);
    ArrayPtr column;
    if (stored < 0) {
      TARN_ASSIGN_OR_RETURN(column, Missing(*field, batch.num_rows(), field->name()));
    } else {
      TARN_ASSIGN_OR_RETURN(column, conformer.Conform(batch.column(stored), field->type(), field->name()));
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

}  // namespace tarn::columnar
