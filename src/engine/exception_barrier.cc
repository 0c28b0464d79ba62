#include "engine/exception_barrier.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"
#include "engine/error_text.h"
#include "engine/query_service.h"
#include "engine/sql_error_position.h"

namespace tarn::engine {
namespace {

// DuckDB carries these through every layer, JSON included, so that a status arrives as it left.
constexpr char kCodeKey[] = "tarn_status_code";
constexpr char kMessageKey[] = "tarn_status_message";

duckdb::ExceptionType TypeOf(StatusCode code) {
  // Never INTERNAL or FATAL: those make DuckDB give up the whole instance.
  switch (code) {
    case StatusCode::kInvalidArgument:
      return duckdb::ExceptionType::INVALID_INPUT;
    case StatusCode::kNotFound:
      return duckdb::ExceptionType::CATALOG;
    case StatusCode::kPermissionDenied:
      return duckdb::ExceptionType::PERMISSION;
    case StatusCode::kCancelled:
      return duckdb::ExceptionType::INTERRUPT;
    case StatusCode::kUnsupported:
      return duckdb::ExceptionType::NOT_IMPLEMENTED;
    default:
      return duckdb::ExceptionType::IO;
  }
}

StatusCode CatalogCode(const duckdb::ErrorData& error) {
  const auto& info = error.ExtraInfo();
  auto subtype = info.find("error_subtype");
  if (subtype != info.end() && subtype->second == "MISSING_ENTRY") return StatusCode::kNotFound;
  // Some paths rebuild the error and lose its kind; an unknown first part of a name is told in words only.
  const bool names_catalog =
      error.Type() == duckdb::ExceptionType::CATALOG || error.RawMessage().starts_with("Catalog \"");
  const bool missing = names_catalog && error.RawMessage().find("does not exist") != std::string::npos;
  return missing ? StatusCode::kNotFound : StatusCode::kInvalidArgument;
}

StatusCode IoCode(const duckdb::ErrorData& error) {
  const std::string& message = error.RawMessage();
  // Its own files, to which it spills, are nothing that a query could have asked for.
  for (const char* const own : {"Failed to create directory", "duckdb_temp_"}) {
    if (message.find(own) != std::string::npos) return StatusCode::kUnavailable;
  }
  const auto& info = error.ExtraInfo();
  auto number = info.find("errno");
  if (number != info.end() && number->second == "2") return StatusCode::kNotFound;
  if (message.find("No files found") != std::string::npos) return StatusCode::kNotFound;
  if (message.find("temp_directory") != std::string::npos) return StatusCode::kResourceExhausted;
  return StatusCode::kUnavailable;
}

StatusCode CodeOf(const duckdb::ErrorData& error) {
  using duckdb::ExceptionType;
  switch (error.Type()) {
    case ExceptionType::CATALOG:
    case ExceptionType::BINDER:
      return CatalogCode(error);
    case ExceptionType::PERMISSION:
      return StatusCode::kPermissionDenied;
    case ExceptionType::OUT_OF_MEMORY:
    case ExceptionType::OBJECT_SIZE:
      return StatusCode::kResourceExhausted;
    case ExceptionType::INTERRUPT:
      return StatusCode::kCancelled;
    case ExceptionType::IO:
      return IoCode(error);
    case ExceptionType::HTTP:
    case ExceptionType::NETWORK:
    case ExceptionType::CONNECTION:
      return StatusCode::kUnavailable;
    case ExceptionType::NOT_IMPLEMENTED:
    case ExceptionType::MISSING_EXTENSION:
    case ExceptionType::AUTOLOAD:
      return StatusCode::kUnsupported;
    case ExceptionType::INTERNAL:
    case ExceptionType::FATAL:
    case ExceptionType::NULL_POINTER:
    case ExceptionType::OPTIMIZER:
    case ExceptionType::PLANNER:
    case ExceptionType::SCHEDULER:
    case ExceptionType::EXECUTOR:
    case ExceptionType::SERIALIZATION:
    case ExceptionType::TRANSACTION:
      return StatusCode::kInternal;
    case ExceptionType::INVALID:
      // An exception that is not DuckDB's own.
      return StatusCode::kInternal;
    default:
      return StatusCode::kInvalidArgument;
  }
}

std::optional<StatusCode> ParseCode(const std::string& text) {
  char* end = nullptr;
  long code = std::strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || *end != '\0' || code <= 0 || code >= kStatusCodeCount) return std::nullopt;
  return static_cast<StatusCode>(code);
}

}  // namespace

void ThrowStatus(const Status& status) {
  duckdb::unordered_map<std::string, std::string> info;
  info[kCodeKey] = std::to_string(static_cast<int>(status.code()));
  info[kMessageKey] = status.message();
  throw duckdb::Exception(info, TypeOf(status.code()), status.message());
}

bool IsOwnStatus(const duckdb::ErrorData& error) { return error.ExtraInfo().contains(kCodeKey); }

Status StatusFromError(const duckdb::ErrorData& error) {
  const auto& info = error.ExtraInfo();
  auto code = info.find(kCodeKey);
  auto message = info.find(kMessageKey);
  if (code != info.end() && message != info.end()) {
    if (auto parsed = ParseCode(code->second)) return {*parsed, message->second};
  }
  std::string text = ErrorText(error);
  auto position = info.find("position");
  if (position != info.end()) text += kPositionPrefix + position->second + ")";
  return {CodeOf(error), std::move(text)};
}

Status StatusFromCurrentException() {
  try {
    throw;
  } catch (const std::exception& exception) {
    return StatusFromError(duckdb::ErrorData(exception));
  } catch (...) {
    return Status::Internal("an exception of unknown type reached the engine's barrier");
  }
}

bool InvalidatesInstance(const duckdb::ErrorData& error) {
  return error.Type() == duckdb::ExceptionType::INTERNAL || duckdb::Exception::InvalidatesDatabase(error.Type());
}

}  // namespace tarn::engine
