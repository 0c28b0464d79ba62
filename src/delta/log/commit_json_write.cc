#include "delta/log/commit_json.h"

namespace tarn::delta {

namespace {

/// Writes the fields of one JSON object, commas included.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void Close() { out_ += '}'; }

  void Key(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    AppendJsonString(out_, key);
    out_ += ':';
  }
  void Raw(std::string_view key, std::string_view json) {
    Key(key);
    out_ += json;
  }
  void Text(std::string_view key, std::string_view text) {
    Key(key);
    AppendJsonString(out_, text);
  }
  void Number(std::string_view key, int64_t number) { Raw(key, std::to_string(number)); }
  void Bool(std::string_view key, bool value) { Raw(key, value ? "true" : "false"); }
  void Texts(std::string_view key, const std::vector<std::string>& texts) {
    Key(key);
    out_ += '[';
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i > 0) out_ += ',';
      AppendJsonString(out_, texts[i]);
    }
    out_ += ']';
  }
  void TextMap(std::string_view key, const std::map<std::string, std::string>& map) {
    Key(key);
    ObjectWriter object(out_);
    for (const auto& [name, text] : map) object.Text(name, text);
    object.Close();
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void WritePartitionValues(std::string& out, ObjectWriter& parent, const PartitionValues& values) {
  parent.Key("partitionValues");
  ObjectWriter object(out);
  for (const auto& [column, value] : values) {
    if (value.has_value()) {
      object.Text(column, *value);
    } else {
      object.Raw(column, "null");
    }
  }
  object.Close();
}

void WriteDeletionVector(std::string& out, ObjectWriter& parent, const DeletionVector& vector) {
  parent.Key("deletionVector");
  ObjectWriter object(out);
  object.Text("storageType", std::string_view(&vector.storage_type, 1));
  object.Text("pathOrInlineDv", vector.path_or_inline);
  if (vector.offset.has_value()) object.Number("offset", *vector.offset);
  object.Number("sizeInBytes", vector.size_in_bytes);
  object.Number("cardinality", vector.cardinality);
  object.Close();
}

template <typename Write>
void Object(std::string& out, Write&& write) {
  ObjectWriter object(out);
  write(object);
  object.Close();
}

/// Writes `{"<action>":{…}}` and a newline; `write` fills the inner object.
template <typename Write>
void Line(std::string& out, std::string_view action, Write&& write) {
  ObjectWriter line(out);
  line.Key(action);
  Object(out, write);
  line.Close();
  out += '\n';
}

/// The same for an action that is written alone as well.
template <typename Action>
void LineOf(std::string& out, std::string_view name, const Action& action) {
  ObjectWriter line(out);
  line.Key(name);
  AppendObject(out, action);
  line.Close();
  out += '\n';
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr std::string_view kNamed = "\"\\\n\r\t";
  static constexpr std::string_view kNames = "\"\\nrt";
  out += '"';
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out += text.substr(copied, i - copied);
    copied = i + 1;
    if (const size_t name = kNamed.find(text[i]); name != std::string_view::npos) {
      out += '\\';
      out += kNames[name];
    } else {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += text.substr(copied);
  out += '"';
}

std::string JsonList(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) {
    if (json.size() > 1) json += ',';
    AppendJsonString(json, text);
  }
  return json + ']';
}

void AppendObject(std::string& out, const Protocol& protocol) {
  Object(out, [&](ObjectWriter& object) {
    object.Number("minReaderVersion", protocol.min_reader_version);
    object.Number("minWriterVersion", protocol.min_writer_version);
    if (protocol.reader_features.has_value()) object.Texts("readerFeatures", *protocol.reader_features);
    if (protocol.writer_features.has_value()) object.Texts("writerFeatures", *protocol.writer_features);
  });
}

void AppendObject(std::string& out, const Metadata& metadata) {
  Object(out, [&](ObjectWriter& object) {
    object.Text("id", metadata.id);
    if (metadata.name.has_value()) object.Text("name", *metadata.name);
    if (metadata.description.has_value()) object.Text("description", *metadata.description);
    object.Raw("format", R"({"provider":"parquet","options":{}})");
    object.Text("schemaString", metadata.schema_string);
    object.Texts("partitionColumns", metadata.partition_columns);
    object.TextMap("configuration", metadata.configuration);
    if (metadata.created_time_millis.has_value()) object.Number("createdTime", *metadata.created_time_millis);
  });
}

void AppendLine(std::string& out, const Protocol& protocol) { LineOf(out, "protocol", protocol); }
void AppendLine(std::string& out, const Metadata& metadata) { LineOf(out, "metaData", metadata); }
void AppendLine(std::string& out, const Txn& txn) { LineOf(out, "txn", txn); }
void AppendLine(std::string& out, const DomainMetadata& domain) { LineOf(out, "domainMetadata", domain); }

void AppendLine(std::string& out, const Add& add) {
  Line(out, "add", [&](ObjectWriter& object) {
    object.Text("path", add.path);
    WritePartitionValues(out, object, add.partition_values);
    object.Number("size", add.size_bytes);
    object.Number("modificationTime", add.modification_time_millis);
    object.Bool("dataChange", add.data_change);
    if (!add.stats.empty()) object.Text("stats", add.stats);
    if (!add.tags.empty()) object.TextMap("tags", add.tags);
    if (add.deletion_vector.has_value()) WriteDeletionVector(out, object, *add.deletion_vector);
  });
}

void AppendLine(std::string& out, const Remove& remove) {
  Line(out, "remove", [&](ObjectWriter& object) {
    object.Text("path", remove.path);
    if (remove.deletion_timestamp_millis.has_value()) {
      object.Number("deletionTimestamp", *remove.deletion_timestamp_millis);
    }
    object.Bool("dataChange", remove.data_change);
    // The protocol ties the flag to these three fields being present.
    const bool extended = remove.extended_file_metadata && remove.size_bytes.has_value();
    object.Bool("extendedFileMetadata", extended);
    if (extended) {
      WritePartitionValues(out, object, remove.partition_values);
      object.Number("size", *remove.size_bytes);
    }
    if (remove.deletion_vector.has_value()) WriteDeletionVector(out, object, *remove.deletion_vector);
  });
}

void AppendObject(std::string& out, const Txn& txn) {
  Object(out, [&](ObjectWriter& object) {
    object.Text("appId", txn.app_id);
    object.Number("version", txn.version);
    if (txn.last_updated_millis.has_value()) object.Number("lastUpdated", *txn.last_updated_millis);
  });
}

void AppendObject(std::string& out, const DomainMetadata& domain) {
  Object(out, [&](ObjectWriter& object) {
    object.Text("domain", domain.domain);
    object.Text("configuration", domain.configuration);
    object.Bool("removed", domain.removed);
  });
}

void AppendLine(std::string& out, const CommitInfo& info) {
  Line(out, "commitInfo", [&](ObjectWriter& object) {
    if (info.in_commit_timestamp_millis.has_value()) {
      object.Number("inCommitTimestamp", *info.in_commit_timestamp_millis);
    }
    object.Number("timestamp", info.timestamp_millis);
    object.Text("operation", info.operation);
    object.TextMap("operationParameters", info.operation_parameters);
    if (info.read_version.has_value()) object.Number("readVersion", *info.read_version);
    if (!info.isolation_level.empty()) object.Text("isolationLevel", info.isolation_level);
    if (info.is_blind_append.has_value()) object.Bool("isBlindAppend", *info.is_blind_append);
    if (!info.operation_metrics.empty()) object.TextMap("operationMetrics", info.operation_metrics);
    object.Text("engineInfo", info.engine_info);
    object.Text("txnId", info.txn_id);
  });
}

}  // namespace tarn::delta
