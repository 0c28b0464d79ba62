#include "ingest/column.h"

#include <arrow/buffer.h>

#include "base/check.h"

namespace tarn::ingest {
namespace {

std::shared_ptr<arrow::Buffer> PackBits(const std::vector<uint8_t>& booleans) {
  std::vector<uint8_t> bits((booleans.size() + 7) / 8, 0);
  for (size_t i = 0; i < booleans.size(); ++i) bits[i / 8] |= static_cast<uint8_t>(booleans[i] << (i % 8));
  return arrow::Buffer::FromVector(std::move(bits));
}

}  // namespace

std::shared_ptr<arrow::DataType> ArrowTypeOf(ValueKind kind) {
  switch (kind) {
    case ValueKind::kFloat:
      return arrow::float64();
    case ValueKind::kInteger:
      return arrow::int64();
    case ValueKind::kUnsigned:
      return arrow::decimal128(20, 0);
    case ValueKind::kString:
      return arrow::utf8();
    case ValueKind::kBoolean:
      return arrow::boolean();
  }
  TARN_CHECK(false);
}

std::shared_ptr<arrow::Field> Column::MakeField() const { return arrow::field(name_, ArrowTypeOf(kind_)); }

void Column::AppendNulls(int64_t count) {
  TARN_CHECK(count > 0);
  const auto length = static_cast<size_t>(length_ + count);
  if (null_count_ == 0) {
    validity_.assign(static_cast<size_t>(length_ + 7) / 8, 0xff);
    if (length_ % 8 != 0) validity_.back() = static_cast<uint8_t>((1U << (length_ % 8)) - 1);
  }
  validity_.resize((length + 7) / 8, 0);
  switch (kind_) {
    case ValueKind::kFloat:
      floats_.resize(length, 0);
      break;
    case ValueKind::kInteger:
      integers_.resize(length, 0);
      break;
    case ValueKind::kUnsigned:
      integers_.resize(2 * length, 0);
      break;
    case ValueKind::kBoolean:
      booleans_.resize(length, 0);
      break;
    case ValueKind::kString:
      offsets_.resize(length + 1, offsets_.back());
      break;
  }
  length_ += count;
  null_count_ += count;
}

void Column::SetValid(int64_t row) {
  const auto byte = static_cast<size_t>(row / 8);
  if (byte == validity_.size()) validity_.push_back(0);
  validity_[byte] |= static_cast<uint8_t>(1U << (row % 8));
}

std::shared_ptr<arrow::Array> Column::Finish(int64_t rows) {
  if (length_ < rows) AppendNulls(rows - length_);
  TARN_CHECK(length_ == rows);
  std::vector<std::shared_ptr<arrow::Buffer>> buffers;
  buffers.push_back(null_count_ == 0 ? nullptr : arrow::Buffer::FromVector(std::move(validity_)));
  switch (kind_) {
    case ValueKind::kFloat:
      buffers.push_back(arrow::Buffer::FromVector(std::move(floats_)));
      break;
    case ValueKind::kInteger:
    case ValueKind::kUnsigned:
      buffers.push_back(arrow::Buffer::FromVector(std::move(integers_)));
      break;
    case ValueKind::kBoolean:
      buffers.push_back(PackBits(booleans_));
      break;
    case ValueKind::kString:
      buffers.push_back(arrow::Buffer::FromVector(std::move(offsets_)));
      buffers.push_back(arrow::Buffer::FromString(std::move(text_)));
      break;
  }
  return arrow::MakeArray(arrow::ArrayData::Make(ArrowTypeOf(kind_), rows, std::move(buffers), null_count_));
}

}  // namespace tarn::ingest
