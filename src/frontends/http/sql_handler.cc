// POST /api/sql.
#include <simdjson.h>

#include <memory>
#include <set>
#include <utility>

#include "frontends/encoding/result_encoder.h"
#include "frontends/http/http_service.h"
#include "frontends/http/negotiation.h"

namespace tarn::frontends {

namespace {

class SqlBody final : public BodySource {
 public:
  explicit SqlBody(std::unique_ptr<ResultEncoder> encoder) : encoder_(std::move(encoder)) {}
  Result<bool> Fill(size_t target_bytes, ByteBuffer& out) override { return encoder_->Fill(target_bytes, out); }

 private:
  const std::unique_ptr<ResultEncoder> encoder_;
};

Result<engine::Parameter> ToParameter(const simdjson::dom::element& element) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::NULL_VALUE:
      return engine::Parameter(std::monostate());
    case Type::BOOL:
      return engine::Parameter(element.get_bool().value_unsafe());
    case Type::INT64:
      return engine::Parameter(element.get_int64().value_unsafe());
    case Type::DOUBLE:
      return engine::Parameter(element.get_double().value_unsafe());
    case Type::STRING:
      return engine::Parameter(std::string(element.get_string().value_unsafe()));
    case Type::UINT64:
      return Status::InvalidArgument("a parameter is beyond 64-bit signed integers; pass it as a string");
    default:
      return Status::InvalidArgument("parameters are null, booleans, numbers and strings");
  }
}

/// Of a key that is given twice either value may be meant.
Status NewKey(std::string_view key, std::set<std::string_view>& seen) {
  if (seen.insert(key).second) return Status::Ok();
  return Status::InvalidArgument("the key \"" + std::string(key) + "\" is given twice");
}

Status ParseParameters(const simdjson::dom::element& element, engine::QueryRequest& query) {
  if (element.is_array()) {
    const simdjson::dom::array items = element.get_array().value_unsafe();
    for (const simdjson::dom::element item : items) {
      TARN_ASSIGN_OR_RETURN(engine::Parameter parameter, ToParameter(item));
      query.parameters.push_back(std::move(parameter));
    }
    return Status::Ok();
  }
  if (element.is_object()) {
    const simdjson::dom::object fields = element.get_object().value_unsafe();
    std::set<std::string_view> names;
    for (const auto field : fields) {
      TARN_RETURN_NOT_OK(NewKey(field.key, names));
      TARN_ASSIGN_OR_RETURN(engine::Parameter parameter, ToParameter(field.value));
      query.named_parameters.emplace_back(std::string(field.key), std::move(parameter));
    }
    return Status::Ok();
  }
  if (element.is_null()) return Status::Ok();
  return Status::InvalidArgument("\"parameters\" must be an array (positional) or an object (named)");
}

Status ParseJsonSql(std::string_view body, engine::QueryRequest& query) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(body.data(), body.size()).get(root); error != simdjson::SUCCESS) {
    // The parser does not tell them apart.
    if (error == simdjson::NUMBER_ERROR) {
      return Status::InvalidArgument(
          "the body has a number that is malformed, or beyond 64-bit signed integers: pass that one as a string");
    }
    return Status::InvalidArgument(std::string("the body is not JSON: ") + simdjson::error_message(error));
  }
  if (!root.is_object()) return Status::InvalidArgument("the body must be an object {\"sql\": …, \"parameters\": …}");
  std::set<std::string_view> keys;
  const simdjson::dom::object fields = root.get_object().value_unsafe();
  for (const auto field : fields) {
    TARN_RETURN_NOT_OK(NewKey(field.key, keys));
    if (field.key == "sql") {
      if (!field.value.is_string()) return Status::InvalidArgument("\"sql\" must be a string");
      query.sql = field.value.get_string().value_unsafe();
    } else if (field.key == "parameters") {
      TARN_RETURN_NOT_OK(ParseParameters(field.value, query));
    } else {
      return Status::InvalidArgument("unknown key \"" + std::string(field.key) +
                                     "\"; there are \"sql\" and \"parameters\"");
    }
  }
  if (!keys.contains("sql")) return Status::InvalidArgument("the body has no \"sql\"");
  return Status::Ok();
}

bool IsJson(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  if (content_type.size() < kJson.size()) return false;
  for (size_t i = 0; i < kJson.size(); ++i) {
    if ((content_type[i] | 0x20) != (kJson[i] | 0x20)) return false;
  }
  const std::string_view rest = content_type.substr(kJson.size());
  return rest.empty() || rest.front() == ';' || rest.front() == ' ';
}

}  // namespace

Status ParseSqlRequest(std::string_view content_type, std::string_view body, engine::QueryRequest& query) {
  if (IsJson(content_type)) {
    TARN_RETURN_NOT_OK(ParseJsonSql(body, query));
  } else {
    if (!simdjson::validate_utf8(body.data(), body.size())) return Status::InvalidArgument("the SQL text is not UTF-8");
    query.sql = body;
  }
  if (query.sql.find('\0') != std::string::npos) return Status::InvalidArgument("the SQL text contains a NUL");
  if (query.sql.find_first_not_of(" \t\r\n;") == std::string::npos) {
    return Status::InvalidArgument("the SQL text is empty; send it as the body of the request");
  }
  return Status::Ok();
}

HttpResponse HttpService::HandleSql(HttpRequest& request) {
  const std::string query_id = random_.Uuid();
  const auto fail = [&](const Status& status) { return Problem(status, query_id); };
  const std::optional<ResultFormat> format = NegotiateFormat(request.Header("accept"));
  if (!format.has_value()) {
    return Problem(406, "InvalidArgument",
                   "none of the formats in Accept is available; there are application/json, application/x-ndjson, "
                   "text/csv, application/vnd.apache.arrow.stream, application/vnd.apache.parquet, text/markdown and "
                   "text/plain");
  }
  engine::QueryRequest query;
  query.query_id = query_id;
  if (Status status = DecodeBody(request, options_.max_body_bytes); !status.ok()) {
    return Problem(BodyFaultStatus(status), StatusCodeName(status.code()), status.message());
  }
  if (Status status = ParseSqlRequest(request.Header("content-type"), request.body, query); !status.ok()) {
    return fail(status);
  }
  if (!ready_) return fail(Status::Unavailable("the server is not ready for queries yet"));
  if (request.cancel != nullptr) {
    request.cancel->Set([queries = backend_.queries, query_id] {
      // NotFound when it has not begun or is over: the check below and the end of the stream see to those.
      (void)queries->Cancel(query_id);
    });
  }
  auto stream = backend_.queries->Execute(query);
  if (request.cancel != nullptr && request.cancel->cancelled()) return fail(Status::Cancelled("the client went away"));
  if (!stream.ok()) return fail(stream.status());
  auto encoder = ResultEncoder::Make(std::move(stream).value(), *format);
  if (!encoder.ok()) return fail(encoder.status());
  HttpResponse response;
  response.query_id = (*encoder)->query_id();
  response.headers.emplace_back("X-Tarn-Query-Id", response.query_id);
  response.content_type = FormatMediaType(*format);
  if (*format == ResultFormat::kCsv || *format == ResultFormat::kTable || *format == ResultFormat::kMarkdown) {
    response.content_type += "; charset=utf-8";
  }
  response.source = std::make_unique<SqlBody>(std::move(encoder).value());
  return response;
}

}  // namespace tarn::frontends
