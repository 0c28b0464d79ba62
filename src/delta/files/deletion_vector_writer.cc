#include "delta/files/deletion_vector_writer.h"

#include <zlib.h>

#include <limits>

#include "delta/files/deletion_vector.h"

namespace tarn::delta {
namespace {

constexpr char kFileVersion = 1;

void AppendBigEndian(std::string& out, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift & 0xFF));
}

/// The 16 bytes that a UUID's text stands for.
std::string UuidBytes(std::string_view text) {
  std::string bytes;
  int half = -1;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (half < 0) {
      half = digit;
    } else {
      bytes.push_back(static_cast<char>(half << 4 | digit));
      half = -1;
    }
  }
  return bytes;
}

}  // namespace

Status DeletionVectorWriter::OpenFile() {
  encoded_uuid_ = EncodeBase85(UuidBytes(random_.Uuid()));
  TARN_ASSIGN_OR_RETURN(const auto key, DeletionVectorKey({'u', encoded_uuid_, {}, 0, 0}, store_));
  key_ = *key;
  TARN_ASSIGN_OR_RETURN(file_, store_.OpenWriter(key_, storage::Precondition::IfAbsent()));
  size_ = 1;
  return file_->Append(AsBytes(std::string(1, kFileVersion)));
}

Result<DeletionVector> DeletionVectorWriter::Write(const RowBitmap& rows) {
  if (file_ == nullptr) TARN_RETURN_NOT_OK(OpenFile());
  const std::string bitmap = rows.Serialize();
  if (bitmap.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return Status::ResourceExhausted("a deletion vector would be larger than the log can say");
  }
  std::string stored;
  stored.reserve(bitmap.size() + 2 * sizeof(uint32_t));
  AppendBigEndian(stored, static_cast<uint32_t>(bitmap.size()));
  stored += bitmap;
  AppendBigEndian(stored, static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bitmap.data()),
                                                      static_cast<uInt>(bitmap.size()))));
  TARN_RETURN_NOT_OK(file_->Append(AsBytes(stored)));
  DeletionVector vector;
  vector.storage_type = 'u';
  vector.path_or_inline = encoded_uuid_;
  vector.offset = static_cast<int32_t>(size_);
  vector.size_in_bytes = static_cast<int32_t>(bitmap.size());
  vector.cardinality = rows.count();
  size_ += static_cast<int64_t>(stored.size());
  if (size_ >= kTargetFileBytes) TARN_RETURN_NOT_OK(Finish());
  return vector;
}

Status DeletionVectorWriter::Finish() {
  if (file_ == nullptr) return Status::Ok();
  // Whatever the reply, the file may be there.
  keys_.push_back(key_);
  const auto finished = file_->Finish();
  file_.reset();
  return finished.status();
}

}  // namespace tarn::delta
