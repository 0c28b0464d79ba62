#include "delta/log/dynamodb_entries.h"

#include <simdjson.h>

#include <string_view>
#include <utility>

#include "columnar/json_text.h"

namespace tarn::delta {

namespace {

using storage::DynamoDbClient;

constexpr char kTablePath[] = "tablePath";
constexpr char kFileName[] = "fileName";
constexpr char kTempPath[] = "tempPath";
constexpr char kComplete[] = "complete";
constexpr char kExpireTime[] = "expireTime";

/// Appends "name":{"S":"value"}, with a comma before it where an attribute precedes; `type` is DynamoDB's letter.
void AppendAttribute(std::string& json, std::string_view name, std::string_view value, char type = 'S') {
  if (json.back() != '{') json += ',';
  columnar::AppendJsonString(json, name);
  json += ":{\"";
  json += type;
  json += "\":";
  columnar::AppendJsonString(json, value);
  json += '}';
}

Result<std::string> TextOf(const simdjson::dom::element& item, const char* name) {
  std::string_view text;
  if (item[name]["S"].get(text) != simdjson::SUCCESS) {
    return Status::Corruption(std::string("an entry has no text '") + name + "'");
  }
  return std::string(text);
}

Result<CommitEntry> ReadEntry(const simdjson::dom::element& item) {
  CommitEntry entry;
  TARN_ASSIGN_OR_RETURN(entry.table_path, TextOf(item, kTablePath));
  TARN_ASSIGN_OR_RETURN(entry.file_name, TextOf(item, kFileName));
  TARN_ASSIGN_OR_RETURN(entry.temp_path, TextOf(item, kTempPath));
  TARN_ASSIGN_OR_RETURN(const std::string complete, TextOf(item, kComplete));
  if (complete != "true" && complete != "false") {
    return Status::Corruption("the entry of " + entry.file_name + " is complete: '" + complete + "'");
  }
  entry.complete = complete == "true";
  return entry;
}

class DynamoDbEntries final : public CommitEntries {
 public:
  explicit DynamoDbEntries(std::shared_ptr<const DynamoDbClient> client) : client_(std::move(client)) {}

  Result<std::optional<CommitEntry>> Get(const std::string& table_path, const std::string& file_name) override {
    std::string key = "{";
    AppendAttribute(key, kTablePath, table_path);
    AppendAttribute(key, kFileName, file_name);
    TARN_ASSIGN_OR_RETURN(const std::string answer, Read("GetItem", R"("ConsistentRead":true,"Key":)" + key + "}"));
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    if (parser.parse(answer).get(document) != simdjson::SUCCESS) return Broken("GetItem");
    simdjson::dom::element item;
    if (document["Item"].get(item) != simdjson::SUCCESS) return std::optional<CommitEntry>();
    return Found(item);
  }

  Result<std::optional<CommitEntry>> Newest(const std::string& table_path) override {
    std::string values = "{";
    AppendAttribute(values, ":t", table_path);
    TARN_ASSIGN_OR_RETURN(const std::string answer,
                          Read("Query", R"("ConsistentRead":true,"ScanIndexForward":false,"Limit":1,)"
                                        R"("KeyConditionExpression":"tablePath = :t","ExpressionAttributeValues":)" +
                                            values + "}"));
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    simdjson::dom::array items;
    if (parser.parse(answer).get(document) != simdjson::SUCCESS || document["Items"].get(items) != simdjson::SUCCESS) {
      return Broken("Query");
    }
    if (items.size() == 0) return std::optional<CommitEntry>();
    return Found(*items.begin());
  }

  Status Add(const CommitEntry& entry) override {
    constexpr char kUnlessThere[] = R"json("ConditionExpression":"attribute_not_exists(fileName)","Item":)json";
    const std::string request = Request(kUnlessThere + Item(entry, /*complete=*/false) + "}");
    const Status status = client_->Call("PutItem", request, DynamoDbClient::Repeat::kNever).status();
    return status.Is(StatusCode::kConflict) ? Status::AlreadyExists(status.message()) : status;
  }

  Status Complete(const CommitEntry& entry, int64_t expire_seconds) override {
    std::string item = Item(entry, /*complete=*/true);
    AppendAttribute(item, kExpireTime, std::to_string(expire_seconds), 'N');
    std::string values = "{";
    AppendAttribute(values, ":t", entry.temp_path);
    const std::string request = Request(R"("ConditionExpression":"tempPath = :t","ExpressionAttributeValues":)" +
                                        values + R"(},"Item":)" + item + "}");
    return client_->Call("PutItem", request, DynamoDbClient::Repeat::kWhenLost).status();
  }

 private:
  /// All attributes but for the last brace.
  static std::string Item(const CommitEntry& entry, bool complete) {
    std::string item = "{";
    AppendAttribute(item, kTablePath, entry.table_path);
    AppendAttribute(item, kFileName, entry.file_name);
    AppendAttribute(item, kTempPath, entry.temp_path);
    AppendAttribute(item, kComplete, complete ? "true" : "false");
    return item;
  }

  std::string Request(const std::string& members) const {
    std::string json = R"({"TableName":)";
    columnar::AppendJsonString(json, client_->table().name);
    return json + "," + members + "}";
  }

  Result<std::string> Read(std::string_view operation, const std::string& members) const {
    return client_->Call(operation, Request(members), DynamoDbClient::Repeat::kWhenLost);
  }

  Result<std::optional<CommitEntry>> Found(const simdjson::dom::element& item) const {
    auto entry = ReadEntry(item);
    if (!entry.ok()) return entry.status().WithContext("the DynamoDB table '" + client_->table().name + "'");
    return std::optional(std::move(entry).value());
  }

  Status Broken(const char* operation) const {
    return Status::Corruption("the DynamoDB table '" + client_->table().name + "': the answer to " + operation +
                              " is not what it should be");
  }

  const std::shared_ptr<const DynamoDbClient> client_;
};

}  // namespace

std::shared_ptr<CommitEntries> MakeDynamoDbEntries(std::shared_ptr<const DynamoDbClient> client) {
  return std::make_shared<DynamoDbEntries>(std::move(client));
}

}  // namespace tarn::delta
