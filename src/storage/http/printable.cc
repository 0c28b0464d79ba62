#include "storage/http/printable.h"

#include <algorithm>

namespace tarn::storage::internal {

namespace {

constexpr size_t kShownMessageBytes = 300;

}  // namespace

std::string Printable(std::string_view text) {
  std::string out(text.substr(0, kShownMessageBytes));
  std::replace_if(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  return out;
}

}  // namespace tarn::storage::internal
