#include "delta/table_properties.h"

#include <array>
#include <charconv>

#include "delta/constraints.h"
#include "delta/letter_case.h"
#include "delta/log/interval.h"
#include "delta/protocol_features.h"

namespace tarn::delta {
namespace {

constexpr std::string_view kPrefix = "delta.";
constexpr std::string_view kFeaturePrefix = "delta.feature.";

/// Each says whether the text is such a value.
bool IsBoolean(std::string_view text) { return SameButForCase(text, "true") || SameButForCase(text, "false"); }

template <int64_t kLeast>
bool IsNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= kLeast;
}

bool IsDuration(std::string_view text) { return ParseIntervalMillis(text).ok(); }
bool IsCheckpointPolicy(std::string_view text) { return text == "classic" || text == "v2"; }
bool IsMappingMode(std::string_view text) { return text == "none" || text == "name" || text == "id"; }
bool IsIsolationLevel(std::string_view text) {
  return SameButForCase(text, "Serializable") || SameButForCase(text, "WriteSerializable");
}
bool IsAnything(std::string_view) { return true; }

constexpr std::string_view kBoolean = "true or false";

struct Property {
  std::string_view name;
  bool (*takes)(std::string_view value);
  /// What it takes, in words.
  std::string_view values;
};

/// Those that the protocol or its common writers give a meaning, and that a user may set.
constexpr std::array kProperties = {
    Property{"delta.appendOnly", IsBoolean, kBoolean},
    Property{"delta.checkpoint.writeStatsAsJson", IsBoolean, kBoolean},
    Property{"delta.checkpoint.writeStatsAsStruct", IsBoolean, kBoolean},
    Property{"delta.checkpointInterval", IsNumber<1>, "a number of commits, at least 1"},
    Property{"delta.checkpointPolicy", IsCheckpointPolicy, "classic or v2"},
    Property{"delta.columnMapping.mode", IsMappingMode, "none, name or id"},
    Property{"delta.dataSkippingNumIndexedCols", IsNumber<-1>, "a number of columns, or -1 for all"},
    Property{"delta.dataSkippingStatsColumns", IsAnything, ""},
    Property{"delta.deletedFileRetentionDuration", IsDuration, kIntervalForm},
    Property{"delta.enableChangeDataFeed", IsBoolean, kBoolean},
    Property{"delta.enableDeletionVectors", IsBoolean, kBoolean},
    Property{"delta.enableExpiredLogCleanup", IsBoolean, kBoolean},
    Property{"delta.enableInCommitTimestamps", IsBoolean, kBoolean},
    Property{"delta.isolationLevel", IsIsolationLevel, "Serializable or WriteSerializable"},
    Property{"delta.logRetentionDuration", IsDuration, kIntervalForm},
    Property{"delta.setTransactionRetentionDuration", IsDuration, kIntervalForm},
};

/// Others of Delta's that users may look for.
constexpr std::string_view kUnsupported[] = {
    "delta.autoOptimize.autoCompact",
    "delta.autoOptimize.optimizeWrite",
    "delta.compatibility.symlinkFormatManifest.enabled",
    "delta.enableIcebergCompatV1",
    "delta.enableIcebergCompatV2",
    "delta.enableIcebergCompatV3",
    "delta.enableRowTracking",
    "delta.enableTypeWidening",
    "delta.enableVariantShredding",
    "delta.parquet.compression.codec",
    "delta.randomizeFilePrefixes",
    "delta.targetFileSize",
    "delta.tuneFileSizesForRewrites",
    "delta.universalFormat.enabledFormats",
};

}  // namespace

Result<std::string> PropertyName(std::string_view name) {
  if (name.empty()) return Status::InvalidArgument("a table property needs a name");
  if (SameButForCase(name.substr(0, kConstraintPrefix.size()), kConstraintPrefix)) {
    return Status::InvalidArgument("'" + std::string(name) +
                                   "' is a constraint, which is not set but added and dropped (tarn table alter "
                                   "--add-constraint, --drop-constraint)");
  }
  if (!SameButForCase(name.substr(0, kPrefix.size()), kPrefix)) return std::string(name);
  if (SameButForCase(name.substr(0, kFeaturePrefix.size()), kFeaturePrefix)) {
    return std::string(kFeaturePrefix) + std::string(name.substr(kFeaturePrefix.size()));
  }
  for (const Property& property : kProperties) {
    if (SameButForCase(name, property.name)) return std::string(property.name);
  }
  for (const std::string_view property : kUnsupported) {
    if (SameButForCase(name, property)) {
      return Status::Unsupported("the table property '" + std::string(property) + "' is not supported");
    }
  }
  return Status::InvalidArgument("there is no table property '" + std::string(name) + "' to set");
}

Status CheckPropertyValue(const std::string& name, const std::string& value) {
  for (const Property& property : kProperties) {
    if (name != property.name || property.takes(value)) continue;
    return Status::InvalidArgument("the table property " + name + " takes " + std::string(property.values) + ", not '" +
                                   value + "'");
  }
  return Status::Ok();
}

Result<std::set<std::string>> TakeFeatures(std::map<std::string, std::string>& properties) {
  std::set<std::string> features;
  for (auto at = properties.begin(); at != properties.end();) {
    if (!at->first.starts_with(kFeaturePrefix)) {
      ++at;
      continue;
    }
    if (at->second != "supported") {
      return Status::InvalidArgument("the table property " + at->first + " takes supported, not '" + at->second + "'");
    }
    features.insert(FeatureName(at->first.substr(kFeaturePrefix.size())));
    at = properties.erase(at);
  }
  return features;
}

}  // namespace tarn::delta
