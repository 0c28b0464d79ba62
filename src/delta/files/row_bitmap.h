#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tarn::delta {

/// A set of row positions (PROTOCOL.md, "Deletion Vector Format"): Roaring bitmaps of 32 bits under the upper halves of
/// the positions. Immutable; thread-safe.
///
/// Its bytes come from other writers' files, so every length, order and count is checked, and it holds no more memory
/// than a small multiple of them.
class RowBitmap {
 public:
  RowBitmap() = default;

  /// Parses a bitmap array with its magic number. Corruption for anything that does not hold together; bytes behind its
  /// end are left alone when there are at most `max_padding`.
  static Result<RowBitmap> Parse(std::string_view bytes, size_t max_padding = 0);

  /// `rows` ascend and are not negative.
  static RowBitmap Of(const std::vector<int64_t>& rows);

  /// The inverse of Parse.
  std::string Serialize() const;

  int64_t count() const { return count_; }
  /// Appends the members in [begin, end), ascending.
  void AppendRange(int64_t begin, int64_t end, std::vector<int64_t>& rows) const;

 private:
  /// Members that agree in all but their lowest 16 bits, in one of three forms.
  struct Container {
    enum class Kind : uint8_t { kArray, kBits, kRuns };
    /// The member's upper 48 bits.
    uint64_t key = 0;
    Kind kind = Kind::kArray;
    uint32_t count = 0;
    /// Where it begins in `values_`: lower halves, 4,096 words of bits, or first and last of each run.
    size_t begin = 0;
    size_t length = 0;
  };
  class Parser;
  using Position = std::vector<Container>::const_iterator;

  /// The first container whose key is not less.
  Position FirstFrom(uint64_t key) const;
  /// The bitmap of 32 bits that some containers make up.
  void AppendBitmap(Position first, Position last, std::string& out) const;

  /// Ascending by key.
  std::vector<Container> containers_;
  std::vector<uint16_t> values_;
  int64_t count_ = 0;
};

}  // namespace tarn::delta
