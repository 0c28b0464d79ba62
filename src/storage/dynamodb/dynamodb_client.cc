#include "storage/dynamodb/dynamodb_client.h"

#include <map>
#include <utility>

#include "storage/http/printable.h"
#include "storage/s3/aws_service.h"
#include "storage/s3/flat_json.h"
#include "storage/s3/sigv4.h"

namespace tarn::storage {

namespace {

/// An item has at most 400 KB, which JSON may make several times longer.
constexpr size_t kMaxAnswerBytes = 4 << 20;
constexpr char kTargetPrefix[] = "DynamoDB_20120810.";
constexpr char kContentType[] = "application/x-amz-json-1.0";

/// What DynamoDB calls an error, without its namespace, and how it words it.
struct Refusal {
  std::string type;
  std::string message;
};

Refusal RefusalIn(const std::string& body) {
  auto members = internal::ParseFlatJson(body);
  if (!members.ok()) return {};
  const std::string type = (*members)["__type"];
  const std::string& message = members->contains("message") ? (*members)["message"] : (*members)["Message"];
  return {internal::Printable(type.substr(type.find('#') + 1)), internal::Printable(message)};
}

StatusCode CodeOf(int http_status, const Refusal& refusal) {
  static const std::map<std::string_view, StatusCode> kCodes = {
      {"ConditionalCheckFailedException", StatusCode::kConflict},
      // Were the table's entries called missing, commits would be made twice.
      {"ResourceNotFoundException", StatusCode::kUnavailable},
      // Said before anything is done.
      {"ProvisionedThroughputExceededException", StatusCode::kUnavailable},
      {"RequestLimitExceeded", StatusCode::kUnavailable},
      {"ThrottlingException", StatusCode::kUnavailable},
      {"AccessDeniedException", StatusCode::kPermissionDenied},
      {"ExpiredTokenException", StatusCode::kUnauthenticated},
      {"IncompleteSignatureException", StatusCode::kUnauthenticated},
      {"InvalidSignatureException", StatusCode::kUnauthenticated},
      {"MissingAuthenticationTokenException", StatusCode::kUnauthenticated},
      {"UnrecognizedClientException", StatusCode::kUnauthenticated},
  };
  if (const auto found = kCodes.find(refusal.type); found != kCodes.end()) return found->second;
  if (http_status == 429) return StatusCode::kUnavailable;
  if (http_status == 401) return StatusCode::kUnauthenticated;
  if (http_status == 403) return StatusCode::kPermissionDenied;
  return http_status >= 500 ? StatusCode::kIndeterminate : StatusCode::kInternal;
}

}  // namespace

DynamoDbClient::DynamoDbClient(DynamoDbTable table, Seams seams) : table_(std::move(table)), seams_(std::move(seams)) {}

Result<std::string> DynamoDbClient::Call(std::string_view operation, std::string_view json, Repeat repeat) const {
  Backoff backoff(seams_.retry, *seams_.clock, *seams_.random);
  while (true) {
    auto answer = CallOnce(operation, json);
    const bool lost = answer.status().Is(StatusCode::kIndeterminate);
    const bool again = answer.status().Is(StatusCode::kUnavailable) || (lost && repeat == Repeat::kWhenLost);
    if (again && backoff.Wait()) continue;
    if (answer.ok()) return answer;
    // What may be repeated has done no harm, whatever became of it.
    const StatusCode code = lost && repeat == Repeat::kWhenLost ? StatusCode::kUnavailable : answer.status().code();
    return Status(code, answer.status().message())
        .WithContext("the DynamoDB table '" + table_.name + "' in " + table_.region + " (" + table_.endpoint +
                     "): " + std::string(operation));
  }
}

Result<std::string> DynamoDbClient::CallOnce(std::string_view operation, std::string_view json) const {
  TARN_ASSIGN_OR_RETURN(const internal::Credentials credentials, seams_.credentials->GetForSigning());
  const std::string host = table_.endpoint.substr(table_.endpoint.find("://") + 3);
  const std::string hash = internal::Sha256Hex(AsBytes(json));
  HttpRequest request{.method = "POST",
                      .url = table_.endpoint + "/",
                      .headers = {},
                      .body = AsBytes(json),
                      .into = {},
                      .max_body_bytes = kMaxAnswerBytes};
  request.headers = internal::SignedHeaders({.method = request.method,
                                             .path = "/",
                                             .query = "",
                                             .headers = {{"content-type", kContentType},
                                                         {"host", host},
                                                         {"x-amz-target", kTargetPrefix + std::string(operation)}},
                                             .payload_hash = hash},
                                            {.region = table_.region, .service = "dynamodb"}, credentials,
                                            seams_.clock->WallMicros() / kMicrosPerSecond);
  TARN_ASSIGN_OR_RETURN(HttpResponse answer, seams_.http->Send(request));
  if (!answer.succeeded()) return StatusOf(answer);
  if (answer.cut_off) return Status::Corruption("the answer is longer than any item");
  return std::move(answer.body);
}

Status DynamoDbClient::StatusOf(const HttpResponse& answer) const {
  const Refusal refusal = RefusalIn(answer.body);
  if (refusal.type == "ResourceNotFoundException") {
    return Status::Unavailable("there is no such table (docs/storage.md says how to make it)");
  }
  std::string message = "was answered " + std::to_string(answer.status);
  if (!refusal.type.empty()) message += " " + refusal.type;
  if (!refusal.message.empty()) message += " (" + refusal.message + ")";
  if (const auto id = answer.Header("x-amzn-requestid"); !id.empty()) message += ", request " + internal::Printable(id);
  return {CodeOf(answer.status, refusal), std::move(message)};
}

Result<std::shared_ptr<const DynamoDbClient>> OpenDynamoDb(const DynamoDbTable& table, Environment environment,
                                                           Random& random) {
  if (!table.region.empty()) environment["AWS_REGION"] = table.region;
  if (!table.endpoint.empty()) environment["AWS_ENDPOINT_URL_DYNAMODB"] = table.endpoint;
  TARN_ASSIGN_OR_RETURN(internal::AwsService service, internal::LocateService("dynamodb", environment));
  TARN_RETURN_NOT_OK(internal::LoadCrypto());
  DynamoDbClient::Seams seams{.clock = &SystemClock(), .random = &random};
  TARN_ASSIGN_OR_RETURN(seams.http,
                        MakeHttpClient({.ca_file = std::string(ValueOf(environment, "AWS_CA_BUNDLE"))}, SystemClock()));
  seams.credentials = internal::DefaultCredentials(environment, service.region, seams.http, SystemClock());
  return std::shared_ptr<const DynamoDbClient>(std::make_shared<DynamoDbClient>(
      DynamoDbTable{table.name, std::move(service.region), std::move(service.endpoint)}, std::move(seams)));
}

}  // namespace tarn::storage
