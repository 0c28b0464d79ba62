#include "delta/protocol_features.h"

#include <arrow/api.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "delta/files/type_changes.h"

namespace tarn::delta {

namespace {

constexpr int kMaxReaderVersion = 3;
constexpr int kMaxWriterVersion = 7;

/// True when any field, nested ones included, has metadata under the key, whether a string or another JSON value.
bool AnyField(const arrow::FieldVector& fields, const std::function<bool(const arrow::Field&)>& holds) {
  return std::any_of(fields.begin(), fields.end(), [&](const std::shared_ptr<arrow::Field>& field) {
    return holds(*field) || AnyField(field->type()->fields(), holds);
  });
}

bool HasFieldMetadata(const arrow::Schema& schema, const std::string& key) {
  return AnyField(schema.fields(), [&](const arrow::Field& field) {
    return field.metadata() != nullptr &&
           (field.metadata()->Contains(key) || field.metadata()->Contains("json:" + key));
  });
}

std::string Property(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.configuration.find(key);
  return found == metadata.configuration.end() ? std::string() : found->second;
}

bool HasPropertyPrefix(const Metadata& metadata, std::string_view prefix) {
  return std::any_of(metadata.configuration.begin(), metadata.configuration.end(),
                     [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

/// What a feature asks of us.
struct Feature {
  std::string_view name;
  /// The first legacy versions that imply it; 0 when only listing brings it.
  int legacy_reader = 0;
  int legacy_writer = 0;
  /// Whether tables that use it can be read and written.
  bool read = true;
  bool write = true;
  /// Whether a table uses it; a feature that is not in use is no obstacle. nullptr means whenever it is listed.
  bool (*active)(const Metadata& metadata, const arrow::Schema& schema) = nullptr;
};

bool Never(const Metadata&, const arrow::Schema&) { return false; }

const Feature kFeatures[] = {
    {"appendOnly", 0, 2, true, true, Never},
    {"invariants", 0, 2, true, false,
     [](const Metadata&, const arrow::Schema& schema) { return HasFieldMetadata(schema, "delta.invariants"); }},
    {"checkConstraints", 0, 3, true, false,
     [](const Metadata& metadata, const arrow::Schema&) { return HasPropertyPrefix(metadata, "delta.constraints."); }},
    // Appends and removals of whole files need no change files; changes of single rows are refused where they are made.
    {"changeDataFeed", 0, 4, true, true, Never},
    {"generatedColumns", 0, 4, true, false,
     [](const Metadata&, const arrow::Schema& schema) {
       return HasFieldMetadata(schema, "delta.generationExpression");
     }},
    {"columnMapping", 2, 5},
    {"identityColumns", 0, 6, true, false,
     [](const Metadata&, const arrow::Schema& schema) { return HasFieldMetadata(schema, "delta.identity.start"); }},
    {"timestampNtz"},
    {"timestampWithoutTimezone"},
    {"vacuumProtocolCheck"},
    {"domainMetadata"},
    {"inCommitTimestamp"},
    {"deletionVectors"},
    // A checkpoint of this kind is refused where the log needs it; writers may use classic ones.
    {"v2Checkpoint", 0, 0, true, true, Never},
    // Changes that are none of the feature's are refused by column.
    {"typeWidening"},
    {"typeWidening-preview"},
    // Variant columns are refused where the schema names their type.
    {"variantType", 0, 0, true, false, nullptr},
    {"variantType-preview", 0, 0, true, false, nullptr},
    {"allowColumnDefaults", 0, 0, true, false,
     [](const Metadata&, const arrow::Schema& schema) { return HasFieldMetadata(schema, "CURRENT_DEFAULT"); }},
    {"icebergCompatV1", 0, 0, true, false,
     [](const Metadata& metadata, const arrow::Schema&) {
       return PropertyIsTrue(metadata, "delta.enableIcebergCompatV1");
     }},
    {"icebergCompatV2", 0, 0, true, false,
     [](const Metadata& metadata, const arrow::Schema&) {
       return PropertyIsTrue(metadata, "delta.enableIcebergCompatV2");
     }},
    {"rowTracking", 0, 0, true, false, nullptr},
    {"clustering", 0, 0, true, false, nullptr},
};

const Feature* FindFeature(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFeatures), std::end(kFeatures),
                                   [&](const Feature& feature) { return feature.name == name; });
  return found == std::end(kFeatures) ? nullptr : found;
}

Status Refuse(std::string_view verb, std::string_view feature) {
  return Status::Unsupported("the table uses the feature " + std::string(feature) + ", which cannot be " +
                             std::string(verb) + " yet");
}

bool IsActive(const Feature& feature, const Metadata& metadata, const arrow::Schema& schema) {
  return feature.active == nullptr || feature.active(metadata, schema);
}

Status CheckListed(const std::vector<std::string>& features, bool writing, const Metadata& metadata,
                   const arrow::Schema& schema) {
  const std::string_view verb = writing ? "written" : "read";
  for (const std::string& name : features) {
    const Feature* feature = FindFeature(name);
    if (feature == nullptr) return Refuse(verb, name);
    if (!(writing ? feature->write : feature->read) && IsActive(*feature, metadata, schema)) return Refuse(verb, name);
  }
  return Status::Ok();
}

Status CheckLegacy(int version, bool writing, const Metadata& metadata, const arrow::Schema& schema) {
  for (const Feature& feature : kFeatures) {
    const int legacy = writing ? feature.legacy_writer : feature.legacy_reader;
    if (legacy == 0 || version < legacy) continue;
    if (!(writing ? feature.write : feature.read) && IsActive(feature, metadata, schema)) {
      return Refuse(writing ? "written" : "read", feature.name);
    }
  }
  return Status::Ok();
}

}  // namespace

Protocol LowestProtocol(const Metadata& metadata) {
  Protocol protocol;
  if (!PropertyIsTrue(metadata, "delta.enableDeletionVectors")) return protocol;
  std::set<std::string> features = FeaturesOf(protocol);
  features.insert("deletionVectors");
  protocol.min_reader_version = kMaxReaderVersion;
  protocol.min_writer_version = kMaxWriterVersion;
  protocol.reader_features = {"deletionVectors"};
  protocol.writer_features.emplace(features.begin(), features.end());
  return protocol;
}

std::set<std::string> FeaturesOf(const Protocol& protocol) {
  std::set<std::string> features;
  for (const auto& listed : {protocol.reader_features, protocol.writer_features}) {
    if (listed.has_value()) features.insert(listed->begin(), listed->end());
  }
  for (const Feature& feature : kFeatures) {
    const bool by_reader = feature.legacy_reader > 0 && protocol.min_reader_version < kMaxReaderVersion &&
                           protocol.min_reader_version >= feature.legacy_reader;
    const bool by_writer = feature.legacy_writer > 0 && protocol.min_writer_version < kMaxWriterVersion &&
                           protocol.min_writer_version >= feature.legacy_writer;
    if (by_reader || by_writer) features.emplace(feature.name);
  }
  return features;
}

Status CheckMayDelete(const Metadata& metadata) {
  if (!PropertyIsTrue(metadata, "delta.appendOnly")) return Status::Ok();
  return Status::PermissionDenied("the table is append-only (delta.appendOnly)");
}

bool PropertyIsTrue(const Metadata& metadata, const std::string& key) {
  std::string value = Property(metadata, key);
  std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
  return value == "true";
}

Status CheckReadable(const Protocol& protocol, const Metadata& metadata, const arrow::Schema& schema) {
  TARN_RETURN_NOT_OK(CheckTypeChanges(schema));
  const int version = protocol.min_reader_version;
  if (version > kMaxReaderVersion) {
    return Status::Unsupported("the table needs reader version " + std::to_string(version) +
                               "; the newest known one is " + std::to_string(kMaxReaderVersion));
  }
  if (version < kMaxReaderVersion) return CheckLegacy(version, /*writing=*/false, metadata, schema);
  if (!protocol.reader_features.has_value()) {
    return Status::Corruption("the protocol has reader version 3 but no readerFeatures");
  }
  return CheckListed(*protocol.reader_features, /*writing=*/false, metadata, schema);
}

Status CheckWritable(const Protocol& protocol, const Metadata& metadata, const arrow::Schema& schema) {
  TARN_RETURN_NOT_OK(CheckReadable(protocol, metadata, schema));
  const int version = protocol.min_writer_version;
  if (version > kMaxWriterVersion) {
    return Status::Unsupported("the table needs writer version " + std::to_string(version) +
                               "; the newest known one is " + std::to_string(kMaxWriterVersion));
  }
  if (version < kMaxWriterVersion) return CheckLegacy(version, /*writing=*/true, metadata, schema);
  if (!protocol.writer_features.has_value()) {
    return Status::Corruption("the protocol has writer version 7 but no writerFeatures");
  }
  return CheckListed(*protocol.writer_features, /*writing=*/true, metadata, schema);
}

}  // namespace tarn::delta
