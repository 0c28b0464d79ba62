#include "cli/table_text.h"

#include <algorithm>

#include "cli/command_line.h"
#include "delta/log/commit_json.h"
#include "delta/protocol_features.h"
#include "frontends/encoding/value_text.h"

namespace tarn::cli {

std::string TextTable::ToString() const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text += std::string(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string TimestampText(int64_t millis) {
  frontends::ByteBuffer text;
  frontends::AppendTimestamp(millis, 1000, /*utc=*/true, text);
  return std::string(text.view());
}

void AppendMember(std::string& json, std::string_view key, std::string_view text) {
  json.append(",\"").append(key).append("\":");
  delta::AppendJsonString(json, text);
}

std::string NameMembers(const lake::TableName& name) {
  if (name.table.empty()) return R"("database":null,"table":null)";
  std::string json = R"("database":)";
  delta::AppendJsonString(json, name.database);
  AppendMember(json, "table", name.table);
  return json;
}

std::string CountText(int64_t count, const std::string& what) {
  return (count == 0 ? "no" : std::to_string(count)) + " " + what + (count == 1 ? "" : "s");
}

std::string ProtocolText(const delta::Protocol& protocol) {
  std::string text = "reader " + std::to_string(protocol.min_reader_version) + ", writer " +
                     std::to_string(protocol.min_writer_version);
  std::string features;
  for (const std::string& feature : delta::ReaderFeaturesOf(protocol)) {
    features += (features.empty() ? "" : ", ") + feature;
  }
  return features.empty() ? text : text + "; readers must know " + features;
}

std::string ProtocolMembers(const delta::Protocol& protocol) {
  const auto list = [](const auto& features) {
    std::string json = "[";
    for (const std::string& feature : features) {
      if (json.size() > 1) json += ',';
      delta::AppendJsonString(json, feature);
    }
    return json + "]";
  };
  return R"("min_reader_version":)" + std::to_string(protocol.min_reader_version) + R"(,"min_writer_version":)" +
         std::to_string(protocol.min_writer_version) + R"(,"features":)" + list(delta::FeaturesOf(protocol)) +
         R"(,"reader_features":)" + list(delta::ReaderFeaturesOf(protocol));
}

StreamedText& StreamedText::operator+=(std::string_view text) {
  constexpr size_t kPieceBytes = 64 << 10;
  waiting_ += text;
  if (waiting_.size() >= kPieceBytes) (void)Finish();  // Kept for the last one.
  return *this;
}

Status StreamedText::Finish() {
  if (status_.ok() && !waiting_.empty()) status_ = WriteStdout(waiting_);
  waiting_.clear();
  return status_;
}

}  // namespace tarn::cli
