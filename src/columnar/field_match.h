#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace tarn::columnar {

/// How the columns and struct members of a table are found in its data files (PROTOCOL.md, "Column Mapping").
enum class FieldMatch : uint8_t {
  kName,
  /// The field metadata "delta.columnMapping.physicalName" is the name in the file.
  kPhysicalName,
  /// The field metadata "delta.columnMapping.id" is the Parquet field id in the file.
  kFieldId,
};

/// Name of a table's field inside data files, partition values and statistics; its own name where none is set.
std::string PhysicalName(const arrow::Field& field);

/// `delta.columnMapping.id` of a table's field.
std::optional<int32_t> MappingId(const arrow::Field& field);

/// The Parquet field id that a file's field carries.
std::optional<int32_t> StoredFieldId(const arrow::Field& field);

/// A table's schema as its new data files hold it: members at every depth under their physical names unless they are
/// found by their own. Metadata stays, so that the Parquet writer finds the field ids.
std::shared_ptr<arrow::Schema> StoredSchema(const std::shared_ptr<arrow::Schema>& schema, FieldMatch match);

/// The same rows under the names of `schema`, which differs in names and metadata alone. Copies no values.
std::shared_ptr<arrow::RecordBatch> Renamed(const arrow::RecordBatch& batch,
                                            const std::shared_ptr<arrow::Schema>& schema);

/// Place among a file's fields of the one that holds a table's field; -1 when the file lacks it.
int FindStored(const arrow::FieldVector& stored, const arrow::Field& field, FieldMatch match);

}  // namespace tarn::columnar
