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

Result<ArrayPtr> Conform(const ArrayPtr& array, const std::shared_ptr<arrow::DataType>& type, const std::string& path);

Result<ArrayPtr> Missing(const arrow::Field& field, int64_t length, const std::string& path) {
  if (!field.nullable() && length > 0) {
    return Status::InvalidArgument("column '" + path + "' is required but missing");
  }
  return FromArrow(arrow::MakeArrayOfNull(field.type(), length));
}

Result<ArrayPtr> ConformStruct(const arrow::StructArray& array, const std::shared_ptr<arrow::DataType>& type,
                               const std::string& path) {
  arrow::ArrayVector members;
  for (const auto& field : type->fields()) {
    const std::string member_path = path + "." + field->name();
    // A member of the array as sliced; its parent's nulls stay the parent's.
    ArrayPtr member = array.GetFieldByName(field->name());
    if (member == nullptr) {
      TARN_ASSIGN_OR_RETURN(member, Missing(*field->WithNullable(true), array.length(), member_path));
    } else {
      TARN_ASSIGN_OR_RETURN(member, Conform(member, field->type(), member_path));
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
Result<ArrayPtr> ConformList(const arrow::Array& array, const std::shared_ptr<arrow::DataType>& type,
                             const std::string& path) {
  const std::shared_ptr<arrow::ArrayData>& data = array.data();
  TARN_ASSIGN_OR_RETURN(const ArrayPtr items,
                        Conform(arrow::MakeArray(data->child_data[0]), type->field(0)->type(), path + ".element"));
  auto conformed = data->Copy();
  conformed->type = type;
  conformed->child_data = {items->data()};
  return arrow::MakeArray(conformed);
}

Result<ArrayPtr> Conform(const ArrayPtr& array, const std::shared_ptr<arrow::DataType>& type, const std::string& path) {
  if (array->type()->Equals(*type)) return array;
  if (array->type_id() == type->id()) {
    if (type->id() == arrow::Type::STRUCT) {
      return ConformStruct(static_cast<const arrow::StructArray&>(*array), type, path);
    }
    if (type->id() == arrow::Type::LIST || type->id() == arrow::Type::MAP) return ConformList(*array, type, path);
  }
  arrow::Result<ArrayPtr> cast = arrow::compute::Cast(*array, type);
  if (cast.ok()) return *std::move(cast);
  return Status::InvalidArgument("column '" + path + "' of type " + array->type()->ToString() + " does not fit " +
                                 type->ToString() + ": " + cast.status().message());
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> ConformBatch(const arrow::RecordBatch& batch,
                                                         const std::shared_ptr<arrow::Schema>& schema) {
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    ArrayPtr column = batch.GetColumnByName(field->name());
    if (column == nullptr) {
      TARN_ASSIGN_OR_RETURN(column, Missing(*field, batch.num_rows(), field->name()));
    } else {
      TARN_ASSIGN_OR_RETURN(column, Conform(column, field->type(), field->name()));
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, batch.num_rows(), std::move(columns));
}

}  // namespace tarn::columnar
