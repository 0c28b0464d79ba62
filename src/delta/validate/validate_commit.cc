#include "delta/validate/validate_commit.h"

#include <simdjson.h>

#include <algorithm>

#include "delta/log/commit_json.h"
#include "storage/get_at_most.h"

namespace tarn::delta::validation {
namespace {

namespace dom = simdjson::dom;

/// Of one file of the log, which is taken whole.
constexpr int64_t kMaxTextBytes = int64_t{2} << 30;

enum class Kind : uint8_t { kText, kLong, kCount, kBool, kObject, kArray };

/// A field of an action (PROTOCOL.md, "Actions"). A count is a long that is not negative.
struct FieldRule {
  std::string_view action;
  std::string_view field;
  Kind kind;
  bool required;
};

constexpr FieldRule kFields[] = {
    {"metaData", "id", Kind::kText, true},
    {"metaData", "name", Kind::kText, false},
    {"metaData", "description", Kind::kText, false},
    {"metaData", "format", Kind::kObject, true},
    {"metaData", "schemaString", Kind::kText, true},
    {"metaData", "partitionColumns", Kind::kArray, true},
    {"metaData", "configuration", Kind::kObject, true},
    {"metaData", "createdTime", Kind::kLong, false},
    {"protocol", "minReaderVersion", Kind::kCount, true},
    {"protocol", "minWriterVersion", Kind::kCount, true},
    {"protocol", "readerFeatures", Kind::kArray, false},
    {"protocol", "writerFeatures", Kind::kArray, false},
    {"add", "path", Kind::kText, true},
    {"add", "partitionValues", Kind::kObject, true},
    {"add", "size", Kind::kCount, true},
    {"add", "modificationTime", Kind::kLong, true},
    {"add", "dataChange", Kind::kBool, true},
    {"add", "stats", Kind::kText, false},
    {"add", "tags", Kind::kObject, false},
    {"add", "deletionVector", Kind::kObject, false},
    {"add", "baseRowId", Kind::kCount, false},
    {"add", "defaultRowCommitVersion", Kind::kCount, false},
    {"remove", "path", Kind::kText, true},
    {"remove", "deletionTimestamp", Kind::kLong, false},
    {"remove", "dataChange", Kind::kBool, true},
    {"remove", "extendedFileMetadata", Kind::kBool, false},
    {"remove", "partitionValues", Kind::kObject, false},
    {"remove", "size", Kind::kCount, false},
    {"remove", "deletionVector", Kind::kObject, false},
    {"cdc", "path", Kind::kText, true},
    {"cdc", "partitionValues", Kind::kObject, true},
    {"cdc", "size", Kind::kCount, true},
    {"cdc", "dataChange", Kind::kBool, true},
    {"txn", "appId", Kind::kText, true},
    {"txn", "version", Kind::kLong, true},
    {"txn", "lastUpdated", Kind::kLong, false},
    {"domainMetadata", "domain", Kind::kText, true},
    {"domainMetadata", "configuration", Kind::kText, true},
    {"domainMetadata", "removed", Kind::kBool, true},
    {"deletionVector", "storageType", Kind::kText, true},
    {"deletionVector", "pathOrInlineDv", Kind::kText, true},
    {"deletionVector", "offset", Kind::kCount, false},
    {"deletionVector", "sizeInBytes", Kind::kCount, true},
    {"deletionVector", "cardinality", Kind::kCount, true},
};

bool IsKnownAction(std::string_view name) {
  return name == "commitInfo" ||
         (name != "deletionVector" &&
          std::any_of(std::begin(kFields), std::end(kFields), [&](const auto& f) { return f.action == name; }));
}

bool HasKind(const dom::element& value, Kind kind) {
  double number = 0;
  switch (kind) {
    case Kind::kText:
      return value.is_string();
    case Kind::kLong:
      return value.is_number();
    case Kind::kCount:
      return value.get_double().get(number) == simdjson::SUCCESS && number >= 0;
    case Kind::kBool:
      return value.is_bool();
    case Kind::kObject:
      return value.is_object();
    case Kind::kArray:
      return value.is_array();
  }
  return false;
}

bool Has(const dom::object& object, std::string_view field) {
  dom::element value;
  return object[field].get(value) == simdjson::SUCCESS && !value.is_null();
}

/// What is wrong with the lines of one file, and where.
class LineChecker {
 public:
  LineChecker(const Place& place, Findings& findings) : place_(place), findings_(findings) {}

  bool Check(const dom::object& line) {
    if (line.size() != 1) Fail("action", "a line must hold exactly one action");
    for (const auto& [name, value] : line) {
      dom::object object;
      if (value.get_object().get(object) != simdjson::SUCCESS) {
        Fail("action", std::string(name) + " is not an object");
      } else if (name == "sidecar" || name == "checkpointMetadata") {
        Fail("action", std::string(name) + " belongs into checkpoints alone");
      } else if (!IsKnownAction(name)) {
        findings_.Warn("unknown-action", place_, "the protocol has no action " + std::string(name));
      } else {
        CheckFields(name, object);
        CheckMore(name, object);
      }
    }
    return good_;
  }

 private:
  void Fail(std::string rule, std::string message) {
    findings_.Error(std::move(rule), place_, std::move(message));
    good_ = false;
  }

  void CheckFields(std::string_view action, const dom::object& object) {
    for (const FieldRule& rule : kFields) {
      if (rule.action != action) continue;
      dom::element value;
      if (!Has(object, rule.field)) {
        if (rule.required) Fail("required-field", std::string(action) + " lacks " + std::string(rule.field));
      } else if (object[rule.field].get(value) == simdjson::SUCCESS && !HasKind(value, rule.kind)) {
        Fail("field-value", std::string(action) + "." + std::string(rule.field) + " has a value that it cannot have");
      }
    }
  }

  /// What the table of fields cannot say.
  void CheckMore(std::string_view action, const dom::object& object) {
    bool flag = false;
    if (action == "remove" && object["extendedFileMetadata"].get_bool().get(flag) == simdjson::SUCCESS && flag &&
        (!Has(object, "size") || !Has(object, "partitionValues"))) {
      Fail("required-field", "remove says that it has extended metadata, but lacks size or partitionValues");
    }
    if (action == "cdc" && object["dataChange"].get_bool().get(flag) == simdjson::SUCCESS && flag) {
      Fail("field-value", "cdc.dataChange must be false");
    }
    dom::object vector;
    if ((action == "add" || action == "remove") &&
        object["deletionVector"].get_object().get(vector) == simdjson::SUCCESS) {
      CheckVector(vector);
    }
  }

  void CheckVector(const dom::object& vector) {
    CheckFields("deletionVector", vector);
    std::string_view type;
    if (vector["storageType"].get_string().get(type) != simdjson::SUCCESS) return;
    if (type != "u" && type != "i" && type != "p") {
      Fail("field-value", "deletionVector.storageType is '" + std::string(type) + "'");
    } else if (type == "i" && Has(vector, "offset")) {
      Fail("field-value", "an inline deletion vector has no offset");
    }
  }

  const Place& place_;
  Findings& findings_;
  bool good_ = true;
};

/// Keeps the actions as values.
class Collector final : public ActionVisitor {
 public:
  explicit Collector(CommitActions& actions) : actions_(actions) {}
  void SetLine(int64_t line) { line_ = line; }

  Status OnAdd(const AddRecord& record) override {
    Add add;
    add.path = record.path;
    TARN_ASSIGN_OR_RETURN(add.partition_values, ParsePartitionValuesObject(record.partition_values));
    TARN_ASSIGN_OR_RETURN(add.tags, ParseTagsObject(record.tags));
    add.size_bytes = record.size_bytes;
    add.modification_time_millis = record.modification_time_millis;
    add.data_change = record.data_change;
    if (!record.stats_token.empty()) {
      TARN_ASSIGN_OR_RETURN(add.stats, UnescapeJsonString(record.stats_token));
    }
    add.deletion_vector = record.deletion_vector;
    actions_.adds.push_back({std::move(add), line_});
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord& record) override {
    Remove remove;
    remove.path = record.path;
    remove.data_change = record.data_change;
    remove.deletion_timestamp_millis = record.deletion_timestamp_millis;
    remove.deletion_vector = record.deletion_vector;
    actions_.removes.push_back({std::move(remove), line_});
    return Status::Ok();
  }
  Status OnProtocol(Protocol protocol) override { return Keep(actions_.protocols, std::move(protocol)); }
  Status OnMetadata(Metadata metadata) override { return Keep(actions_.metadatas, std::move(metadata)); }
  Status OnTxn(Txn txn) override { return Keep(actions_.txns, std::move(txn)); }
  Status OnDomainMetadata(DomainMetadata domain) override { return Keep(actions_.domains, std::move(domain)); }
  Status OnCommitInfo(std::string_view json) override {
    TARN_ASSIGN_OR_RETURN(CommitInfo info, ParseCommitInfo(json));
    return Keep(actions_.infos, std::move(info));
  }

 private:
  template <typename Action>
  Status Keep(std::vector<AtLine<Action>>& list, Action action) {
    list.push_back({std::move(action), line_});
    return Status::Ok();
  }

  CommitActions& actions_;
  int64_t line_ = 0;
};

/// Checks one line against the tables of fields; false when an error was found. Blank lines are fine.
bool CheckLine(dom::parser& parser, std::string_view line, const Place& place, Findings& findings) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
  dom::object object;
  if (const auto error = parser.parse(line.data(), line.size()).get_object().get(object)) {
    findings.Error("json", place, std::string("the line is no JSON object: ") + simdjson::error_message(error));
    return false;
  }
  return LineChecker(place, findings).Check(object);
}

}  // namespace

Result<std::string> ReadActionsText(storage::ObjectStore& store, const std::string& key) {
  return storage::GetAtMost(store, key, kMaxTextBytes);
}

Result<CommitActions> ReadActions(storage::ObjectStore& store, const Place& place, Findings& findings) {
  return CheckActions(ReadActionsText(store, place.key), place, findings);
}

Result<CommitActions> CheckActions(Result<std::string> read, const Place& place, Findings& findings) {
  CommitActions actions;
  actions.place = place;
  if (read.status().Is(StatusCode::kResourceExhausted)) {
    findings.Error("json", place, read.status().message());
    actions.complete = false;
    return actions;
  }
  TARN_RETURN_NOT_OK(read.status());
  std::string text = *std::move(read);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    findings.Error("json", place, "the file is empty");
    actions.complete = false;
    return actions;
  }
  const size_t size = text.size();
  text.append(kLinePadding, ' ');
  Collector collector(actions);
  CommitParser parser;
  dom::parser checking;
  int64_t number = 1;
  for (size_t begin = 0; begin < size; ++number) {
    const size_t end = std::min(text.find('\n', begin), size);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const bool good = CheckLine(checking, line, place.AtLine(number), findings);
    collector.SetLine(number);
    if (const Status status = parser.ParseLine(line, collector); !status.ok()) {
      // The reader refuses what the tables of fields allow.
      if (good) findings.Error("json", place.AtLine(number), status.message());
      actions.complete = false;
    }
    begin = end + 1;
  }
  return actions;
}

}  // namespace tarn::delta::validation
