#pragma once

#include <functional>
#include <utility>

#include "delta/log/commit_json.h"

namespace tarn::delta {

/// Hands over each tombstone of some lines of a log.
class RemoveVisitor final : public ActionVisitor {
 public:
  explicit RemoveVisitor(std::function<Status(const Remove&)> visit) : visit_(std::move(visit)) {}

  Status OnRemove(const RemoveRecord& record) override {
    Remove remove;
    remove.path = record.path;
    remove.deletion_timestamp_millis = record.deletion_timestamp_millis;
    remove.data_change = record.data_change;
    remove.extended_file_metadata = record.extended_file_metadata;
    TARN_ASSIGN_OR_RETURN(remove.partition_values, ParsePartitionValuesObject(record.partition_values));
    remove.size_bytes = record.size_bytes;
    remove.deletion_vector = record.deletion_vector;
    return visit_(remove);
  }

 private:
  const std::function<Status(const Remove&)> visit_;
};

}  // namespace tarn::delta
