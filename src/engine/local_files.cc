#include "engine/local_files.h"

#include <optional>
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

std::string Text(const std::string& text) { return duckdb::KeywordHelper::WriteQuoted(text, '\''); }

/// How the file's first line is split.
struct CsvShape {
  char delimiter = ',';
  size_t columns = 1;
};

/// The delimiter that stands most often in a header, outside quotes.
CsvShape ShapeOf(std::string_view header) {
  CsvShape shape;
  for (const char delimiter : {',', ';', '\t', '|'}) {
    size_t columns = 1;
    bool quoted = false;
    for (const char c : header) {
      if (c == '"') quoted = !quoted;
      if (c == delimiter && !quoted) ++columns;
    }
    if (columns > shape.columns) shape = {delimiter, columns};
  }
  return shape;
}

/// `first_line` as the only column, without looking for a dialect.
std::string FirstLineQuery(const std::string& path) {
  return "SELECT line FROM read_csv(" + Text(path) +
         ", auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', ignore_errors = true, "
         "columns = {'line': 'VARCHAR'}) LIMIT 1";
}

/// DuckDB looks for a dialect in which the lines look alike: it takes one with fewer columns, or leaves lines out,
/// where one line has a column too many. So what a header says is given, and only types and names are looked for.
std::string DialectOptions(const CsvShape& shape) {
  return std::string(", delim = '") + shape.delimiter +
         "', quote = '\"', escape = '\"', skip = 0, comment = '', strict_mode = true, null_padding = false";
}

/// Reads all lines as texts, which fails with the place where detection only says that it did.
std::string CheckQuery(const std::string& path, const CsvShape& shape) {
  std::string columns;
  for (size_t i = 0; i < shape.columns; ++i) {
    columns += (i > 0 ? ", 'c" : "'c") + std::to_string(i) + "': 'VARCHAR'";
  }
  return "SELECT count(*) FROM read_csv(" + Text(path) + DialectOptions(shape) +
         ", auto_detect = false, header = false, columns = {" + columns + "})";
}

/// OK, or the error of a statement of ours, whose text is not shown: it is not the user's.
Status Run(duckdb::Connection& connection, const std::string& sql) {
  auto statements = connection.ExtractStatements(sql);
  statements[0]->query.clear();
  const auto result = connection.Query(std::move(statements[0]));
  if (!result->HasError()) return Status::Ok();
  const Status status = StatusFromError(result->GetErrorObject());
  return {status.code(), SqlErrorText(status)};
}

}  // namespace

Status AddFileView(duckdb::Connection& connection, const std::string& schema, const std::string& name,
                   const std::string& path) {
  TARN_ASSIGN_OR_RETURN(const std::string reader, LocalFileReader(path));
  std::optional<CsvShape> shape;
  if (reader == "read_csv") {
    const auto first_line = connection.Query(FirstLineQuery(path));
    if (!first_line->HasError() && first_line->RowCount() == 0) {
      return Status::InvalidArgument(path + ": it has no line, not even one that names columns");
    }
    if (!first_line->HasError()) {
      shape = ShapeOf(first_line->GetValue(0, 0).ToString());
    }
  }
  const auto error_of = [&](const Status& status) {
    return status.message().find(path) == std::string::npos ? status.WithContext(path) : status;
  };
  const Status created = Run(connection, "CREATE VIEW " + schema + "." + duckdb::KeywordHelper::WriteQuoted(name, '"') +
                                             " AS SELECT * FROM " + reader + "(" + Text(path) +
                                             (shape ? DialectOptions(*shape) : "") + ")");
  if (created.ok()) return created;
  if (shape) {
    const Status checked = Run(connection, CheckQuery(path, *shape));
    if (!checked.ok()) return error_of(checked);
  }
  return error_of(created);
}

}  // namespace tarn::engine
