#pragma once

#include <arrow/io/interfaces.h>

#include <memory>
#include <utility>

#include "base/mutex.h"
#include "columnar/arrow_status.h"
#include "storage/object_store.h"

namespace tarn::columnar {

/// An object as a file that Arrow can read. Remembers the store's first error, so that a caller can tell it from what
/// Arrow says about the bytes. Thread-safe except for Seek, Tell and Read, as Arrow's contract has it.
class ObjectFile final : public arrow::io::RandomAccessFile {
 public:
  explicit ObjectFile(std::unique_ptr<storage::ObjectReader> reader) : reader_(std::move(reader)) {}
  ~ObjectFile() override = default;

  /// The first error of the store; OK when there was none.
  Status status() const EXCLUDES(mutex_);

  arrow::Status Close() override;
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Seek(int64_t position) override;
  arrow::Result<int64_t> GetSize() override { return reader_->info().size_bytes; }
  arrow::Result<int64_t> Read(int64_t nbytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t nbytes) override;
  using arrow::io::RandomAccessFile::ReadAt;
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t nbytes, void* out) override EXCLUDES(mutex_);
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t nbytes) override;

 private:
  const std::unique_ptr<storage::ObjectReader> reader_;
  int64_t position_ = 0;
  bool closed_ = false;
  mutable Mutex mutex_;
  Status status_ GUARDED_BY(mutex_);
};

/// An object being written as a stream that Arrow can write to. Small writes are gathered. Thread-compatible.
class ObjectStream final : public arrow::io::OutputStream {
 public:
  explicit ObjectStream(std::unique_ptr<storage::ObjectWriter> writer) : writer_(std::move(writer)) {}
  ~ObjectStream() override = default;

  /// The first error of the store; OK when there was none.
  const Status& status() const { return status_; }
  /// Drops everything written from now on, for a writer that will not be finished.
  void Abandon();
  /// Publishes the object.
  Result<storage::ObjectInfo> Finish();

  arrow::Status Close() override;
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, int64_t nbytes) override;

 private:
  Status Drain();

  const std::unique_ptr<storage::ObjectWriter> writer_;
  std::string gathered_;
  int64_t position_ = 0;
  bool closed_ = false;
  Status status_;
};

}  // namespace tarn::columnar
