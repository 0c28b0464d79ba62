#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace tarn::frontends {

/// Bytes that grow at the end, without the zero filling of std::string: what encoders write into. Thread-compatible.
class ByteBuffer {
 public:
  ByteBuffer() = default;

  /// Room for `bytes` more; the caller writes there and passes the end of what it wrote to Commit.
  char* Reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) Grow(bytes);
    return data_.get() + size_;
  }
  void Commit(const char* end) { size_ = static_cast<size_t>(end - data_.get()); }

  void Append(std::string_view text) {
    if (text.empty()) return;
    char* out = Reserve(text.size());
    std::memcpy(out, text.data(), text.size());
    size_ += text.size();
  }
  void Push(char c) {
    *Reserve(1) = c;
    ++size_;
  }
  /// Drops everything behind the first `size` bytes.
  void Truncate(size_t size) { size_ = std::min(size_, size); }
  /// Drops everything; what one large value took is given back.
  void Clear() {
    size_ = 0;
    if (capacity_ <= kKeptBytes) return;
    data_.reset();
    capacity_ = 0;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  const char* data() const { return data_.get(); }
  char* data() { return data_.get(); }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  static constexpr size_t kKeptBytes = 4 << 20;
  /// Beyond this much a buffer grows by a quarter instead of twofold.
  static constexpr size_t kLargeBytes = 16 << 20;

  void Grow(size_t bytes) {
    const size_t more = capacity_ < kLargeBytes ? capacity_ : capacity_ / 4;
    const size_t capacity = std::max(size_ + bytes, std::max<size_t>(1024, capacity_ + more));
    std::unique_ptr<char[]> grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tarn::frontends
