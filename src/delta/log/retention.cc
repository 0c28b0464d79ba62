#include "delta/log/retention.h"

#include <string>

#include "delta/log/interval.h"
#include "delta/protocol_features.h"

namespace tarn::delta {
namespace {

constexpr int64_t kDayMillis = int64_t{24} * 3600 * 1000;

Result<int64_t> DurationOf(const Metadata& metadata, const std::string& property, int64_t otherwise) {
  const auto found = metadata.configuration.find(property);
  if (found == metadata.configuration.end()) return otherwise;
  Result<int64_t> millis = ParseIntervalMillis(found->second);
  if (!millis.ok()) return millis.status().WithContext("the property " + property);
  return millis;
}

}  // namespace

Result<int64_t> DeletedFileRetentionMillis(const Metadata& metadata) {
  return DurationOf(metadata, "delta.deletedFileRetentionDuration", 7 * kDayMillis);
}

Result<int64_t> LogRetentionMillis(const Metadata& metadata) {
  return DurationOf(metadata, "delta.logRetentionDuration", 30 * kDayMillis);
}

bool LogCleanupEnabled(const Metadata& metadata) {
  const std::string property = "delta.enableExpiredLogCleanup";
  return !metadata.configuration.contains(property) || PropertyIsTrue(metadata, property);
}

}  // namespace tarn::delta
