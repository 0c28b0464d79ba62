#include "ingest/series_memo.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tarn::ingest {
namespace {

constexpr size_t kMinSlots = 64;
constexpr size_t kMaxSlots = 1 << 16;
/// A line of this length is short; shorter ones share slots.
constexpr size_t kBytesPerSlot = 128;
constexpr size_t kMaxTags = 1 << 20;

uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t Load(const char* from, size_t bytes) {
  uint64_t word = 0;
  std::memcpy(&word, from, bytes);
  return word;
}

// Multiply-and-fold over 16 bytes at a time. Chosen collisions only make entries replace each other.
uint64_t Hash(std::string_view text) {
  constexpr uint64_t kLow = 0x9e3779b97f4a7c15;
  constexpr uint64_t kHigh = 0xc2b2ae3d27d4eb4f;
  uint64_t hash = text.size();
  while (text.size() > 16) {
    hash = Mix(Load(text.data(), 8) ^ hash ^ kLow, Load(text.data() + 8, 8) ^ kHigh);
    text.remove_prefix(16);
  }
  const size_t low = std::min<size_t>(text.size(), 8);
  return Mix(Load(text.data(), low) ^ hash ^ kLow, Load(text.data() + low, text.size() - low) ^ kHigh);
}

bool StartsWithSeries(std::string_view text, std::string_view prefix) {
  return text.size() > prefix.size() && text[prefix.size()] == ' ' &&
         std::memcmp(text.data(), prefix.data(), prefix.size()) == 0;
}

// The first space that no backslash makes part of a name, or npos when the line ends before.
size_t FindSeriesEnd(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    at = FindFirstOf<' ', '\\', '\n'>(at, end);
    if (at >= end || *at == '\n') return std::string_view::npos;
    if (*at == ' ') return static_cast<size_t>(at - text.data());
    at += at + 1 < end && IsEscape(at[1], Escapes::kKey) ? 2 : 1;
  }
}

}  // namespace

SeriesMemo::SeriesMemo(size_t body_bytes)
    : slots_(std::bit_ceil(std::clamp(body_bytes / kBytesPerSlot, kMinSlots, kMaxSlots))) {}

const SeriesMemo::Entry* SeriesMemo::Find(std::string_view text) {
  const uint32_t predicted = slots_[last_].next;
  if (slots_[predicted].measurement != nullptr && StartsWithSeries(text, slots_[predicted].prefix)) {
    last_ = predicted;
    return &slots_[predicted];
  }
  const size_t length = FindSeriesEnd(text);
  if (length == std::string_view::npos) return nullptr;
  const auto slot = static_cast<uint32_t>(Hash(text.substr(0, length)) & (slots_.size() - 1));
  if (slots_[slot].measurement == nullptr || slots_[slot].prefix != text.substr(0, length)) return nullptr;
  MoveTo(slot);
  return &slots_[slot];
}

void SeriesMemo::Insert(std::string_view prefix, Measurement* measurement, const std::vector<SeriesTag>& tags) {
  if (tags_.size() + tags.size() > kMaxTags) return;
  const auto slot = static_cast<uint32_t>(Hash(prefix) & (slots_.size() - 1));
  slots_[slot] = {.prefix = prefix,
                  .measurement = measurement,
                  .first_tag = tags_.size(),
                  .tag_count = tags.size(),
                  .next = slots_[slot].next};
  tags_.insert(tags_.end(), tags.begin(), tags.end());
  MoveTo(slot);
}

void SeriesMemo::MoveTo(uint32_t slot) {
  slots_[last_].next = slot;
  last_ = slot;
}

}  // namespace tarn::ingest
