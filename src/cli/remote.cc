#include "cli/remote.h"

#include <simdjson.h>

#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "base/error_table.h"
#include "base/uri.h"
#include "engine/query_service.h"
#include "storage/http/curl_library.h"

namespace tarn::cli {

namespace {

constexpr size_t kMaxErrorBytes = 1 << 20;

struct Reply {
  const storage::CurlLibrary* library = nullptr;
  CURL* curl = nullptr;
  ResultOutput* output = nullptr;
  RemoteAnswer answer;
  Status write_status;
};

/// The query log's answer.
class TextOutput final : public ResultOutput {
 public:
  Status Write(std::string_view bytes) override {
    if (text_.size() + bytes.size() > kMaxErrorBytes) return Status::ResourceExhausted("the answer is too long");
    text_ += bytes;
    return Status::Ok();
  }
  Status Finish() override { return Status::Ok(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

size_t Receive(char* data, size_t, size_t bytes, void* context) {
  auto& reply = *static_cast<Reply*>(context);
  long status = 0;
  reply.library->easy_getinfo(reply.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) {
    if (reply.output == nullptr) return bytes;
    reply.write_status = reply.output->Write({data, bytes});
    return reply.write_status.ok() ? bytes : 0;
  }
  std::string& body = reply.answer.error_body;
  if (body.size() + bytes <= kMaxErrorBytes) body.append(data, bytes);
  return bytes;
}

std::optional<StatusCode> CodeByName(std::string_view name) {
  for (int i = 1; i < kStatusCodeCount; ++i) {
    if (StatusCodeName(static_cast<StatusCode>(i)) == name) return static_cast<StatusCode>(i);
  }
  return std::nullopt;
}

StatusCode CodeByHttpStatus(long http_status) {
  if (http_status == 413) return StatusCode::kResourceExhausted;
  // Several codes share it; without a name the least is claimed.
  if (http_status == 500) return StatusCode::kInternal;
  for (int i = 1; i < kStatusCodeCount; ++i) {
    if (CodesOf(static_cast<StatusCode>(i)).http_status == http_status) return static_cast<StatusCode>(i);
  }
  return http_status >= 400 && http_status < 500 ? StatusCode::kInvalidArgument : StatusCode::kInternal;
}

/// Empty when the answer has no such header.
std::string HeaderOf(const storage::CurlLibrary& library, CURL* curl, const char* name) {
  curl_header* header = nullptr;
  return library.easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : "";
}

std::optional<int64_t> CountIn(std::string_view text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(count) : std::nullopt;
}

/// "NotFound: there is no …", as the query log writes a status.
std::optional<Status> ParseStatus(std::string_view text) {
  const size_t colon = text.find(": ");
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<StatusCode> code = CodeByName(text.substr(0, colon));
  if (!code.has_value()) return std::nullopt;
  return Status(*code, std::string(text.substr(colon + 2)));
}

/// What the server's query log says about a query whose result broke off; nullopt when it says nothing.
std::optional<Status> AskWhy(const std::string& server, const std::string& query_id) {
  // An id is the server's own; anything else in the header is not put into SQL.
  if (query_id.empty() || query_id.find_first_not_of("0123456789abcdefABCDEF-") != std::string::npos) return {};
  const std::string sql = "select error from system.queries where error is not null and query_id = '" + query_id + "'";
  TextOutput output;
  const auto answer =
      Post({.server = server, .path = "/api/sql", .body = sql, .headers = {"Accept: application/json"}}, &output);
  if (!answer.ok() || answer->broken_off.has_value() || !StatusOf(*answer).ok()) return {};
  simdjson::dom::parser parser;
  std::string_view error;
  if (parser.parse(output.text()).at(0)["error"].get(error) != simdjson::SUCCESS) return {};
  return ParseStatus(error);
}

}  // namespace

std::string EncodeParameter(std::string_view text) {
  // A leading '_' or '.' need not be encoded here, but may.
  return EncodePathPart(text);
}

/// Whatever shape the error has: problem+json or one of the write endpoints'.
Status StatusOf(const RemoteAnswer& answer) {
  if (answer.broken_off.has_value()) return *answer.broken_off;
  if (answer.http_status >= 200 && answer.http_status < 300) return Status::Ok();
  StatusCode code = CodeByHttpStatus(answer.http_status);
  std::string message = "the server answered " + std::to_string(answer.http_status);
  std::optional<size_t> position;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(answer.error_body).get(root) == simdjson::SUCCESS && root.is_object()) {
    std::string_view text;
    for (const char* key : {"detail", "message", "error"}) {
      if (root[key].get(text) == simdjson::SUCCESS) message = text;
    }
    if (root["code"].get(text) == simdjson::SUCCESS) code = CodeByName(text).value_or(code);
    uint64_t byte = 0;
    if (root["position"].get(byte) == simdjson::SUCCESS) position = byte;
  }
  const Status status(code, std::move(message));
  return position.has_value() ? engine::WithSqlErrorPosition(status, *position) : status;
}

std::optional<std::vector<ingest::LineError>> LineErrorsOf(const RemoteAnswer& answer) {
  if (answer.http_status >= 200 && answer.http_status < 300) return std::vector<ingest::LineError>();
  simdjson::dom::parser parser;
  simdjson::dom::array data;
  if (answer.http_status != 400 || parser.parse(answer.error_body)["data"].get(data) != simdjson::SUCCESS) return {};
  std::vector<ingest::LineError> errors;
  for (const simdjson::dom::element item : data) {
    std::string_view reason;
    ingest::LineError error;
    if (item["line_number"].get(error.line_number) != simdjson::SUCCESS) return {};
    if (item["error_message"].get(reason) == simdjson::SUCCESS) error.reason = reason;
    errors.push_back(std::move(error));
  }
  return errors;
}

Status PostSql(const std::string& server, const std::string& sql, std::string_view media_type, ResultOutput& output) {
  TARN_ASSIGN_OR_RETURN(
      const RemoteAnswer answer,
      Post({.server = server,
            .path = "/api/sql",
            .body = sql,
            .headers = {"Content-Type: text/plain; charset=utf-8", "Accept: " + std::string(media_type)}},
           &output));
  if (!answer.broken_off.has_value()) return StatusOf(answer);
  if (std::optional<Status> why = AskWhy(server, answer.query_id)) return *why;
  return {answer.broken_off->code(), answer.broken_off->message() + " (query " + answer.query_id + ")"};
}

Result<RemoteAnswer> Post(const RemoteRequest& request, ResultOutput* output) {
  TARN_ASSIGN_OR_RETURN(const storage::CurlLibrary* const library, storage::CurlLibrary::Load());
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(library->easy_init(), library->easy_cleanup);
  if (curl == nullptr) return Status::Internal("libcurl does not start");
  std::string server = request.server;
  while (server.ends_with('/')) server.pop_back();
  if (server.find("://") == std::string::npos) server = "http://" + server;
  const std::string url = server + request.path;
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = library->slist_append(list, header.c_str());
  list = library->slist_append(list, "Expect:");
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, library->slist_free_all);
  Reply reply{.library = library, .curl = curl.get(), .output = output, .answer = {}, .write_status = {}};
  char detail[CURL_ERROR_SIZE] = "";
  library->easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  library->easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  library->easy_setopt(curl.get(), CURLOPT_POST, 1L);
  library->easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  library->easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request.body.data());
  library->easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  library->easy_setopt(curl.get(), CURLOPT_ACCEPT_ENCODING, "");
  library->easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Receive);
  library->easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply);
  library->easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail);
  library->easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  library->easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 10L);
  const CURLcode code = library->easy_perform(curl.get());
  if (!reply.write_status.ok()) return reply.write_status;
  RemoteAnswer answer = std::move(reply.answer);
  library->easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.http_status);
  answer.query_id = HeaderOf(*library, curl.get(), "X-Tarn-Query-Id");
  answer.lines_kept = CountIn(HeaderOf(*library, curl.get(), "X-Tarn-Lines-Kept"));
  answer.lines_refused = CountIn(HeaderOf(*library, curl.get(), "X-Tarn-Lines-Refused"));
  if (code != CURLE_OK) {
    const char* const why = detail[0] != '\0' ? detail : library->easy_strerror(code);
    const bool no_url = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    if (no_url) return Status::InvalidArgument("'" + request.server + "' is not a URL such as http://127.0.0.1:8080");
    if (answer.http_status == 0) {
      return Status::Unavailable(request.server + ": " + why + "; does `tarn serve` run there?");
    }
    answer.broken_off = Status::Unavailable(request.server + ": the answer broke off: " + why);
  }
  return answer;
}

}  // namespace tarn::cli
