#include "engine/error_text.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/string_util.hpp"
#include "engine/tree_gate.h"

namespace tarn::engine {
namespace {

/// Of a text, from its beginning and from its end, where the reason often stands behind a value.
constexpr size_t kMaxHeadBytes = 3 << 10;
constexpr size_t kMaxTailBytes = 1 << 10;

// How DuckDB's texts about local files begin.
constexpr std::string_view kCsvError = "CSV Error on Line: ";
constexpr std::string_view kCsvRow = "Original Line: ";
constexpr std::string_view kCsvColumns = "Expected Number of Columns: ";
constexpr std::string_view kJsonError = "Malformed JSON in file \"";

bool IsOutOfReach(const std::string& quoted_name) {
  std::string name = duckdb::StringUtil::Lower(quoted_name);
  if (const size_t dot = name.rfind('.'); dot != std::string::npos) name = name.substr(dot + 1);
  for (const char* const prefix : {"duckdb_", "pg_", "pragma_", "sqlite_"}) {
    if (name.starts_with(prefix)) return true;
  }
  return IsDeniedFunction(name);
}

/// DuckDB knows names of its own that nobody can use here, and finds them similar to almost anything.
std::string WithoutVainSuggestion(std::string text) {
  const size_t begin = text.find("\nDid you mean \"");
  if (begin == std::string::npos) return text;
  const size_t end = std::min(text.find('\n', begin + 1), text.size());
  for (size_t open = text.find('"', begin); open < end;) {
    const size_t close = text.find('"', open + 1);
    if (close >= end) break;
    if (IsOutOfReach(text.substr(open + 1, close - open - 1))) return text.erase(begin, end - begin);
    open = text.find('"', close + 1);
  }
  return text;
}

bool BeginsWithOneOf(std::string_view line, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return line.starts_with(beginning); });
}

/// Settings are locked and extensions out of reach: leaves out the lines, and the end of the first one, that advise
/// to change either.
std::string WithoutVainAdvice(std::string_view text) {
  std::string kept;
  bool about_extension = false;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    const bool first = begin == 0;
    begin = end + 1;
    if (first) {
      for (const std::string_view advice : {" Use \"SET ", " Use SET "}) line = line.substr(0, line.find(advice));
      kept = line;
    } else if (BeginsWithOneOf(line, {"Please try installing", "INSTALL ", "LOAD ", "Install it first",
                                      "It is possible that the encoding exists in the encodings extension"})) {
      about_extension = true;
    } else if (!BeginsWithOneOf(line, {"Use \"SET ", "Use SET ", "SET ", "* SET ", "* PRAGMA ",
                                       "Alternatively, consider enabling auto"})) {
      kept.append("\n").append(line);
    }
  }
  kept.erase(kept.find_last_not_of(" \n") + 1);
  if (about_extension) kept += "\nExtensions cannot be loaded here.";
  return kept;
}

/// The first line of DuckDB's text says what happened; those after it advise SET, which nobody may here.
std::string OutOfMemoryText(const std::string& text) {
  return "the query needs more memory than it may have (" + text.substr(0, text.find('\n')) +
         "); let it read, group or sort less at once, or raise the limit (memory_limit in a server's configuration, "
         "--memory-limit of tarn sql)";
}

/// Moves what stands before `separator` from `text` to `before`; false when there is no separator.
bool Split(std::string_view& text, std::string_view separator, std::string_view& before) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return false;
  before = text.substr(0, at);
  text.remove_prefix(at + separator.size());
  return true;
}

/// Where the reason begins in a text that may have lines of the file before it.
size_t ReasonOfCsvError(std::string_view text) {
  for (const std::string_view reason : {"\nExpected Number of Columns: ", "\nValue with unterminated quote found",
                                        "\nError when converting column ", "\nInvalid unicode "}) {
    if (const size_t at = text.rfind(reason); at != std::string_view::npos) return at;
  }
  return text.find('\n');
}

/// "Expected Number of Columns: 3 Found: 4" in words.
std::string CsvReason(std::string_view text) {
  std::string_view expected;
  if (!text.starts_with(kCsvColumns) || !Split(text, " Found: ", expected)) return std::string(text);
  expected.remove_prefix(kCsvColumns.size());
  return "expected " + std::string(expected) + (expected == "1" ? " column" : " columns") + ", found " +
         std::string(text);
}

/// "CSV Error on Line: 7\nOriginal Line: …\n<what>\n<advice>\n\n  file = …\n<settings>": names the file and the line
/// first and leaves out the settings, with advice to change them one by one.
std::string CsvErrorText(std::string_view text) {
  std::string_view line;
  std::string_view settings = text;
  std::string_view file;
  if (!Split(text, "\n", line)) return std::string(text);
  line.remove_prefix(kCsvError.size());
  std::string_view row;
  if (const size_t reason = ReasonOfCsvError(text); text.starts_with(kCsvRow) && reason != std::string_view::npos) {
    row = text.substr(kCsvRow.size(), reason - kCsvRow.size());
    row = row.substr(0, row.find('\n'));
    text.remove_prefix(reason + 1);
  }
  for (const std::string_view end : {"\n\n", "\nPossible "}) text = text.substr(0, text.find(end));
  const bool has_file = Split(settings, "\n  file = ", file) && Split(settings, "\n", file);
  std::string place = has_file ? std::string(file) + ":" : "line ";
  place.append(line).append(": ").append(CsvReason(text)).append("\nThe line is: ").append(row);
  return place + "\nread_csv takes options for such a file, as in read_csv('…', types = {…}, ignore_errors = true).";
}

/// "Malformed JSON in file "…", at byte 2 in line 4: …": names the file and the line, or the record, first. DuckDB
/// counts one too many.
std::string JsonErrorText(std::string_view text) {
  std::string_view rest = text.substr(kJsonError.size());
  std::string_view file;
  std::string_view byte;
  std::string_view unit;
  std::string_view number;
  int64_t counted = 0;
  if (!Split(rest, "\", at byte ", file) || !Split(rest, " in ", byte) || !Split(rest, " ", unit) ||
      !Split(rest, ": ", number) ||
      std::from_chars(number.data(), number.data() + number.size(), counted).ec != std::errc()) {
    return std::string(text);
  }
  return "file \"" + std::string(file) + "\", " + std::string(unit) + " " + std::to_string(counted - 1) + ", byte " +
         std::string(byte) + ": malformed JSON: " + std::string(rest);
}

/// Errors in local files, as the command line reads them.
std::string FileErrorText(std::string text) {
  if (text.starts_with(kCsvError)) return CsvErrorText(text);
  if (text.starts_with(kJsonError)) return JsonErrorText(text);
  if (text.starts_with("Error when sniffing file \"")) {
    for (const char* const end : {"\nThe search space used was:", "\nPossible fixes:"}) {
      if (const size_t at = text.find(end); at != std::string::npos) text.resize(at);
    }
  }
  return text;
}

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string Bounded(std::string text) {
  if (text.size() <= kMaxHeadBytes + kMaxTailBytes) return text;
  size_t head = kMaxHeadBytes;
  size_t tail = text.size() - kMaxTailBytes;
  while (head > 0 && ContinuesCharacter(text[head])) --head;
  while (tail < text.size() && ContinuesCharacter(text[tail])) ++tail;
  return text.substr(0, head) + " … (" + std::to_string(tail - head) + " bytes) … " + text.substr(tail);
}

}  // namespace

std::string ErrorText(const duckdb::ErrorData& error) {
  std::string text = error.RawMessage();
  // DuckDB adds one to its internal errors; addresses and paths of this machine are nobody's business.
  if (const size_t trace = text.find("\n\nStack Trace:"); trace != std::string::npos) text.resize(trace);
  if (error.Type() == duckdb::ExceptionType::OUT_OF_MEMORY) return OutOfMemoryText(text);
  return WithoutVainAdvice(Bounded(WithoutVainSuggestion(FileErrorText(std::move(text)))));
}

}  // namespace tarn::engine
