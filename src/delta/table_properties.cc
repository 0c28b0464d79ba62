#include "delta/table_properties.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace tarn::delta {
namespace {

constexpr std::string_view kPrefix = "delta.";

/// Those that the protocol or its common writers give a meaning, and that a user may set.
constexpr std::array kNames = {
    std::string_view("delta.appendOnly"),
    std::string_view("delta.checkpoint.writeStatsAsJson"),
    std::string_view("delta.checkpoint.writeStatsAsStruct"),
    std::string_view("delta.checkpointInterval"),
    std::string_view("delta.checkpointPolicy"),
    std::string_view("delta.columnMapping.mode"),
    std::string_view("delta.dataSkippingNumIndexedCols"),
    std::string_view("delta.dataSkippingStatsColumns"),
    std::string_view("delta.deletedFileRetentionDuration"),
    std::string_view("delta.enableChangeDataFeed"),
    std::string_view("delta.enableDeletionVectors"),
    std::string_view("delta.enableExpiredLogCleanup"),
    std::string_view("delta.enableInCommitTimestamps"),
    std::string_view("delta.isolationLevel"),
    std::string_view("delta.logRetentionDuration"),
    std::string_view("delta.setTransactionRetentionDuration"),
};

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

Result<std::string> PropertyName(std::string_view name) {
  if (!SameIgnoringCase(name.substr(0, kPrefix.size()), kPrefix)) return std::string(name);
  for (const std::string_view known : kNames) {
    if (SameIgnoringCase(name, known)) return std::string(known);
  }
  return Status::InvalidArgument("there is no table property '" + std::string(name) + "' to set");
}

}  // namespace tarn::delta
