#include "delta/protocol_features.h"

#include <arrow/api.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>

#include "delta/files/type_changes.h"
#include "delta/letter_case.h"
#include "delta/table_properties.h"

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
  /// Whether a table uses it: the protocol must then have it. A feature that is not in use is no obstacle. nullptr
  /// means that only listing it tells.
  bool (*active)(const Metadata& metadata, const arrow::Schema& schema) = nullptr;
  /// Readers must know it, too.
  bool of_readers = false;
};

/// For a feature that a boolean property switches on.
template <const char* kProperty>
bool IsOn(const Metadata& metadata, const arrow::Schema&) {
  return PropertyIsTrue(metadata, kProperty);
}

constexpr char kAppendOnly[] = "delta.appendOnly";
constexpr char kRowTracking[] = "rowTracking";
constexpr char kChangeDataFeed[] = "delta.enableChangeDataFeed";
constexpr char kDeletionVectors[] = "delta.enableDeletionVectors";
constexpr char kInCommitTimestamps[] = "delta.enableInCommitTimestamps";

bool MapsColumns(const Metadata& metadata, const arrow::Schema&) {
  const std::string mode = Property(metadata, "delta.columnMapping.mode");
  return mode == "name" || mode == "id";
}

bool HasZonelessTime(const Metadata&, const arrow::Schema& schema) {
  return AnyField(schema.fields(), [](const arrow::Field& field) {
    const arrow::DataType& type = *field.type();
    return type.id() == arrow::Type::TIMESTAMP && static_cast<const arrow::TimestampType&>(type).timezone().empty();
  });
}

bool WantsV2Checkpoints(const Metadata& metadata, const arrow::Schema&) {
  return Property(metadata, "delta.checkpointPolicy") == "v2";
}

const Feature kFeatures[] = {
    {"appendOnly", 0, 2, true, true, IsOn<kAppendOnly>},
    // Rows are checked where they are written, and what is not understood is refused there.
    {"invariants", 0, 2, true, true,
     [](const Metadata&, const arrow::Schema& schema) { return HasFieldMetadata(schema, "delta.invariants"); }},
    {"checkConstraints", 0, 3, true, true,
     [](const Metadata& metadata, const arrow::Schema&) { return HasPropertyPrefix(metadata, "delta.constraints."); }},
    // Appends and removals of whole files need no change files; changes of single rows are refused where they are made.
    {"changeDataFeed", 0, 4, true, true, IsOn<kChangeDataFeed>},
    {"generatedColumns", 0, 4, true, false,
     [](const Metadata&, const arrow::Schema& schema) {
       return HasFieldMetadata(schema, "delta.generationExpression");
     }},
    {"columnMapping", 2, 5, true, true, MapsColumns, /*of_readers=*/true},
    {"identityColumns", 0, 6, true, false,
     [](const Metadata&, const arrow::Schema& schema) { return HasFieldMetadata(schema, "delta.identity.start"); }},
    {"timestampNtz", 0, 0, true, true, HasZonelessTime, /*of_readers=*/true},
    {.name = "timestampWithoutTimezone", .of_readers = true},
    {.name = "vacuumProtocolCheck", .of_readers = true},
    {"domainMetadata"},
    {"inCommitTimestamp", 0, 0, true, true, IsOn<kInCommitTimestamps>},
    {"deletionVectors", 0, 0, true, true, IsOn<kDeletionVectors>, /*of_readers=*/true},
    // A checkpoint of this kind is refused where the log needs it; writers may use classic ones.
    {"v2Checkpoint", 0, 0, true, true, WantsV2Checkpoints, /*of_readers=*/true},
    // Changes that are none of the feature's are refused by column.
    {.name = "typeWidening", .of_readers = true},
    {.name = "typeWidening-preview", .of_readers = true},
    // Variant columns are refused where the schema names their type.
    {.name = "variantType", .write = false, .of_readers = true},
    {.name = "variantType-preview", .write = false, .of_readers = true},
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
    {kRowTracking, 0, 0, true, false, nullptr},
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
  // Where it is suspended no writer gives rows their ids.
  if (feature.name == kRowTracking) {
    return !PropertyIsTrue(metadata, "delta.rowTrackingSuspended") ||
           PropertyIsTrue(metadata, "delta.enableRowTracking");
  }
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

bool Lists(const std::optional<std::vector<std::string>>& features, std::string_view name) {
  return features.has_value() && std::find(features->begin(), features->end(), name) != features->end();
}

/// Whether every reader and every writer of such a table knows the feature.
bool Supports(const Protocol& protocol, const Feature& feature) {
  const auto implies = [](int legacy, int version) { return legacy > 0 && version >= legacy; };
  const bool writers = protocol.min_writer_version >= kMaxWriterVersion
                           ? Lists(protocol.writer_features, feature.name)
                           : implies(feature.legacy_writer, protocol.min_writer_version);
  if (!feature.of_readers) return writers;
  return writers && (protocol.min_reader_version >= kMaxReaderVersion
                         ? Lists(protocol.reader_features, feature.name)
                         : implies(feature.legacy_reader, protocol.min_reader_version));
}

std::vector<std::string> ReaderFeaturesAmong(const std::set<std::string>& features) {
  std::vector<std::string> readers;
  for (const std::string& name : features) {
    const Feature* feature = FindFeature(name);
    if (feature != nullptr && feature->of_readers) readers.push_back(name);
  }
  return readers;
}

/// The protocol that lists these features.
Protocol Listing(const std::set<std::string>& features, int reader_version) {
  Protocol protocol;
  protocol.min_reader_version = reader_version;
  protocol.min_writer_version = kMaxWriterVersion;
  protocol.writer_features.emplace(features.begin(), features.end());
  if (reader_version == kMaxReaderVersion) protocol.reader_features = ReaderFeaturesAmong(features);
  return protocol;
}

/// A feature that a table may come to have; previews and the old name of another one are kept where they are.
Result<const Feature*> FindForRaise(const std::string& name) {
  const Feature* feature = FindFeature(name);
  if (feature == nullptr) return Status::Unsupported("there is no table feature '" + name + "' that is known here");
  const bool outdated = name.ends_with("-preview") || name == "timestampWithoutTimezone";
  if (outdated || (!feature->write && feature->active == nullptr)) {
    return Status::Unsupported("the table feature " + name + " cannot be added to a table");
  }
  return feature;
}

}  // namespace

std::set<std::string> FeaturesInUse(const Metadata& metadata, const arrow::Schema& schema) {
  std::set<std::string> features;
  for (const Feature& feature : kFeatures) {
    if (feature.active != nullptr && feature.active(metadata, schema)) features.emplace(feature.name);
  }
  return features;
}

Result<Protocol> RaiseFor(const Protocol& protocol, const std::set<std::string>& features) {
  Protocol raised = protocol;
  bool needs_lists = protocol.min_writer_version >= kMaxWriterVersion;
  bool lacks_any = false;
  for (const std::string& name : features) {
    TARN_ASSIGN_OR_RETURN(const Feature* feature, FindForRaise(name));
    if (Supports(protocol, *feature)) continue;
    lacks_any = true;
    if (feature->legacy_writer == 0) needs_lists = true;
    raised.min_reader_version = std::max(raised.min_reader_version, feature->legacy_reader);
    raised.min_writer_version = std::max(raised.min_writer_version, feature->legacy_writer);
  }
  if (!lacks_any || !needs_lists) return raised;
  std::set<std::string> all = FeaturesOf(protocol);
  all.insert(features.begin(), features.end());
  const bool for_readers = protocol.min_reader_version >= kMaxReaderVersion || !ReaderFeaturesAmong(all).empty();
  return Listing(all, for_readers ? kMaxReaderVersion : protocol.min_reader_version);
}

Result<Protocol> UpgradeTo(const Protocol& protocol, int reader_version, int writer_version) {
  const auto pair = [](int reader, int writer) { return std::to_string(reader) + "," + std::to_string(writer); };
  const std::string wanted = "the protocol " + pair(reader_version, writer_version);
  if (reader_version < 1 || reader_version > kMaxReaderVersion || writer_version < 2 ||
      writer_version > kMaxWriterVersion) {
    return Status::InvalidArgument(wanted + " does not exist: readers have 1 to 3, writers 2 to 7");
  }
  if (reader_version == kMaxReaderVersion && writer_version < kMaxWriterVersion) {
    return Status::InvalidArgument(wanted + " does not exist: reader version 3 requires writer version 7");
  }
  if (reader_version == 2 && writer_version < 5) {
    return Status::InvalidArgument(wanted + " does not exist: reader version 2 requires writer version 5");
  }
  if (reader_version < protocol.min_reader_version || writer_version < protocol.min_writer_version) {
    return Status::InvalidArgument("the table has the protocol " +
                                   pair(protocol.min_reader_version, protocol.min_writer_version) +
                                   ", which cannot be lowered to " + pair(reader_version, writer_version));
  }
  if (reader_version == protocol.min_reader_version && writer_version == protocol.min_writer_version) return protocol;
  if (writer_version == kMaxWriterVersion) return Listing(FeaturesOf(protocol), reader_version);
  Protocol upgraded;
  upgraded.min_reader_version = reader_version;
  upgraded.min_writer_version = writer_version;
  return upgraded;
}

std::string FeatureName(const std::string& name) {
  for (const Feature& feature : kFeatures) {
    if (SameButForCase(feature.name, name)) return std::string(feature.name);
  }
  return name;
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

std::vector<std::string> ReaderFeaturesOf(const Protocol& protocol) {
  std::vector<std::string> features;
  for (const Feature& feature : kFeatures) {
    if (!feature.of_readers) continue;
    const bool implied = feature.legacy_reader > 0 && protocol.min_reader_version < kMaxReaderVersion &&
                         protocol.min_reader_version >= feature.legacy_reader;
    if (implied || Lists(protocol.reader_features, feature.name)) features.emplace_back(feature.name);
  }
  return features;
}

Status CheckMayDelete(const Metadata& metadata) {
  if (!PropertyIsTrue(metadata, "delta.appendOnly")) return Status::Ok();
  return Status::PermissionDenied("the table is append-only (delta.appendOnly)");
}

bool PropertyIsTrue(const Metadata& metadata, const std::string& key) {
  return SameButForCase(Property(metadata, key), "true");
}

int64_t PropertyNumber(const Metadata& metadata, const std::string& key, int64_t otherwise) {
  const auto found = metadata.configuration.find(key);
  if (found == metadata.configuration.end()) return otherwise;
  const std::string& text = found->second;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number && CheckPropertyValue(key, text).ok() ? number : otherwise;
}

namespace {

/// PROTOCOL.md, "Table Features": lists of readers' features stand beside those of writers, which name them, too.
Status CheckConsistent(const Protocol& protocol) {
  if (protocol.min_reader_version != kMaxReaderVersion || !protocol.reader_features.has_value()) return Status::Ok();
  if (protocol.min_writer_version < kMaxWriterVersion) {
    return Status::Corruption(
        "the protocol has reader version 3, which requires writer version 7, but writer version " +
        std::to_string(protocol.min_writer_version));
  }
  for (const std::string& feature : *protocol.reader_features) {
    if (protocol.writer_features.has_value() && !Lists(protocol.writer_features, feature)) {
      return Status::Corruption("the protocol lists the feature " + feature + " for readers but not for writers");
    }
  }
  return Status::Ok();
}

}  // namespace

Status CheckReadable(const Protocol& protocol, const Metadata& metadata, const arrow::Schema& schema) {
  TARN_RETURN_NOT_OK(CheckTypeChanges(schema));
  const int version = protocol.min_reader_version;
  if (version > kMaxReaderVersion) {
    return Status::Unsupported("the table needs reader version " + std::to_string(version) +
                               "; the newest known one is " + std::to_string(kMaxReaderVersion));
  }
  TARN_RETURN_NOT_OK(CheckConsistent(protocol));
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
