#include "delta/log/last_checkpoint.h"

#include <simdjson.h>

#include "base/log.h"
#include "delta/log/log_names.h"
#include "storage/get_at_most.h"

namespace tarn::delta {

std::optional<LastCheckpoint> ParseLastCheckpoint(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  LastCheckpoint hint;
  int64_t number = 0;
  if (root["version"].get_int64().get(hint.version) != simdjson::SUCCESS || hint.version < 0) return std::nullopt;
  if (root["size"].get_int64().get(number) == simdjson::SUCCESS) hint.size = number;
  if (root["parts"].get_int64().get(number) == simdjson::SUCCESS) hint.parts = number;
  std::string_view path;
  if (root["v2Checkpoint"]["path"].get_string().get(path) == simdjson::SUCCESS) {
    const std::string_view file = path.substr(path.rfind('/') + 1);
    const auto name = ParseLogName(file);
    if (name.has_value() && name->kind == LogName::Kind::kUuidCheckpoint && name->version == hint.version) {
      hint.manifest = file;
    }
  }
  return hint;
}

Result<std::optional<LastCheckpoint>> FindLastCheckpoint(storage::ObjectStore& store) {
  const auto text = storage::GetAtMost(store, kLastCheckpointKey, kMaxHintBytes);
  if (text.status().Is(StatusCode::kNotFound)) return std::optional<LastCheckpoint>();
  if (!text.ok() && !text.status().Is(StatusCode::kResourceExhausted)) return text.status();
  auto hint = text.ok() ? ParseLastCheckpoint(*text) : std::nullopt;
  if (!hint.has_value()) {
    Log(LogLevel::kWarning, "the hint at the last checkpoint cannot be read and is passed over",
        {{"table", store.uri()}, {"file", kLastCheckpointKey}});
  }
  return hint;
}

std::optional<LastCheckpoint> ReadLastCheckpoint(storage::ObjectStore& store) {
  auto hint = FindLastCheckpoint(store);
  return hint.ok() ? *std::move(hint) : std::nullopt;
}

}  // namespace tarn::delta
