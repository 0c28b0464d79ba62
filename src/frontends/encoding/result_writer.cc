#include "frontends/encoding/result_writer.h"

#include <array>
#include <utility>

#include "frontends/encoding/result_writers.h"

namespace tarn::frontends {

namespace {

struct FormatEntry {
  ResultFormat format;
  std::string_view name;
  std::string_view media_type;
};

constexpr std::array<FormatEntry, 7> kFormats = {{
    {ResultFormat::kJson, "json", "application/json"},
    {ResultFormat::kNdjson, "ndjson", "application/x-ndjson"},
    {ResultFormat::kCsv, "csv", "text/csv"},
    {ResultFormat::kArrow, "arrow", "application/vnd.apache.arrow.stream"},
    {ResultFormat::kParquet, "parquet", "application/vnd.apache.parquet"},
    {ResultFormat::kTable, "table", "text/plain"},
    {ResultFormat::kMarkdown, "markdown", "text/markdown"},
}};

}  // namespace

std::string_view FormatName(ResultFormat format) { return kFormats[static_cast<size_t>(format)].name; }
std::string_view FormatMediaType(ResultFormat format) { return kFormats[static_cast<size_t>(format)].media_type; }

std::optional<ResultFormat> FormatByName(std::string_view name) {
  for (const FormatEntry& entry : kFormats) {
    if (entry.name == name) return entry.format;
  }
  return std::nullopt;
}

Result<std::unique_ptr<ResultWriter>> ResultWriter::Make(ResultFormat format, std::shared_ptr<arrow::Schema> schema) {
  switch (format) {
    case ResultFormat::kJson:
      return MakeJsonWriter(std::move(schema), /*lines=*/false);
    case ResultFormat::kNdjson:
      return MakeJsonWriter(std::move(schema), /*lines=*/true);
    case ResultFormat::kCsv:
      return MakeCsvWriter(std::move(schema));
    case ResultFormat::kArrow:
      return MakeArrowWriter(std::move(schema));
    case ResultFormat::kParquet:
      return MakeParquetWriter(std::move(schema));
    case ResultFormat::kTable:
      return MakeTableWriter(std::move(schema));
    case ResultFormat::kMarkdown:
      return MakeMarkdownWriter(std::move(schema));
  }
  return Status::Internal("unknown result format");
}

}  // namespace tarn::frontends
