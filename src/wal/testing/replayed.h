#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wal/wal.h"

namespace tarn::wal::testing {

/// A record whose payload the caller keeps.
inline NewRecord Record(std::shared_ptr<const SchemaEntry> schema, std::string_view payload, std::string key = {}) {
  return {std::move(schema), std::move(key), {AsBytes(payload)}};
}

/// Keeps what a log replays, each record as "position:schema:key:payload".
class Replayed {
 public:
  std::function<Status(const ReplayedRecord&)> visitor() {
    return [this](const ReplayedRecord& record) {
      records.push_back(std::to_string(record.position) + ":" + record.schema.bytes + ":" +
                        std::string(record.idempotency_key) + ":" + std::string(AsText(record.payload)));
      return Status::Ok();
    };
  }
  std::vector<std::string> records;
};

}  // namespace tarn::wal::testing
