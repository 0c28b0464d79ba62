#pragma once

#include <arrow/type_fwd.h>

#include <memory>

namespace tarn::columnar {

/// A type without the void members of its structs, wherever they are in it: files do not hold them, and readers take
/// what a file lacks for null. A struct of nothing else keeps them.
std::shared_ptr<arrow::DataType> WithoutVoidMembers(const std::shared_ptr<arrow::DataType>& type);
std::shared_ptr<arrow::Schema> WithoutVoidMembers(const std::shared_ptr<arrow::Schema>& schema);

/// The same rows in a schema that WithoutVoidMembers gave of theirs; shares their buffers.
std::shared_ptr<arrow::RecordBatch> WithoutVoidMembers(const arrow::RecordBatch& batch,
                                                       const std::shared_ptr<arrow::Schema>& schema);

}  // namespace tarn::columnar
