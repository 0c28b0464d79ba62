#include "delta/log/last_checkpoint.h"

#include <simdjson.h>

#include "base/log.h"
#include "delta/log/log_names.h"

namespace tarn::delta {

namespace {

/// A hint is a few hundred bytes; anything much larger is not one.
constexpr size_t kMaxHintBytes = 16 << 20;

}  // namespace

std::optional<LastCheckpoint> ParseLastCheckpoint(std::string_view text) {
  if (text.size() > kMaxHintBytes) return std::nullopt;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  LastCheckpoint hint;
  int64_t number = 0;
  if (root["version"].get_int64().get(hint.version) != simdjson::SUCCESS || hint.version < 0) return std::nullopt;
  if (root["size"].get_int64().get(number) == simdjson::SUCCESS) hint.size = number;
  if (root["parts"].get_int64().get(number) == simdjson::SUCCESS) hint.parts = number;
  return hint;
}

std::optional<LastCheckpoint> ReadLastCheckpoint(storage::ObjectStore& store) {
  const auto text = store.Get(kLastCheckpointKey);
  if (!text.ok()) return std::nullopt;
  const auto hint = ParseLastCheckpoint(*text);
  if (!hint.has_value()) {
    Log(LogLevel::kWarning, "the hint at the last checkpoint cannot be read, and the whole log is listed",
        {{"table", store.uri()}, {"file", kLastCheckpointKey}});
  }
  return hint;
}

}  // namespace tarn::delta
