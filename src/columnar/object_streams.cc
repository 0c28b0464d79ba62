#include "columnar/object_streams.h"

#include <arrow/buffer.h>
#include <arrow/memory_pool.h>

#include <cstring>

namespace tarn::columnar {
namespace {

/// Pages are mostly larger; headers, levels and footers are not.
constexpr size_t kGatherBytes = 256 << 10;

}  // namespace

Status ObjectFile::status() const {
  MutexLock lock(mutex_);
  return status_;
}

arrow::Status ObjectFile::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

arrow::Status ObjectFile::Seek(int64_t position) {
  if (position < 0) return arrow::Status::Invalid("seek before the beginning");
  position_ = position;
  return arrow::Status::OK();
}

arrow::Result<int64_t> ObjectFile::Read(int64_t nbytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const int64_t read, ReadAt(position_, nbytes, out));
  position_ += read;
  return read;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ObjectFile::Read(int64_t nbytes) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, nbytes));
  position_ += buffer->size();
  return buffer;
}

arrow::Result<int64_t> ObjectFile::ReadAt(int64_t position, int64_t nbytes, void* out) {
  if (position < 0 || nbytes < 0) return arrow::Status::Invalid("read outside the object");
  if (nbytes == 0) return 0;
  Result<size_t> read =
      reader_->ReadAt(position, MutableByteSpan(static_cast<std::byte*>(out), static_cast<size_t>(nbytes)));
  if (read.ok()) return static_cast<int64_t>(*read);
  MutexLock lock(mutex_);
  if (status_.ok()) status_ = read.status();
  return ToArrow(read.status());
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ObjectFile::ReadAt(int64_t position, int64_t nbytes) {
  // A damaged footer may ask for any length; what the object cannot hold is not worth allocating.
  const int64_t available = reader_->info().size_bytes - position;
  if (nbytes > available) nbytes = available > 0 ? available : 0;
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(nbytes));
  ARROW_ASSIGN_OR_RAISE(const int64_t read, ReadAt(position, nbytes, buffer->mutable_data()));
  if (read < nbytes) ARROW_RETURN_NOT_OK(buffer->Resize(read));
  buffer->ZeroPadding();
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Status ObjectStream::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

arrow::Status ObjectStream::Write(const void* data, int64_t nbytes) {
  if (!status_.ok()) return ToArrow(status_);
  const std::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(nbytes));
  position_ += nbytes;
  if (gathered_.size() + bytes.size() > kGatherBytes) ARROW_RETURN_NOT_OK(ToArrow(Drain()));
  if (bytes.size() < kGatherBytes) {
    gathered_.append(bytes);
    return arrow::Status::OK();
  }
  status_ = writer_->Append(AsBytes(bytes));
  return ToArrow(status_);
}

void ObjectStream::Abandon() {
  gathered_.clear();
  if (status_.ok()) status_ = Status::Cancelled("the writer was abandoned");
}

Status ObjectStream::Drain() {
  if (gathered_.empty() || !status_.ok()) return status_;
  status_ = writer_->Append(AsBytes(gathered_));
  gathered_.clear();
  return status_;
}

Result<storage::ObjectInfo> ObjectStream::Finish() {
  TARN_RETURN_NOT_OK(Drain());
  return writer_->Finish();
}

}  // namespace tarn::columnar
