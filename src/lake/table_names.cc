#include "lake/table_names.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "lake/lake.h"

namespace tarn::lake {

namespace {

constexpr std::array<std::string_view, 6> kReserved = {"_tarn",     "system", "main", "temp", "information_schema",
                                                       "pg_catalog"};
/// Percent-encoding triples a name at worst, and file systems allow 255 bytes for a path part.
constexpr size_t kMaxEncodedBytes = 240;

Status CheckPart(std::string_view what, std::string_view part) {
  if (part.empty()) return Status::InvalidArgument(std::string(what) + " name is empty");
  const bool control =
      std::any_of(part.begin(), part.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
  if (control) return Status::InvalidArgument(std::string(what) + " name holds a control character");
  if (!simdjson::validate_utf8(part)) return Status::InvalidArgument(std::string(what) + " name is not valid UTF-8");
  size_t encoded_bytes = 0;
  for (const char c : part) {
    const bool plain =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    encoded_bytes += plain ? 1 : 3;
  }
  if (encoded_bytes > kMaxEncodedBytes) {
    return Status::InvalidArgument(std::string(what) + " name is longer than " + std::to_string(kMaxEncodedBytes) +
                                   " bytes once encoded");
  }
  return Status::Ok();
}

}  // namespace

std::string FoldCase(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

bool IsReservedDatabase(std::string_view database) {
  return std::find(kReserved.begin(), kReserved.end(), FoldCase(database)) != kReserved.end();
}

Status CheckTableName(const TableName& name) {
  TARN_RETURN_NOT_OK(CheckPart("database", name.database));
  TARN_RETURN_NOT_OK(CheckPart("table", name.table));
  if (IsReservedDatabase(name.database)) {
    return Status::InvalidArgument("database name '" + name.database + "' is reserved");
  }
  return Status::Ok();
}

}  // namespace tarn::lake
