#include "engine/local_files.h"

#include <string_view>
#include <utility>

#include "duckdb/common/string_util.hpp"
#include "duckdb/main/connection.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "engine/exception_barrier.h"
#include "engine/query_service.h"

namespace tarn::engine {
namespace {

/// The table function that reads a file of this name.
Result<std::string> LocalFileReader(const std::string& path) {
  static constexpr std::pair<std::string_view, std::string_view> kReaders[] = {
      {".parquet", "read_parquet"}, {".csv", "read_csv"},      {".csv.gz", "read_csv"},       {".tsv", "read_csv"},
      {".ndjson", "read_ndjson"},   {".jsonl", "read_ndjson"}, {".ndjson.gz", "read_ndjson"}, {".json", "read_json"},
  };
  const std::string lower = duckdb::StringUtil::Lower(path);
  for (const auto& [suffix, reader] : kReaders) {
    if (lower.ends_with(suffix)) return std::string(reader);
  }
  return Status::InvalidArgument(path + ": only .parquet, .csv, .tsv, .ndjson, .jsonl and .json files can be read");
}

}  // namespace

Status AddFileView(duckdb::Connection& connection, const std::string& schema, const std::string& name,
                   const std::string& path) {
  TARN_ASSIGN_OR_RETURN(const std::string reader, LocalFileReader(path));
  auto statements = connection.ExtractStatements("CREATE VIEW " + schema + "." +
                                                 duckdb::KeywordHelper::WriteQuoted(name, '"') + " AS SELECT * FROM " +
                                                 reader + "(" + duckdb::KeywordHelper::WriteQuoted(path, '\'') + ")");
  // Without its text an error does not show the statement, which is not the user's.
  statements[0]->query.clear();
  const auto result = connection.Query(std::move(statements[0]));
  if (!result->HasError()) return Status::Ok();
  const Status status = StatusFromError(result->GetErrorObject());
  const Status error(status.code(), SqlErrorText(status));
  return error.message().find(path) == std::string::npos ? error.WithContext(path) : error;
}

}  // namespace tarn::engine
