#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "lake/table_view.h"

namespace tarn::lake {

/// What a rows record of the WAL holds rows of: docs/formats/wal_rows.md has the bytes.
struct RowsSchema {
  TableName name;
  std::shared_ptr<arrow::Schema> schema;
};

Result<std::string> EncodeRowsSchema(const RowsSchema& rows_schema);
/// Corruption for anything that EncodeRowsSchema does not write; Unsupported for a newer version.
Result<RowsSchema> DecodeRowsSchema(std::string_view bytes);

/// One batch as the pieces of a record's payload. The pieces point into it and into the batch's own buffers, which it
/// keeps alive.
class EncodedRows {
 public:
  static Result<EncodedRows> Encode(const arrow::RecordBatch& rows);
  const std::vector<ByteSpan>& pieces() const { return pieces_; }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  /// On the heap, so that pieces stay where they are when the object moves.
  std::unique_ptr<std::string> head_;
  std::vector<std::shared_ptr<arrow::Buffer>> buffers_;
  std::vector<ByteSpan> pieces_;
  int64_t size_bytes_ = 0;
};

/// Copies and fully checks a payload: Corruption when it is not exactly one valid batch of the schema.
Result<std::shared_ptr<arrow::RecordBatch>> DecodeRows(const std::shared_ptr<arrow::Schema>& schema, ByteSpan payload);

}  // namespace tarn::lake
