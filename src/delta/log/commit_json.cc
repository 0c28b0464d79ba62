#include "delta/log/commit_json.h"

#include <simdjson.h>

#include <charconv>
#include <cstring>

namespace tarn::delta {

namespace {

namespace ondemand = simdjson::ondemand;

static_assert(kLinePadding >= simdjson::SIMDJSON_PADDING);

Status BadJson(simdjson::error_code error) {
  return Status::Corruption(std::string("malformed JSON: ") + simdjson::error_message(error));
}

Status BadField(std::string_view action, std::string_view field) {
  return Status::Corruption("the field " + std::string(field) + " of " + std::string(action) + " is missing or wrong");
}

#define TARN_JSON(expression)                                       \
  do {                                                              \
    if (const simdjson::error_code _error = (expression); _error) { \
      return BadJson(_error);                                       \
    }                                                               \
  } while (false)

/// Calls `visit(key, value)` for every field whose value is not null; `visit` returns a Status and may leave the value
/// unread.
template <typename Visit>
Status ForEachField(ondemand::object& object, Visit&& visit) {
  for (auto field_result : object) {
    ondemand::field field;
    TARN_JSON(std::move(field_result).get(field));
    std::string_view key;
    TARN_JSON(field.unescaped_key().get(key));
    ondemand::value& value = field.value();
    ondemand::json_type type;
    TARN_JSON(value.type().get(type));
    if (type == ondemand::json_type::null) {
      // Reading it catches a misspelt literal.
      bool is_null = false;
      TARN_JSON(simdjson::simdjson_result<bool>(value.is_null()).get(is_null));
      if (!is_null) return Status::Corruption("malformed JSON: not a literal");
      continue;
    }
    TARN_RETURN_NOT_OK(visit(key, value));
  }
  return Status::Ok();
}

Status GetObject(ondemand::value& value, ondemand::object& object) {
  TARN_JSON(value.get_object().get(object));
  return Status::Ok();
}

Status GetString(ondemand::value& value, std::string_view& out) {
  TARN_JSON(value.get_string().get(out));
  return Status::Ok();
}

Status GetString(ondemand::value& value, std::string& out) {
  std::string_view text;
  TARN_RETURN_NOT_OK(GetString(value, text));
  out = text;
  return Status::Ok();
}

template <typename Target>
Status GetInt64(ondemand::value& value, Target& out) {
  int64_t number = 0;
  const simdjson::error_code error = value.get_int64().get(number);
  if (error == simdjson::SUCCESS) {
    out = number;
    return Status::Ok();
  }
  // Some writers put integers as 1.0 or 1e3.
  double real = 0;
  TARN_JSON(value.get_double().get(real));
  if (!(real >= -9.2e18 && real <= 9.2e18) || static_cast<double>(static_cast<int64_t>(real)) != real) {
    return BadJson(simdjson::NUMBER_ERROR);
  }
  out = static_cast<int64_t>(real);
  return Status::Ok();
}

template <typename Target>
Status GetInt32(ondemand::value& value, Target& out) {
  int64_t number = 0;
  TARN_RETURN_NOT_OK(GetInt64(value, number));
  if (number < INT32_MIN || number > INT32_MAX) return BadJson(simdjson::NUMBER_OUT_OF_RANGE);
  out = static_cast<int32_t>(number);
  return Status::Ok();
}

Status GetBool(ondemand::value& value, bool& out) {
  TARN_JSON(value.get_bool().get(out));
  return Status::Ok();
}

Status GetRawObject(ondemand::value& value, std::string_view& out) {
  ondemand::object object;
  TARN_RETURN_NOT_OK(GetObject(value, object));
  TARN_JSON(object.raw_json().get(out));
  return Status::Ok();
}

Status GetStringList(ondemand::value& value, std::vector<std::string>& out) {
  ondemand::array array;
  TARN_JSON(value.get_array().get(array));
  for (auto element_result : array) {
    std::string_view text;
    TARN_JSON(element_result.get_string().get(text));
    out.emplace_back(text);
  }
  return Status::Ok();
}

Status GetStringMap(ondemand::value& value, std::map<std::string, std::string>& out) {
  ondemand::object object;
  TARN_RETURN_NOT_OK(GetObject(value, object));
  return ForEachField(object, [&](std::string_view key, ondemand::value& element) -> Status {
    std::string name(key);
    ondemand::json_type type;
    TARN_JSON(element.type().get(type));
    if (type == ondemand::json_type::string) return GetString(element, out[name]);
    std::string_view raw;
    TARN_JSON(simdjson::to_json_string(element).get(raw));
    out[name] = raw;
    return Status::Ok();
  });
}

/// The token of a string value without what follows its closing quote.
std::string_view StringToken(ondemand::value& value) {
  std::string_view token = value.raw_json_token();
  const size_t last = token.rfind('"');
  return last == std::string_view::npos ? std::string_view() : token.substr(0, last + 1);
}

Status ParseDeletionVector(ondemand::value& value, DeletionVector& out) {
  ondemand::object object;
  TARN_RETURN_NOT_OK(GetObject(value, object));
  bool has_type = false;
  bool has_path = false;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& field) -> Status {
    if (key == "storageType") {
      std::string_view text;
      TARN_RETURN_NOT_OK(GetString(field, text));
      if (text.size() != 1) return BadField("deletionVector", "storageType");
      out.storage_type = text[0];
      has_type = true;
    } else if (key == "pathOrInlineDv") {
      has_path = true;
      return GetString(field, out.path_or_inline);
    } else if (key == "offset") {
      return GetInt32(field, out.offset);
    } else if (key == "sizeInBytes") {
      return GetInt32(field, out.size_in_bytes);
    } else if (key == "cardinality") {
      return GetInt64(field, out.cardinality);
    }
    return Status::Ok();
  }));
  if (!has_type || !has_path) return BadField("deletionVector", "storageType or pathOrInlineDv");
  return Status::Ok();
}

/// An `add`, or a `cdc`, whose fields are some of it. The size is -1 where there is none.
Status ParseFile(ondemand::object& object, std::string_view action, AddRecord& add) {
  add.size_bytes = -1;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "path") return GetString(value, add.path);
    if (key == "partitionValues") return GetRawObject(value, add.partition_values);
    if (key == "size") return GetInt64(value, add.size_bytes);
    if (key == "modificationTime") return GetInt64(value, add.modification_time_millis);
    if (key == "dataChange") return GetBool(value, add.data_change);
    if (key == "stats") {
      ondemand::json_type type;
      TARN_JSON(value.type().get(type));
      if (type == ondemand::json_type::string) add.stats_token = StringToken(value);
      return Status::Ok();
    }
    if (key == "tags") return GetRawObject(value, add.tags);
    if (key == "deletionVector") return ParseDeletionVector(value, add.deletion_vector.emplace());
    return Status::Ok();
  }));
  return add.path.empty() ? BadField(action, "path") : Status::Ok();
}

Status ParseAdd(ondemand::object& object, ActionVisitor& visitor) {
  AddRecord add;
  TARN_RETURN_NOT_OK(ParseFile(object, "add", add));
  if (add.size_bytes < 0) return BadField("add", "size");
  return visitor.OnAdd(add);
}

Status ParseChangeFile(ondemand::object& object, ActionVisitor& visitor) {
  AddRecord file;
  TARN_RETURN_NOT_OK(ParseFile(object, "cdc", file));
  return visitor.OnChangeFile(file);
}

Status ParseRemove(ondemand::object& object, ActionVisitor& visitor) {
  RemoveRecord remove;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "path") return GetString(value, remove.path);
    if (key == "deletionTimestamp") return GetInt64(value, remove.deletion_timestamp_millis);
    if (key == "dataChange") return GetBool(value, remove.data_change);
    if (key == "extendedFileMetadata") return GetBool(value, remove.extended_file_metadata);
    if (key == "partitionValues") return GetRawObject(value, remove.partition_values);
    if (key == "size") return GetInt64(value, remove.size_bytes);
    if (key == "deletionVector") return ParseDeletionVector(value, remove.deletion_vector.emplace());
    return Status::Ok();
  }));
  if (remove.path.empty()) return BadField("remove", "path");
  return visitor.OnRemove(remove);
}

Status ParseProtocol(ondemand::object& object, ActionVisitor& visitor) {
  Protocol protocol;
  protocol.min_reader_version = protocol.min_writer_version = -1;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "minReaderVersion") return GetInt32(value, protocol.min_reader_version);
    if (key == "minWriterVersion") return GetInt32(value, protocol.min_writer_version);
    if (key == "readerFeatures") return GetStringList(value, protocol.reader_features.emplace());
    if (key == "writerFeatures") return GetStringList(value, protocol.writer_features.emplace());
    return Status::Ok();
  }));
  if (protocol.min_reader_version < 1) return BadField("protocol", "minReaderVersion");
  if (protocol.min_writer_version < 1) return BadField("protocol", "minWriterVersion");
  return visitor.OnProtocol(std::move(protocol));
}

Status ParseMetadata(ondemand::object& object, ActionVisitor& visitor) {
  Metadata metadata;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "id") return GetString(value, metadata.id);
    if (key == "name") return GetString(value, metadata.name.emplace());
    if (key == "description") return GetString(value, metadata.description.emplace());
    if (key == "schemaString") return GetString(value, metadata.schema_string);
    if (key == "partitionColumns") return GetStringList(value, metadata.partition_columns);
    if (key == "configuration") return GetStringMap(value, metadata.configuration);
    if (key == "createdTime") return GetInt64(value, metadata.created_time_millis);
    return Status::Ok();
  }));
  if (metadata.schema_string.empty()) return BadField("metaData", "schemaString");
  return visitor.OnMetadata(std::move(metadata));
}

Status ParseTxn(ondemand::object& object, ActionVisitor& visitor) {
  Txn txn;
  bool has_app = false;
  bool has_version = false;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "appId") {
      has_app = true;
      return GetString(value, txn.app_id);
    }
    if (key == "version") {
      has_version = true;
      return GetInt64(value, txn.version);
    }
    if (key == "lastUpdated") return GetInt64(value, txn.last_updated_millis);
    return Status::Ok();
  }));
  if (!has_app) return BadField("txn", "appId");
  if (!has_version) return BadField("txn", "version");
  return visitor.OnTxn(std::move(txn));
}

Status ParseDomain(ondemand::object& object, ActionVisitor& visitor) {
  DomainMetadata domain;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "domain") return GetString(value, domain.domain);
    if (key == "configuration") return GetString(value, domain.configuration);
    if (key == "removed") return GetBool(value, domain.removed);
    return Status::Ok();
  }));
  if (domain.domain.empty()) return BadField("domainMetadata", "domain");
  return visitor.OnDomainMetadata(std::move(domain));
}

Status ParseSidecar(ondemand::object& object, ActionVisitor& visitor) {
  std::string path;
  TARN_RETURN_NOT_OK(ForEachField(object, [&](std::string_view key, ondemand::value& value) -> Status {
    return key == "path" ? GetString(value, path) : Status::Ok();
  }));
  if (path.empty()) return BadField("sidecar", "path");
  return visitor.OnSidecar(path);
}

Status ParseAction(std::string_view key, ondemand::value& value, ActionVisitor& visitor) {
  using Parse = Status (*)(ondemand::object&, ActionVisitor&);
  Parse parse = nullptr;
  if (key == "add") {
    parse = ParseAdd;
  } else if (key == "remove") {
    parse = ParseRemove;
  } else if (key == "protocol") {
    parse = ParseProtocol;
  } else if (key == "metaData") {
    parse = ParseMetadata;
  } else if (key == "txn") {
    parse = ParseTxn;
  } else if (key == "domainMetadata") {
    parse = ParseDomain;
  } else if (key == "sidecar") {
    parse = ParseSidecar;
  } else if (key == "cdc") {
    parse = ParseChangeFile;
  } else if (key == "commitInfo") {
    std::string_view json;
    TARN_RETURN_NOT_OK(GetRawObject(value, json));
    return visitor.OnCommitInfo(json);
  } else {
    return Status::Ok();
  }
  ondemand::object object;
  TARN_RETURN_NOT_OK(GetObject(value, object));
  return parse(object, visitor);
}

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// Parses a whole JSON object of small size.
template <typename Visit>
Status VisitSmallObject(std::string_view json, Visit&& visit) {
  const simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document document;
  TARN_JSON(parser.iterate(padded).get(document));
  ondemand::object object;
  TARN_JSON(document.get_object().get(object));
  return ForEachField(object, visit);
}

/// Reads a number that follows `prefix` at the very start of `text`.
std::optional<int64_t> NumberAfter(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (text.starts_with(' ')) text.remove_prefix(1);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || (*end != ',' && *end != '}')) return std::nullopt;
  return number < 0 ? -1 : number;
}

/// The text of a string token whose escapes are all of one character; nullopt for any other.
std::optional<std::string> UnescapeSimply(std::string_view token) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return std::nullopt;
  const std::string_view body = token.substr(1, token.size() - 2);
  std::string text(body.size(), '\0');
  char* end = text.data();
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      *end++ = body[i];
      continue;
    }
    if (++i == body.size()) return std::nullopt;
    constexpr std::string_view kEscaped = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    const size_t which = kEscaped.find(body[i]);
    if (which == std::string_view::npos) return std::nullopt;
    *end++ = kMeant[which];
  }
  text.resize(static_cast<size_t>(end - text.data()));
  return text;
}

}  // namespace

struct CommitParser::State {
  ondemand::parser parser;
};

CommitParser::CommitParser() : state_(std::make_unique<State>()) {}
CommitParser::~CommitParser() = default;

Status CommitParser::ParseLine(std::string_view line, ActionVisitor& visitor) {
  if (IsBlank(line) || visitor.Skips(line)) return Status::Ok();
  ondemand::document document;
  TARN_JSON(state_->parser.iterate(line.data(), line.size(), line.size() + kLinePadding).get(document));
  ondemand::object object;
  TARN_JSON(document.get_object().get(object));
  TARN_RETURN_NOT_OK(ForEachField(
      object, [&](std::string_view key, ondemand::value& value) { return ParseAction(key, value, visitor); }));
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    return Status::Corruption("malformed JSON: something follows the action");
  }
  return Status::Ok();
}

Status CommitParser::ParseCommit(std::string_view text, ActionVisitor& visitor) {
  std::string padded;
  padded.reserve(text.size() + kLinePadding);
  padded.append(text);
  padded.append(kLinePadding, ' ');
  int64_t number = 1;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    const Status status = ParseLine(std::string_view(padded).substr(begin, end - begin), visitor);
    if (!status.ok()) return status.WithContext("line " + std::to_string(number));
    begin = end + 1;
    ++number;
  }
  return Status::Ok();
}

Result<std::string> UnescapeJsonString(std::string_view token) {
  // Statistics are read so by the million, and most have no other escapes than of their quotes.
  if (auto plain = UnescapeSimply(token); plain.has_value()) return *std::move(plain);
  const simdjson::padded_string padded(token);
  ondemand::parser parser;
  ondemand::document document;
  TARN_JSON(parser.iterate(padded).get(document));
  std::string_view text;
  TARN_JSON(document.get_string().get(text));
  return std::string(text);
}

Result<PartitionValues> ParsePartitionValuesObject(std::string_view json) {
  PartitionValues values;
  if (json.empty()) return values;
  const simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document document;
  TARN_JSON(parser.iterate(padded).get(document));
  ondemand::object object;
  TARN_JSON(document.get_object().get(object));
  for (auto field_result : object) {
    ondemand::field field;
    TARN_JSON(std::move(field_result).get(field));
    std::string_view key;
    TARN_JSON(field.unescaped_key().get(key));
    std::string name(key);
    ondemand::json_type type;
    TARN_JSON(field.value().type().get(type));
    if (type == ondemand::json_type::null) {
      values.emplace_back(std::move(name), std::nullopt);
      continue;
    }
    std::string_view text;
    TARN_JSON(field.value().get_string().get(text));
    values.emplace_back(std::move(name), std::string(text));
  }
  return values;
}

Result<std::map<std::string, std::string>> ParseTagsObject(std::string_view json) {
  std::map<std::string, std::string> tags;
  if (json.empty()) return tags;
  TARN_RETURN_NOT_OK(VisitSmallObject(json, [&](std::string_view key, ondemand::value& value) -> Status {
    std::string name(key);
    return GetString(value, tags[name]);
  }));
  return tags;
}

Result<CommitInfo> ParseCommitInfo(std::string_view json) {
  CommitInfo info;
  // Writers put what they like here, so a field of another type than expected is taken as absent.
  const auto lenient = [](Status status) { return status.ok() ? Status::Ok() : Status::Ok(); };
  TARN_RETURN_NOT_OK(VisitSmallObject(json, [&](std::string_view key, ondemand::value& value) -> Status {
    if (key == "timestamp") return lenient(GetInt64(value, info.timestamp_millis));
    if (key == "inCommitTimestamp") return GetInt64(value, info.in_commit_timestamp_millis);
    if (key == "operation") return lenient(GetString(value, info.operation));
    if (key == "operationParameters") return lenient(GetStringMap(value, info.operation_parameters));
    if (key == "operationMetrics") return lenient(GetStringMap(value, info.operation_metrics));
    if (key == "readVersion") return lenient(GetInt64(value, info.read_version));
    if (key == "isolationLevel") return lenient(GetString(value, info.isolation_level));
    if (key == "isBlindAppend") return lenient(GetBool(value, info.is_blind_append.emplace()));
    if (key == "engineInfo") return lenient(GetString(value, info.engine_info));
    if (key == "txnId") return lenient(GetString(value, info.txn_id));
    return Status::Ok();
  }));
  return info;
}

int64_t NumRecordsOf(std::string_view stats, bool escaped) {
  const auto fast = escaped ? NumberAfter(stats, R"("{\"numRecords\":)") : NumberAfter(stats, R"({"numRecords":)");
  if (fast.has_value()) return *fast;
  if (stats.find("numRecords") == std::string_view::npos) return -1;
  std::string text(stats);
  if (escaped) {
    auto unescaped = UnescapeJsonString(stats);
    if (!unescaped.ok()) return -1;
    text = std::move(*unescaped);
  }
  int64_t number = -1;
  const Status status = VisitSmallObject(text, [&](std::string_view key, ondemand::value& value) -> Status {
    return key == "numRecords" ? GetInt64(value, number) : Status::Ok();
  });
  return status.ok() && number >= 0 ? number : -1;
}

}  // namespace tarn::delta
