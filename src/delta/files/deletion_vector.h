#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/files/row_bitmap.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Reads the positions of the rows that a vector deletes (PROTOCOL.md, "Deletion Vectors") and checks its length,
/// checksum and cardinality. Corruption names the vector; PermissionDenied for a file outside of the table; errors of
/// the store pass through.
Result<std::shared_ptr<const RowBitmap>> ReadDeletionVector(storage::ObjectStore& table_store,
                                                            const DeletionVector& vector);

/// Key of the file that holds a vector of type 'u' or 'p'; nullopt for an inline one. PermissionDenied for a file
/// outside of the table, Corruption for a path that cannot be decoded.
Result<std::optional<std::string>> DeletionVectorKey(const DeletionVector& vector, std::string_view table_uri);

/// Four bytes for five characters of the protocol's base85 (ZeroMQ RFC 32); nullopt for text that is none.
std::optional<std::string> DecodeBase85(std::string_view text);

}  // namespace tarn::delta
