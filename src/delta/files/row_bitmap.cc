#include "delta/files/row_bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace tarn::delta {
namespace {

static_assert(std::endian::native == std::endian::little, "bitmaps are little-endian");

constexpr uint32_t kMagic = 1681511377;
/// The Roaring format's own: with run containers the number of containers is in the upper half.
constexpr uint32_t kCookieWithRuns = 12347;
constexpr uint32_t kCookie = 12346;
constexpr uint32_t kMaxContainers = 1 << 16;
/// With run containers offsets are only written for more containers than this.
constexpr uint32_t kNoOffsetThreshold = 4;
constexpr uint32_t kMaxArray = 4096;
constexpr size_t kBitsWords = 4096;
/// Positions are 63 bits.
constexpr uint32_t kMaxUpperHalf = std::numeric_limits<int32_t>::max();

Status Broken(const std::string& what) { return Status::Corruption("the bitmap " + what); }

/// Unsigned integers from a span of bytes.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }

  template <typename Number>
  Result<Number> Take() {
    Number number = 0;
    if (rest_.size() < sizeof(number)) return Broken("is cut short");
    std::memcpy(&number, rest_.data(), sizeof(number));
    rest_.remove_prefix(sizeof(number));
    return number;
  }

  Result<std::string_view> TakeBytes(size_t count) {
    if (rest_.size() < count) return Broken("is cut short");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

 private:
  std::string_view rest_;
};

template <typename Number>
void Append(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

}  // namespace

class RowBitmap::Parser {
 public:
  Parser(std::string_view bytes, RowBitmap& out) : bytes_(bytes), out_(out) {}

  Status Run(size_t max_padding);

 private:
  /// One bitmap of 32 bits.
  Status Bitmap(uint32_t upper_half);
  Status Containers(uint32_t upper_half, uint32_t containers, std::string_view run_flags);
  Status Array(Container& container);
  Status Bits(Container& container);
  Status Runs(Container& container);
  /// Copies `count` lower halves; their place.
  Result<const uint16_t*> TakeValues(Container& container, size_t count);

  Bytes bytes_;
  RowBitmap& out_;
};

Status RowBitmap::Parser::Run(size_t max_padding) {
  TARN_ASSIGN_OR_RETURN(const auto magic, bytes_.Take<uint32_t>());
  if (magic != kMagic) return Broken("begins with " + std::to_string(magic) + " instead of its magic number");
  TARN_ASSIGN_OR_RETURN(const auto bitmaps, bytes_.Take<uint64_t>());
  int64_t before = -1;
  for (uint64_t i = 0; i < bitmaps; ++i) {
    TARN_ASSIGN_OR_RETURN(const auto upper_half, bytes_.Take<uint32_t>());
    if (upper_half > kMaxUpperHalf || int64_t{upper_half} <= before) return Broken("has keys out of order");
    before = upper_half;
    TARN_RETURN_NOT_OK(Bitmap(upper_half));
  }
  if (bytes_.left() > max_padding) return Broken("has " + std::to_string(bytes_.left()) + " bytes behind its end");
  return Status::Ok();
}

Status RowBitmap::Parser::Bitmap(uint32_t upper_half) {
  TARN_ASSIGN_OR_RETURN(const auto cookie, bytes_.Take<uint32_t>());
  if ((cookie & 0xFFFF) == kCookieWithRuns) {
    const uint32_t containers = (cookie >> 16) + 1;
    TARN_ASSIGN_OR_RETURN(const auto run_flags, bytes_.TakeBytes((containers + 7) / 8));
    return Containers(upper_half, containers, run_flags);
  }
  if (cookie != kCookie) return Broken("has an unknown cookie");
  TARN_ASSIGN_OR_RETURN(const auto containers, bytes_.Take<uint32_t>());
  if (containers > kMaxContainers) return Broken("has more containers than there can be");
  return Containers(upper_half, containers, {});
}

Status RowBitmap::Parser::Containers(uint32_t upper_half, uint32_t containers, std::string_view run_flags) {
  const size_t first = out_.containers_.size();
  int32_t before = -1;
  for (uint32_t i = 0; i < containers; ++i) {
    TARN_ASSIGN_OR_RETURN(const auto key, bytes_.Take<uint16_t>());
    TARN_ASSIGN_OR_RETURN(const auto count_less_one, bytes_.Take<uint16_t>());
    if (key <= before) return Broken("has containers out of order");
    before = key;
    Container container;
    container.key = uint64_t{upper_half} << 16 | key;
    container.count = uint32_t{count_less_one} + 1;
    const bool runs = !run_flags.empty() && (static_cast<uint8_t>(run_flags[i / 8]) >> (i % 8) & 1) != 0;
    container.kind = runs                           ? Container::Kind::kRuns
                     : container.count <= kMaxArray ? Container::Kind::kArray
                                                    : Container::Kind::kBits;
    out_.containers_.push_back(container);
  }
  // Containers follow one another, so their offsets say nothing new.
  if (run_flags.empty() || containers >= kNoOffsetThreshold) {
    TARN_RETURN_NOT_OK(bytes_.TakeBytes(size_t{containers} * sizeof(uint32_t)).status());
  }
  for (size_t i = first; i < out_.containers_.size(); ++i) {
    Container& container = out_.containers_[i];
    switch (container.kind) {
      case Container::Kind::kArray:
        TARN_RETURN_NOT_OK(Array(container));
        break;
      case Container::Kind::kBits:
        TARN_RETURN_NOT_OK(Bits(container));
        break;
      case Container::Kind::kRuns:
        TARN_RETURN_NOT_OK(Runs(container));
        break;
    }
    out_.count_ += container.count;
  }
  return Status::Ok();
}

Result<const uint16_t*> RowBitmap::Parser::TakeValues(Container& container, size_t count) {
  TARN_ASSIGN_OR_RETURN(const auto taken, bytes_.TakeBytes(count * sizeof(uint16_t)));
  container.begin = out_.values_.size();
  container.length = count;
  out_.values_.resize(container.begin + count);
  std::memcpy(out_.values_.data() + container.begin, taken.data(), taken.size());
  return out_.values_.data() + container.begin;
}

Status RowBitmap::Parser::Array(Container& container) {
  TARN_ASSIGN_OR_RETURN(const uint16_t* values, TakeValues(container, container.count));
  for (uint32_t i = 1; i < container.count; ++i) {
    if (values[i] <= values[i - 1]) return Broken("has values out of order");
  }
  return Status::Ok();
}

Status RowBitmap::Parser::Bits(Container& container) {
  TARN_ASSIGN_OR_RETURN(const uint16_t* words, TakeValues(container, kBitsWords));
  uint32_t count = 0;
  for (size_t i = 0; i < kBitsWords; ++i) count += static_cast<uint32_t>(std::popcount(words[i]));
  return count == container.count ? Status::Ok() : Broken("has a container of another size than it says");
}

Status RowBitmap::Parser::Runs(Container& container) {
  TARN_ASSIGN_OR_RETURN(const auto runs, bytes_.Take<uint16_t>());
  if (runs == 0) return Broken("has a container without runs");
  TARN_RETURN_NOT_OK(TakeValues(container, size_t{runs} * 2).status());
  uint16_t* values = out_.values_.data() + container.begin;
  uint32_t count = 0;
  int64_t before = -1;
  for (uint32_t i = 0; i < runs; ++i) {
    const uint32_t first = values[i * 2];
    const uint32_t last = first + values[i * 2 + 1];
    if (int64_t{first} <= before || last > UINT16_MAX) return Broken("has runs out of order");
    before = last;
    values[i * 2 + 1] = static_cast<uint16_t>(last);
    count += last - first + 1;
  }
  return count == container.count ? Status::Ok() : Broken("has a container of another size than it says");
}

Result<RowBitmap> RowBitmap::Parse(std::string_view bytes, size_t max_padding) {
  RowBitmap bitmap;
  TARN_RETURN_NOT_OK(Parser(bytes, bitmap).Run(max_padding));
  return bitmap;
}

RowBitmap RowBitmap::Of(const std::vector<int64_t>& rows) {
  RowBitmap bitmap;
  bitmap.count_ = static_cast<int64_t>(rows.size());
  for (size_t i = 0; i < rows.size();) {
    Container container;
    container.key = static_cast<uint64_t>(rows[i]) >> 16;
    size_t end = i;
    while (end < rows.size() && static_cast<uint64_t>(rows[end]) >> 16 == container.key) ++end;
    container.count = static_cast<uint32_t>(end - i);
    container.kind = container.count <= kMaxArray ? Container::Kind::kArray : Container::Kind::kBits;
    container.begin = bitmap.values_.size();
    container.length = container.kind == Container::Kind::kArray ? container.count : kBitsWords;
    bitmap.values_.resize(container.begin + container.length);
    uint16_t* values = bitmap.values_.data() + container.begin;
    for (; i < end; ++i) {
      const auto low = static_cast<uint16_t>(rows[i]);
      if (container.kind == Container::Kind::kArray) {
        *values++ = low;
      } else {
        values[low / 16] |= static_cast<uint16_t>(1 << (low % 16));
      }
    }
    bitmap.containers_.push_back(container);
  }
  return bitmap;
}

void RowBitmap::AppendBitmap(Position first, Position last, std::string& out) const {
  const size_t begin = out.size();
  const auto containers = static_cast<uint32_t>(last - first);
  const bool has_runs = std::any_of(first, last, [](const Container& c) { return c.kind == Container::Kind::kRuns; });
  if (has_runs) {
    Append(out, kCookieWithRuns | (containers - 1) << 16);
    std::string run_flags((containers + 7) / 8, '\0');
    for (uint32_t i = 0; i < containers; ++i) {
      if (first[i].kind == Container::Kind::kRuns) run_flags[i / 8] |= static_cast<char>(1 << (i % 8));
    }
    out += run_flags;
  } else {
    Append(out, kCookie);
    Append(out, containers);
  }
  for (auto it = first; it != last; ++it) {
    Append(out, static_cast<uint16_t>(it->key));
    Append(out, static_cast<uint16_t>(it->count - 1));
  }
  const bool has_offsets = !has_runs || containers >= kNoOffsetThreshold;
  const size_t offsets_at = out.size();
  if (has_offsets) out.resize(out.size() + size_t{containers} * sizeof(uint32_t));
  for (auto it = first; it != last; ++it) {
    if (has_offsets) {
      const auto offset = static_cast<uint32_t>(out.size() - begin);
      std::memcpy(out.data() + offsets_at + (it - first) * sizeof(offset), &offset, sizeof(offset));
    }
    const uint16_t* values = values_.data() + it->begin;
    if (it->kind != Container::Kind::kRuns) {
      out.append(reinterpret_cast<const char*>(values), it->length * sizeof(*values));
      continue;
    }
    Append(out, static_cast<uint16_t>(it->length / 2));
    for (size_t i = 0; i < it->length; i += 2) {
      Append(out, values[i]);
      Append(out, static_cast<uint16_t>(values[i + 1] - values[i]));
    }
  }
}

std::string RowBitmap::Serialize() const {
  std::string out;
  Append(out, kMagic);
  const size_t bitmaps_at = out.size();
  uint64_t bitmaps = 0;
  Append(out, bitmaps);
  for (Position first = containers_.begin(); first != containers_.end(); ++bitmaps) {
    const uint64_t upper_half = first->key >> 16;
    const Position last =
        std::find_if(first, containers_.end(), [&](const Container& c) { return c.key >> 16 != upper_half; });
    Append(out, static_cast<uint32_t>(upper_half));
    AppendBitmap(first, last, out);
    first = last;
  }
  std::memcpy(out.data() + bitmaps_at, &bitmaps, sizeof(bitmaps));
  return out;
}

RowBitmap::Position RowBitmap::FirstFrom(uint64_t key) const {
  return std::lower_bound(containers_.begin(), containers_.end(), key,
                          [](const Container& container, uint64_t wanted) { return container.key < wanted; });
}

void RowBitmap::AppendRange(int64_t begin, int64_t end, std::vector<int64_t>& rows) const {
  begin = std::max<int64_t>(begin, 0);
  for (auto it = FirstFrom(static_cast<uint64_t>(begin) >> 16); it != containers_.end(); ++it) {
    const auto base = static_cast<int64_t>(it->key << 16);
    if (base >= end) return;
    // The part of the range within this container, both ends included.
    const auto low = static_cast<uint32_t>(std::max(begin, base) - base);
    const auto high = static_cast<uint32_t>(std::min<int64_t>(end - 1 - base, UINT16_MAX));
    const uint16_t* values = values_.data() + it->begin;
    switch (it->kind) {
      case Container::Kind::kArray: {
        const uint16_t* stop = values + it->length;
        for (const uint16_t* value = std::lower_bound(values, stop, low); value != stop && *value <= high; ++value) {
          rows.push_back(base + *value);
        }
        break;
      }
      case Container::Kind::kBits:
        for (uint32_t value = low; value <= high; ++value) {
          const auto word = static_cast<uint16_t>(values[value / 16] >> (value % 16));
          if (word == 0) {
            value |= 15;
            continue;
          }
          value += static_cast<uint32_t>(std::countr_zero(word));
          if (value <= high) rows.push_back(base + value);
        }
        break;
      case Container::Kind::kRuns:
        for (size_t i = 0; i < it->length && values[i] <= high; i += 2) {
          for (uint32_t value = std::max<uint32_t>(values[i], low); value <= std::min<uint32_t>(values[i + 1], high);
               ++value) {
            rows.push_back(base + value);
          }
        }
        break;
    }
  }
}

}  // namespace tarn::delta
