// The three write endpoints of the influx clients, and what else those clients ask for.
#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/error_table.h"
#include "frontends/encoding/value_text.h"
#include "frontends/http/http_service.h"
#include "ingest/precision.h"

namespace tarn::frontends {

namespace {

std::string_view InfluxCode(int http_status) {
  switch (http_status) {
    case 400:
      return "invalid";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not found";
    case 405:
      return "method not allowed";
    case 409:
      return "conflict";
    case 413:
      return "request too large";
    case 422:
      return "unprocessable entity";
    case 429:
      return "too many requests";
    case 503:
      return "unavailable";
    default:
      return http_status < 500 ? "invalid" : "internal error";
  }
}

void AppendLineError(const ingest::LineError& error, ByteBuffer& json) {
  json.Append("{\"original_line\":");
  AppendJsonString(error.original_line, json);
  json.Append(",\"line_number\":");
  AppendInt(error.line_number, json);
  json.Append(",\"error_message\":");
  AppendJsonString(error.reason, json);
  json.Push('}');
}

/// InfluxDB 3's two shapes: every bad line of what was kept in part, the first of what was refused as a whole.
void AppendLineErrors(const ingest::WriteOutcome& outcome, bool accept_partial, ByteBuffer& json) {
  const char* const what = !accept_partial          ? "parsing failed for write_lp endpoint"
                           : outcome.lines_kept > 0 ? "partial write of line protocol occurred"
                                                    : "line protocol parsing error";
  json.Append("{\"error\":");
  AppendJsonString(what, json);
  json.Append(",\"data\":");
  if (!accept_partial && !outcome.errors.empty()) return AppendLineError(outcome.errors.front(), json);
  json.Push('[');
  bool first = true;
  for (const ingest::LineError& error : outcome.errors) {
    if (!first) json.Push(',');
    first = false;
    AppendLineError(error, json);
  }
  json.Push(']');
}

/// "partial write: 2 of 5 lines were not kept; line 2: …; line 4: …"
std::string DescribeErrors(const ingest::WriteOutcome& outcome) {
  std::string text = outcome.lines_kept > 0 ? "partial write: " : "line protocol parsing error: ";
  text += std::to_string(outcome.error_count) + " of " + std::to_string(outcome.error_count + outcome.lines_kept) +
          " lines were not kept";
  for (const ingest::LineError& error : outcome.errors) {
    text += "; line " + std::to_string(error.line_number) + ": " + error.reason;
  }
  if (static_cast<size_t>(outcome.error_count) > outcome.errors.size()) {
    text += "; and " + std::to_string(static_cast<size_t>(outcome.error_count) - outcome.errors.size()) + " more";
  }
  return text;
}

/// A client drops its data on a 4xx and keeps it on 503: only what the client can change is the former. A table that is
/// damaged or that the server may not open is none of its business, however the same is called for a query.
int WriteFailureStatus(const Status& status) {
  switch (status.code()) {
    case StatusCode::kResourceExhausted:
      // More than could ever be buffered: the client has to send less at once, as after a body that is too large.
      return 413;
    case StatusCode::kInvalidArgument:
    case StatusCode::kUnsupported:
    case StatusCode::kInternal:
      return CodesOf(status.code()).http_status;
    default:
      return 503;
  }
}

/// The name in "CREATE DATABASE name …", nullopt for any other statement.
bool IsCreateDatabase(std::string_view statement) {
  std::string upper(statement.substr(0, 64));
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  const auto skip_spaces = [&](size_t at) { return std::min(upper.find_first_not_of(" \t\r\n", at), upper.size()); };
  size_t at = skip_spaces(0);
  if (upper.compare(at, 6, "CREATE") != 0) return false;
  const size_t database = skip_spaces(at + 6);
  return database > at + 6 && upper.compare(database, 8, "DATABASE") == 0 && skip_spaces(database + 8) > database + 8;
}

}  // namespace

HttpResponse WriteError(int api_version, int http_status, std::string_view message) {
  ByteBuffer json;
  if (api_version == 2) {
    json.Append("{\"code\":");
    AppendJsonString(InfluxCode(http_status), json);
    json.Append(",\"message\":");
  } else {
    json.Append("{\"error\":");
  }
  AppendJsonString(message, json);
  json.Append("}\n");
  HttpResponse response;
  response.status = http_status;
  response.content_type = "application/json";
  response.body = json.view();
  if (http_status == 503 || http_status == 429) response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse WriteAnswer(int api_version, const ingest::WriteOutcome& outcome, bool accept_partial) {
  if (!outcome.status.ok()) {
    return WriteError(api_version, WriteFailureStatus(outcome.status), outcome.status.message());
  }
  HttpResponse response;
  response.headers.emplace_back("X-Tarn-Lines-Kept", std::to_string(outcome.lines_kept));
  response.headers.emplace_back("X-Tarn-Lines-Refused", std::to_string(outcome.error_count));
  if (outcome.error_count == 0 && outcome.errors.empty()) {
    response.status = 204;
    return response;
  }
  ByteBuffer json;
  if (api_version == 2) {
    json.Append("{\"code\":\"invalid\",\"message\":");
    AppendJsonString(DescribeErrors(outcome), json);
    if (!outcome.errors.empty()) {
      json.Append(",\"line\":");
      AppendInt(outcome.errors.front().line_number, json);
    }
  } else {
    AppendLineErrors(outcome, accept_partial, json);
  }
  json.Append("}\n");
  response.status = 400;
  response.content_type = "application/json";
  response.body = json.view();
  return response;
}

HttpResponse HttpService::HandleWrite(HttpRequest& request, int api_version) {
  const std::string_view name = api_version == 2 ? "bucket" : "db";
  std::string database = request.Query(name).value_or("");
  if (database.empty()) {
    return WriteError(api_version, 400, "the query parameter '" + std::string(name) + "' is missing");
  }
  if (const std::string policy = request.Query("rp").value_or("");
      api_version == 1 && !policy.empty() && policy != "autogen" && policy != "default") {
    database += "/" + policy;
  }
  const auto api = api_version == 1   ? ingest::WriteApi::kV1
                   : api_version == 2 ? ingest::WriteApi::kV2
                                      : ingest::WriteApi::kV3;
  const auto precision = ingest::ParsePrecision(request.Query("precision").value_or(""), api);
  if (!precision.ok()) return WriteError(api_version, 400, precision.status().message());
  ingest::WriteOptions options{.precision = *precision};
  if (const std::string partial = request.Query("accept_partial").value_or("true"); api_version == 3) {
    if (partial != "true" && partial != "false") {
      return WriteError(api_version, 400, "accept_partial is true or false, not '" + partial + "'");
    }
    options.accept_partial = partial == "true";
  }
  if (Status status = DecodeBody(request, options_.max_body_bytes); !status.ok()) {
    return WriteError(api_version, BodyFaultStatus(status), status.message());
  }
  if (!ready_) return WriteError(api_version, 503, "the server is not ready for writes yet");
  return WriteAnswer(api_version, backend_.write_lines(database, request.body, options), options.accept_partial);
}

HttpResponse HttpService::HandleInfluxQuery(const HttpRequest& request) {
  std::optional<std::string> statement = request.Query("q");
  if (!statement.has_value()) {
    HttpRequest form;
    if (ParseTarget("/?" + request.body, form).ok()) statement = form.Query("q");
  }
  if (!statement.has_value()) return WriteError(1, 400, "missing required parameter \"q\"");
  if (!IsCreateDatabase(*statement)) {
    return WriteError(1, 422, "InfluxQL is not supported; send SQL to POST /api/sql");
  }
  // Databases come into being with their first write.
  HttpResponse response;
  response.content_type = "application/json";
  response.body = "{\"results\":[{\"statement_id\":0}]}\n";
  return response;
}

}  // namespace tarn::frontends
