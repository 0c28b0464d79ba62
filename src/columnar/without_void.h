#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "base/status.h"

namespace tarn::columnar {

/// A type without the void members of its structs, wherever they are in it: files do not hold them, and readers take
/// what a file lacks for null. A struct of nothing else keeps them.
std::shared_ptr<arrow::DataType> WithoutVoid(const std::shared_ptr<arrow::DataType>& type);
/// A schema without void columns, and without void members in the others.
std::shared_ptr<arrow::Schema> WithoutVoid(const std::shared_ptr<arrow::Schema>& schema);

/// The same rows in a schema that WithoutVoid gave of theirs; shares their buffers.
std::shared_ptr<arrow::RecordBatch> WithoutVoid(const arrow::RecordBatch& batch,
                                                const std::shared_ptr<arrow::Schema>& schema);

/// Whether a type is void or holds it anywhere.
bool HoldsVoid(const arrow::DataType& type);

/// Unsupported, naming the column, where files cannot hold its type and it is no void column: lists and maps of void,
/// and structs of nothing else.
Status CheckVoid(const arrow::Field& column);

}  // namespace tarn::columnar
