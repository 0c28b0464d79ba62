#include "storage/s3/s3_listing.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/uri.h"
#include "storage/http/time_text.h"
#include "storage/posix_file.h"
#include "storage/s3/xml.h"

namespace tarn::storage::internal {

namespace {

/// A thousand keys of a kilobyte, each byte of them encoded.
constexpr size_t kMaxListingBytes = 8 << 20;

struct Page {
  /// In the order of their keys.
  std::vector<ListEntry> entries;
  /// Where the next page begins; empty on the last.
  std::string next;
};

/// Keys in answers are encoded as in a form: '+' for a space.
Result<std::string> DecodeKey(std::string_view text, bool encoded) {
  if (!encoded) return std::string(text);
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return PercentDecode(spaced);
}

Result<ObjectInfo> ObjectOf(const XmlElement& contents, bool encoded) {
  ObjectInfo info;
  TARN_ASSIGN_OR_RETURN(info.key, DecodeKey(contents.ChildText("Key"), encoded));
  const std::string_view size = contents.ChildText("Size");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), info.size_bytes);
  const auto modified = ParseIsoTime(contents.ChildText("LastModified"));
  if (error != std::errc() || end != size.data() + size.size() || !modified.has_value()) {
    return Status::Corruption("the entry of '" + info.key + "' has no size or time");
  }
  info.modified_micros = *modified * kMicrosPerSecond;
  info.etag = contents.ChildText("ETag");
  return info;
}

Result<Page> ParsePage(const HttpResponse& answer) {
  if (answer.cut_off) return Status::Corruption("the listing is too long");
  TARN_ASSIGN_OR_RETURN(const XmlElement root, ParseXml(answer.body));
  if (root.name != "ListBucketResult") return Status::Corruption("<" + root.name + "> is no listing");
  const bool encoded = root.ChildText("EncodingType") == "url";
  Page page;
  for (const XmlElement& child : root.children) {
    if (child.name == "Contents") {
      TARN_ASSIGN_OR_RETURN(ObjectInfo info, ObjectOf(child, encoded));
      page.entries.push_back({std::move(info), false});
    } else if (child.name == "CommonPrefixes") {
      TARN_ASSIGN_OR_RETURN(std::string folder, DecodeKey(child.ChildText("Prefix"), encoded));
      page.entries.push_back({{.key = std::move(folder), .etag = {}}, true});
    }
  }
  // Objects and folders come in two lists.
  std::sort(page.entries.begin(), page.entries.end(),
            [](const ListEntry& left, const ListEntry& right) { return left.object.key < right.object.key; });
  if (root.ChildText("IsTruncated") == "true") {
    page.next = root.ChildText("NextContinuationToken");
    if (page.next.empty()) return Status::Corruption("the listing goes on, but does not say where");
  }
  return page;
}

/// Other programs mark folders by keys that end with '/', and have keys that we cannot name.
bool IsShown(const ListEntry& entry) {
  std::string_view key = entry.object.key;
  if (entry.is_folder) key.remove_suffix(1);
  return CheckKey(key).ok() && !key.substr(key.rfind('/') + 1).starts_with(kStagedPrefix);
}

/// What no key can begin with need not be asked for, and some services answer it with an error.
bool CanBeginAKey(std::string_view prefix) {
  const size_t slash = prefix.rfind('/');
  return slash == std::string_view::npos || CheckKey(prefix.substr(0, slash)).ok();
}

}  // namespace

Status ListBucket(S3Client& client, const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) {
  if (!CanBeginAKey(options.prefix)) return Status::Ok();
  S3Request request{.method = "GET",
                    .key = {},
                    .query = {},
                    .headers = {},
                    .body = {},
                    .into = {},
                    .max_body_bytes = kMaxListingBytes};
  std::string last;
  std::string next;
  do {
    request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", options.prefix}};
    if (!options.start_after.empty()) request.query.emplace_back("start-after", options.start_after);
    if (options.group_by_folder) request.query.emplace_back("delimiter", "/");
    if (!next.empty()) request.query.emplace_back("continuation-token", next);
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer, client.Send(request));
    auto page = ParsePage(answer);
    const std::string shown = client.Shown(options.prefix);
    if (!page.ok()) return page.status().WithContext("listing of " + shown);
    for (const ListEntry& entry : page->entries) {
      const std::string& key = entry.object.key;
      if (key <= last && !last.empty()) return Status::Unsupported(shown + ": its server lists keys out of order");
      last = key;
      // A folder whose objects are in part behind `start_after` is listed by S3, but does not itself lie behind it.
      if (key <= options.start_after || !key.starts_with(options.prefix) || !IsShown(entry)) continue;
      if (!visit(entry)) return Status::Ok();
    }
    if (!page->next.empty() && page->next == next) return Status::Corruption("the listing of " + shown + " has no end");
    next = std::move(page->next);
  } while (!next.empty());
  return Status::Ok();
}

}  // namespace tarn::storage::internal
