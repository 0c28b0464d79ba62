#include "lake/wal_rows.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

#include <array>
#include <cstring>

#include "columnar/arrow_status.h"

namespace tarn::lake {

namespace {

constexpr uint8_t kVersion = 1;
/// version u8, zero u8, zero u16, length of the metadata u32.
constexpr size_t kHeadBytes = 8;
constexpr size_t kAlignment = 8;
constexpr std::array<std::byte, kAlignment> kZeros{};

size_t PaddingAfter(size_t length) { return (kAlignment - length % kAlignment) % kAlignment; }

Status Broken(const std::string& what) { return Status::Corruption("WAL rows record: " + what); }

/// Reads a length-prefixed string off the front of `rest`.
bool TakeText(std::string_view& rest, std::string* out) {
  if (rest.size() < sizeof(uint32_t)) return false;
  const auto length = GetFixed<uint32_t>(rest.data());
  rest.remove_prefix(sizeof(uint32_t));
  if (length > rest.size()) return false;
  out->assign(rest.substr(0, length));
  rest.remove_prefix(length);
  return true;
}

void PutText(std::string& out, std::string_view text) {
  PutFixed(out, static_cast<uint32_t>(text.size()));
  out += text;
}

}  // namespace

Result<std::string> EncodeRowsSchema(const RowsSchema& rows_schema) {
  TARN_ASSIGN_OR_RETURN(const auto message, columnar::FromArrow(arrow::ipc::SerializeSchema(*rows_schema.schema)));
  std::string out;
  out += static_cast<char>(kVersion);
  PutText(out, rows_schema.name.database);
  PutText(out, rows_schema.name.table);
  PutText(out, {reinterpret_cast<const char*>(message->data()), static_cast<size_t>(message->size())});
  return out;
}

Result<RowsSchema> DecodeRowsSchema(std::string_view bytes) {
  if (bytes.empty()) return Broken("the schema entry is empty");
  const auto version = static_cast<uint8_t>(bytes.front());
  if (version > kVersion) {
    return Status::Unsupported("WAL rows schema of version " + std::to_string(version) +
                               "; this program knows version " + std::to_string(kVersion));
  }
  if (version != kVersion) return Broken("the schema entry has version 0");
  bytes.remove_prefix(1);
  RowsSchema out;
  std::string message;
  if (!TakeText(bytes, &out.name.database) || !TakeText(bytes, &out.name.table) || !TakeText(bytes, &message) ||
      !bytes.empty()) {
    return Broken("the schema entry's lengths do not add up");
  }
  arrow::io::BufferReader stream(arrow::Buffer::FromString(std::move(message)));
  arrow::ipc::DictionaryMemo memo;
  auto schema = arrow::ipc::ReadSchema(&stream, &memo);
  if (!schema.ok()) return Broken("schema of " + out.name.ToString() + ": " + schema.status().message());
  out.schema = std::move(schema).ValueUnsafe();
  return out;
}

Result<EncodedRows> EncodedRows::Encode(const arrow::RecordBatch& rows) {
  arrow::ipc::IpcPayload payload;
  TARN_RETURN_NOT_OK(
      columnar::FromArrow(arrow::ipc::GetRecordBatchPayload(rows, arrow::ipc::IpcWriteOptions::Defaults(), &payload)));

  EncodedRows out;
  out.head_ = std::make_unique<std::string>();
  PutFixed(*out.head_, static_cast<uint32_t>(kVersion));
  PutFixed(*out.head_, static_cast<uint32_t>(payload.metadata->size()));
  TARN_CHECK(out.head_->size() == kHeadBytes);

  const auto add = [&out](ByteSpan bytes) {
    if (bytes.empty()) return;
    out.pieces_.push_back(bytes);
    out.size_bytes_ += static_cast<int64_t>(bytes.size());
  };
  const auto add_padded = [&](const std::shared_ptr<arrow::Buffer>& buffer) {
    if (buffer == nullptr || buffer->size() == 0) return;
    const auto size = static_cast<size_t>(buffer->size());
    add({reinterpret_cast<const std::byte*>(buffer->data()), size});
    add(ByteSpan(kZeros).first(PaddingAfter(size)));
    out.buffers_.push_back(buffer);
  };
  add(AsBytes(*out.head_));
  add_padded(payload.metadata);
  for (const auto& buffer : payload.body_buffers) add_padded(buffer);
  return out;
}

Result<std::shared_ptr<arrow::RecordBatch>> DecodeRows(const std::shared_ptr<arrow::Schema>& schema, ByteSpan payload) {
  if (payload.size() < kHeadBytes) return Broken("payload shorter than its head");
  const auto version = GetFixed<uint32_t>(payload.data());
  if (version > kVersion) {
    return Status::Unsupported("WAL rows payload of version " + std::to_string(version) +
                               "; this program knows version " + std::to_string(kVersion));
  }
  const size_t metadata_bytes = GetFixed<uint32_t>(payload.data() + sizeof(uint32_t));
  const size_t body_begin = kHeadBytes + metadata_bytes + PaddingAfter(metadata_bytes);
  if (version != kVersion || body_begin > payload.size()) return Broken("payload head does not check");

  // One aligned copy that outlives the log's own buffer; every array of the batch is a view of it.
  TARN_ASSIGN_OR_RETURN(std::shared_ptr<arrow::Buffer> copy,
                        columnar::FromArrow(arrow::AllocateBuffer(static_cast<int64_t>(payload.size()))));
  std::memcpy(copy->mutable_data(), payload.data(), payload.size());
  auto metadata = arrow::SliceBuffer(copy, kHeadBytes, static_cast<int64_t>(metadata_bytes));
  auto body = arrow::SliceBuffer(copy, static_cast<int64_t>(body_begin));
  const int64_t body_bytes = body->size();

  auto message = arrow::ipc::Message::Open(std::move(metadata), std::move(body));
  if (!message.ok()) return Broken(message.status().message());
  if ((*message)->body_length() != body_bytes) return Broken("the body is not as long as its metadata says");
  arrow::ipc::DictionaryMemo memo;
  auto batch = arrow::ipc::ReadRecordBatch(**message, schema, &memo, arrow::ipc::IpcReadOptions::Defaults());
  if (!batch.ok()) return Broken(batch.status().message());
  if (const auto valid = (*batch)->ValidateFull(); !valid.ok()) return Broken(valid.message());
  return std::move(batch).ValueUnsafe();
}

}  // namespace tarn::lake
