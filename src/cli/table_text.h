#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "lake/table_view.h"

namespace tarn::cli {

/// Lines of text cells under a header, in columns as wide as they need.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "2026-01-02T03:04:05.678Z"
std::string TimestampText(int64_t millis);

/// Appends `,"key":"text"` to a JSON object.
void AppendMember(std::string& json, std::string_view key, std::string_view text);

/// `"database":…,"table":…`, both null for a table without a name in a lake.
std::string NameMembers(const lake::TableName& name);

/// "no files", "1 file", "2 files"
std::string CountText(int64_t count, const std::string& what);

/// "reader 2, writer 5", and which features a reader must know.
std::string ProtocolText(const delta::Protocol& protocol);

/// The same as members of a JSON object: versions, and all features that are listed or implied.
std::string ProtocolMembers(const delta::Protocol& protocol);

/// Standard output in pieces, for what is too long to be held. The first failure ends the writing.
class StreamedText {
 public:
  /// Writes what is left.
  Status Finish();
  StreamedText& operator+=(std::string_view text);

 private:
  std::string waiting_;
  Status status_;
};

}  // namespace tarn::cli
