#include "engine/data_file_errors.h"

#include "duckdb/common/error_data.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_catalog.h"

namespace tarn::engine {
namespace {

/// Whether DuckDB's decoders say that the bytes are wrong. A pushed-down filter of the user's fails within a scan too,
/// by a conversion or an input that is invalid; a decoder then names the file. DuckDB's own files (when it spills) fail
/// with an errno, ours through the store with a status.
bool SaysDamaged(const duckdb::ErrorData& error) {
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

std::string Where(const ScanSource& source, const std::string& path) {
  const std::string table = "table " + source.view().name.ToString() + " version " + std::to_string(source.version());
  return path.empty() ? table : table + ": data file " + path;
}

}  // namespace

void RethrowOfScan(const std::exception& exception, const ScanSource& source, const std::string& path) {
  const duckdb::ErrorData error(exception);
  if (IsOwnStatus(error) || !SaysDamaged(error)) throw;
  ThrowStatus(Status::Corruption(Where(source, path) + ": " + StatusFromError(error).message()));
}

void RethrowOfOpening(const std::exception& exception, const ScanSource& source, const std::string& path) {
  const Status status = StatusFromError(duckdb::ErrorData(exception));
  if (!status.Is(StatusCode::kNotFound)) RethrowOfScan(exception, source, path);
  if (!source.is_past()) ThrowStatus(Status::Corruption(Where(source, path) + " is missing"));
  ThrowStatus(Status::NotFound(Where(source, path) + " is gone; VACUUM removes files of past versions"));
}

}  // namespace tarn::engine
