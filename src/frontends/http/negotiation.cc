#include "frontends/http/negotiation.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>

namespace tarn::frontends {

namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

/// "0.75" as 750; anything malformed counts as full weight, as browsers' habits would have it.
int ParseWeight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 1000;
  int weight = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] == '.') {
    int unit = 100;
    for (const char c : text.substr(2, 3)) {
      if (c < '0' || c > '9') return 1000;
      weight += (c - '0') * unit;
      unit /= 10;
    }
  }
  return std::min(weight, 1000);
}

/// Calls `visit(value, weight)` for each element of a list such as "a;q=0.5, b".
void VisitWeighted(std::string_view header, const std::function<void(const std::string&, int)>& visit) {
  while (!header.empty()) {
    const size_t comma = header.find(',');
    std::string_view element = header.substr(0, comma);
    header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
    const size_t semicolon = element.find(';');
    const std::string value = Lower(Trim(element.substr(0, semicolon)));
    int weight = 1000;
    std::string_view parameters = semicolon == std::string_view::npos ? std::string_view() : element.substr(semicolon);
    while (!parameters.empty()) {
      parameters.remove_prefix(1);
      const size_t next = parameters.find(';');
      const std::string_view parameter = Trim(parameters.substr(0, next));
      if (parameter.size() > 2 && (parameter[0] == 'q' || parameter[0] == 'Q') && parameter[1] == '=') {
        weight = ParseWeight(Trim(parameter.substr(2)));
      }
      parameters = next == std::string_view::npos ? std::string_view() : parameters.substr(next);
    }
    if (!value.empty()) visit(value, weight);
  }
}

struct Offer {
  ResultFormat format;
  std::string_view media_type;
};

// In our order of preference, which decides between equal weights.
constexpr std::array<Offer, 10> kOffers = {{
    {ResultFormat::kJson, "application/json"},
    {ResultFormat::kNdjson, "application/x-ndjson"},
    {ResultFormat::kNdjson, "application/ndjson"},
    {ResultFormat::kNdjson, "application/jsonl"},
    {ResultFormat::kCsv, "text/csv"},
    {ResultFormat::kArrow, "application/vnd.apache.arrow.stream"},
    {ResultFormat::kParquet, "application/vnd.apache.parquet"},
    {ResultFormat::kParquet, "application/x-parquet"},
    {ResultFormat::kMarkdown, "text/markdown"},
    {ResultFormat::kTable, "text/plain"},
}};

}  // namespace

std::optional<ResultFormat> NegotiateFormat(std::string_view accept) {
  if (Trim(accept).empty()) return ResultFormat::kJson;
  // A type's weight is that of the most specific range that matches it.
  std::array<int, kOffers.size()> weights{};
  std::array<int, kOffers.size()> specificity{};
  VisitWeighted(accept, [&](const std::string& range, int weight) {
    for (size_t i = 0; i < kOffers.size(); ++i) {
      const std::string_view type = kOffers[i].media_type;
      int specific = 0;
      if (range == type) {
        specific = 3;
      } else if (range.ends_with("/*") && range.size() > 3 &&
                 type.starts_with(std::string_view(range).substr(0, range.size() - 1))) {
        specific = 2;
      } else if (range == "*/*" || range == "*") {
        specific = 1;
      }
      if (specific > specificity[i]) {
        specificity[i] = specific;
        weights[i] = weight;
      }
    }
  });
  std::optional<size_t> best;
  for (size_t i = 0; i < kOffers.size(); ++i) {
    if (weights[i] == 0) continue;
    if (!best.has_value() || weights[i] > weights[*best]) best = i;
  }
  if (!best.has_value()) return std::nullopt;
  return kOffers[*best].format;
}

ContentCoding NegotiateCoding(std::string_view accept_encoding) {
  int gzip = -1;
  int zstd = -1;
  int other = 0;
  VisitWeighted(accept_encoding, [&](const std::string& coding, int weight) {
    if (coding == "gzip" || coding == "x-gzip") gzip = weight;
    if (coding == "zstd") zstd = weight;
    if (coding == "*") other = weight;
  });
  if (gzip < 0) gzip = other;
  if (zstd < 0) zstd = other;
  if (zstd > 0 && zstd >= gzip) return ContentCoding::kZstd;
  if (gzip > 0) return ContentCoding::kGzip;
  return ContentCoding::kIdentity;
}

}  // namespace tarn::frontends
