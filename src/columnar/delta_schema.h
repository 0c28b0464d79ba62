#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn::columnar {

/// Arrow is the currency for schemas too. Delta types map one to one:
///   byte int8 · short int16 · integer int32 · long int64 · float · double · boolean · string utf8 · binary · date
///   date32 · timestamp timestamp[us, UTC] · timestamp_ntz timestamp[us] · decimal(p,s) decimal128 · void null · struct
///   · array list · map map.
/// A field's Delta metadata becomes Arrow field metadata: strings as they are, other JSON values as their JSON text
/// under a key with the prefix "json:". (Strings whose
/// key begins with that prefix, or with "ARROW:" or "PARQUET:", are such JSON too; without it the latter two are what
/// Arrow's readers leave behind, and are not written.)

/// Reads `metaData.schemaString` (PROTOCOL.md, "Schema Serialization Format"). Corruption for malformed JSON,
/// Unsupported by name for a type outside the list above (interval, geometry, variant, collated strings …).
Result<std::shared_ptr<arrow::Schema>> SchemaFromDeltaJson(std::string_view json);

/// The inverse. Wider Arrow types that Delta lacks map to the nearest lossless one (uint8 -> short, uint16 -> integer,
/// uint32 -> long, large_utf8 -> string, dictionary -> its values); Unsupported by name for the rest (uint64, time, …).
Result<std::string> SchemaToDeltaJson(const arrow::Schema& schema);

/// The same schema with each type replaced by the one that stands for its Delta type in the list above: large_utf8
/// becomes utf8, a dictionary its values, a list's item is called "element". Unsupported by name where there is none.
Result<std::shared_ptr<arrow::Schema>> CanonicalSchema(const arrow::Schema& schema);

/// The Delta type's name as in `schemaString`, for messages: "decimal(10,2)", "array<string>".
std::string DeltaTypeName(const arrow::DataType& type);

}  // namespace tarn::columnar
