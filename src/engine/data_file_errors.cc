#include "engine/data_file_errors.h"

#include "delta/table_path.h"
#include "duckdb/common/error_data.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_catalog.h"

namespace tarn::engine {
namespace {

/// Whether DuckDB's decoders say that the bytes are wrong. A pushed-down filter of the user's fails within a scan too,
/// by a conversion or an input that is invalid; a decoder then names the file. DuckDB's own files (when it spills) fail
/// with an errno, ours through the store with a status.
bool SaysDamaged(const duckdb::ErrorData& error) {
  // A column whose values are not of the table's type.
  if (error.RawMessage().starts_with(std::string("Error while reading file \"") + kLakeScheme)) return true;
  switch (error.Type()) {
    case duckdb::ExceptionType::INVALID_INPUT:
      return error.RawMessage().find(kLakeScheme) != std::string::npos;
    case duckdb::ExceptionType::INVALID:
      return true;
    case duckdb::ExceptionType::IO:
      return error.ExtraInfo().count("errno") == 0 && error.RawMessage().find("temp_directory") == std::string::npos;
    default:
      return false;
  }
}

/// The table and, where there is one, the file by its key.
std::string Where(const ScanSource& source, std::string_view path) {
  const std::string table = "table " + source.view().name.ToString() + " version " + std::to_string(source.version());
  if (path.starts_with(source.path_prefix())) path.remove_prefix(source.path_prefix().size());
  return path.empty() ? table : table + ": data file " + delta::ShownKey(path, source.view().store->uri());
}

/// A file that the log names is not there; `why` says which where `path` does not.
[[noreturn]] void ThrowGone(const ScanSource& source, const std::string& path, const Status& why) {
  const std::string what = Where(source, path) + (path.empty() ? ": " + why.message() : "");
  if (!source.is_past()) ThrowStatus(Status::Corruption(path.empty() ? what : what + " is missing"));
  ThrowStatus(Status::NotFound((path.empty() ? what : what + " is gone") + "; VACUUM removes files of past versions"));
}

}  // namespace

void RethrowOfScan(const std::exception& exception, const ScanSource& source, const std::string& path) {
  const duckdb::ErrorData error(exception);
  // What is known of a file from an earlier query is read of it no more, so that it may be first missed here.
  if (const Status status = StatusFromError(error);
      IsOwnStatus(error) && status.Is(StatusCode::kNotFound) && status.message().starts_with(kDataFilePrefix)) {
    ThrowGone(source, path, status);
  }
  if (IsOwnStatus(error) || !SaysDamaged(error)) throw;
  // Files have names of their own within the engine.
  const std::string what =
      duckdb::StringUtil::Replace(StatusFromError(error).message(), source.path_prefix(), std::string());
  ThrowStatus(Status::Corruption(Where(source, path) + ": " + what));
}

Status FaultOfTable(const Status& status, const ScanSource& source, const std::string& path) {
  const bool is_gone = status.Is(StatusCode::kNotFound);
  const bool is_damage = is_gone || status.Is(StatusCode::kInvalidArgument);
  Status told(is_damage ? StatusCode::kCorruption : status.code(), Where(source, path) + ": " + status.message());
  if (!is_gone || !source.is_past()) return told;
  return Status::NotFound(told.message() + "; VACUUM removes files of past versions");
}

void RethrowOfOpening(const std::exception& exception, const ScanSource& source, const std::string& path) {
  const duckdb::ErrorData error(exception);
  const Status status = StatusFromError(error);
  if (!IsOwnStatus(error) && !status.Is(StatusCode::kNotFound)) RethrowOfScan(exception, source, path);
  switch (status.code()) {
    case StatusCode::kNotFound:
      ThrowGone(source, path, status);
    case StatusCode::kInvalidArgument:
      ThrowStatus(FaultOfTable(status, source, ""));
    case StatusCode::kPermissionDenied:
      ThrowStatus(FaultOfTable(Status::Unavailable(status.message()), source, ""));
    default:
      throw;
  }
}

}  // namespace tarn::engine
