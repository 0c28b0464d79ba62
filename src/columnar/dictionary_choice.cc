#include "columnar/dictionary_choice.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

namespace tarn::columnar {
namespace {

/// The part of `held` that is in the lists. Where there are none, there may be no offsets either.
std::shared_ptr<arrow::Array> HeldBy(const arrow::ListArray& lists, const std::shared_ptr<arrow::Array>& held) {
  if (lists.length() == 0) return held->Slice(0, 0);
  const int64_t begin = lists.value_offset(0);
  return held->Slice(begin, lists.value_offset(lists.length()) - begin);
}

/// The leaves of one column of the batches, in file order: what a struct's members, a list's elements and a map's keys
/// and values are stored as. Values below a null parent may be among them; an estimate bears that.
void AppendLeaves(const std::shared_ptr<arrow::Array>& array, arrow::ArrayVector& leaves) {
  switch (array->type_id()) {
    case arrow::Type::STRUCT: {
      const auto& structs = static_cast<const arrow::StructArray&>(*array);
      for (int i = 0; i < structs.num_fields(); ++i) AppendLeaves(structs.field(i), leaves);
      return;
    }
    case arrow::Type::MAP: {
      const auto& maps = static_cast<const arrow::MapArray&>(*array);
      AppendLeaves(HeldBy(maps, maps.keys()), leaves);
      AppendLeaves(HeldBy(maps, maps.items()), leaves);
      return;
    }
    case arrow::Type::LIST: {
      const auto& lists = static_cast<const arrow::ListArray&>(*array);
      AppendLeaves(HeldBy(lists, lists.values()), leaves);
      return;
    }
    default:
      leaves.push_back(array);
  }
}

uint64_t Mixed(uint64_t value) {
  // The finalizer of splitmix64.
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

/// Calls `visit(hash)` for each value that is not null.
template <typename Visit>
void ForEachHash(const arrow::Array& array, const Visit& visit) {
  if (const auto* texts = dynamic_cast<const arrow::BinaryArray*>(&array)) {
    for (int64_t i = 0; i < texts->length(); ++i) {
      if (texts->IsValid(i)) visit(Mixed(std::hash<std::string_view>()(texts->GetView(i))));
    }
    return;
  }
  const auto* fixed = dynamic_cast<const arrow::FixedWidthType*>(array.type().get());
  if (fixed == nullptr || fixed->bit_width() % 8 != 0) return;
  // There may be no memory for values that are not there.
  if (array.null_count() == array.length()) return;
  const auto width = static_cast<size_t>(fixed->bit_width() / 8);
  const uint8_t* const values = array.data()->buffers[1]->data() + static_cast<size_t>(array.offset()) * width;
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) continue;
    uint64_t halves[2] = {0, 0};
    std::memcpy(halves, values + static_cast<size_t>(i) * width, std::min(width, sizeof(halves)));
    visit(Mixed(halves[0] + Mixed(halves[1] + 1)));
  }
}

/// Whether more than half of the values are estimated to be different ones.
bool IsWithoutRepetition(const arrow::ArrayVector& pieces) {
  int64_t values = 0;
  for (const auto& piece : pieces) values += piece->length() - piece->null_count();
  if (values == 0) return false;
  const uint64_t bits = std::bit_ceil(4 * static_cast<uint64_t>(values));
  std::vector<bool> seen(bits);
  uint64_t taken = 0;
  for (const auto& piece : pieces) {
    ForEachHash(*piece, [&](uint64_t hash) {
      auto bit = seen[hash & (bits - 1)];
      taken += bit ? 0 : 1;
      bit = true;
    });
  }
  const double free = 1 - static_cast<double>(taken) / static_cast<double>(bits);
  return -static_cast<double>(bits) * std::log(free) > 0.5 * static_cast<double>(values);
}

}  // namespace

std::vector<int> LeavesWithoutRepetition(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches) {
  std::vector<int> without;
  if (batches.empty()) return without;
  int next_leaf = 0;
  for (int column = 0; column < batches.front()->num_columns(); ++column) {
    std::vector<arrow::ArrayVector> pieces;
    for (const auto& batch : batches) {
      arrow::ArrayVector leaves;
      AppendLeaves(batch->column(column), leaves);
      pieces.resize(leaves.size());
      for (size_t i = 0; i < leaves.size(); ++i) pieces[i].push_back(leaves[i]);
    }
    for (const arrow::ArrayVector& leaf : pieces) {
      if (IsWithoutRepetition(leaf)) without.push_back(next_leaf);
      ++next_leaf;
    }
  }
  return without;
}

}  // namespace tarn::columnar
