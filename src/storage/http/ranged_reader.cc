#include "storage/http/ranged_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "storage/http/time_text.h"

namespace tarn::storage::internal {

namespace {

constexpr size_t kFirstBytes = 64 << 10;
constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

struct ContentRange {
  int64_t begin = 0;
  int64_t total = 0;
};

/// "bytes 0-99/1234".
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto begin = ParseNumber(text.substr(0, dash));
  const auto total = ParseNumber(text.substr(slash + 1));
  if (!begin.has_value() || !total.has_value()) return std::nullopt;
  return ContentRange{*begin, *total};
}

HttpHeader Range(int64_t offset, size_t length) {
  return {"Range", "bytes=" + std::to_string(offset) + "-" + std::to_string(offset + static_cast<int64_t>(length) - 1)};
}

/// The condition that holds for this version of the object only; no name when there is none.
HttpHeader PinTo(const HttpResponse& answer) {
  const std::string_view etag = answer.Header("etag");
  if (!etag.empty() && !etag.starts_with("W/")) return {"If-Match", std::string(etag)};
  const std::string_view modified = answer.Header("last-modified");
  if (!modified.empty()) return {"If-Unmodified-Since", std::string(modified)};
  return {};
}

/// What tells the object's versions apart: the tag where it is strong, else the time as well.
std::string VersionOf(const HttpResponse& answer) {
  std::string version(answer.Header("etag"));
  if (version.empty() || version.starts_with("W/")) {
    version += ' ';
    version += answer.Header("last-modified");
  }
  return version;
}

Status NothingToTellBy(const std::string& shown) {
  return Status::Unsupported(shown + ": its server gives no ETag and no Last-Modified to tell versions apart by");
}

/// One version of an object: the one that the first answer was of.
class RangedReader final : public ObjectReader {
 public:
  struct Version {
    HttpHeader pin;
    /// As VersionOf has it.
    std::string text;
  };

  /// `version` and the object's first bytes where they are known already.
  RangedReader(ObjectInfo info, std::string shown, RangeFetch fetch, std::optional<Version> version, std::string first)
      : info_(std::move(info)),
        shown_(std::move(shown)),
        fetch_(std::move(fetch)),
        first_(std::move(first)),
        version_(std::move(version)) {}

  const ObjectInfo& info() const override { return info_; }

  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    if (offset < 0) return Status::InvalidArgument("negative offset in " + shown_);
    if (offset >= info_.size_bytes || out.empty()) return size_t{0};
    const size_t wanted = std::min(out.size(), static_cast<size_t>(info_.size_bytes - offset));
    size_t have = 0;
    if (static_cast<size_t>(offset) < first_.size()) {
      have = std::min(wanted, first_.size() - static_cast<size_t>(offset));
      std::memcpy(out.data(), first_.data() + offset, have);
    }
    if (have < wanted) {
      TARN_RETURN_NOT_OK(FetchPart(offset + static_cast<int64_t>(have), out.subspan(have, wanted - have)));
    }
    return wanted;
  }

 private:
  Status FetchPart(int64_t offset, MutableByteSpan out) EXCLUDES(mutex_) {
    std::vector<HttpHeader> headers{Range(offset, out.size())};
    if (const auto version = KnownVersion(); version.has_value()) headers.push_back(version->pin);
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer, fetch_(std::move(headers), out));
    if (answer.status == kRangeNotSatisfiable) return Status::Conflict(shown_ + " became shorter while it was read");
    const auto range = ParseContentRange(answer.Header("content-range"));
    if (answer.status != kPartialContent || !range.has_value() || range->begin != offset) {
      return Status::Unsupported(shown_ + ": the server answered a range with something else");
    }
    if (range->total != info_.size_bytes) {
      return Status::Conflict(shown_ + " has " + std::to_string(range->total) + " bytes instead of " +
                              std::to_string(info_.size_bytes));
    }
    TARN_RETURN_NOT_OK(CheckVersion(answer, out.size()));
    if (answer.bytes_into != out.size()) return Status::Unavailable(shown_ + ": the server sent too few bytes");
    return Status::Ok();
  }

  std::optional<Version> KnownVersion() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return version_;
  }

  /// Remembers the first answer's version; a server that overlooks If-Match is found out by the later ones.
  Status CheckVersion(const HttpResponse& answer, size_t bytes) EXCLUDES(mutex_) {
    std::string text = VersionOf(answer);
    MutexLock lock(mutex_);
    if (!version_.has_value()) {
      version_ = Version{PinTo(answer), std::move(text)};
      const bool whole = static_cast<int64_t>(bytes) == info_.size_bytes;
      return version_->pin.name.empty() && !whole ? NothingToTellBy(shown_) : Status::Ok();
    }
    return version_->text == text ? Status::Ok() : Status::Conflict(shown_ + " changed while it was read");
  }

  const ObjectInfo info_;
  const std::string shown_;
  const RangeFetch fetch_;
  const std::string first_;
  mutable Mutex mutex_;
  std::optional<Version> version_ GUARDED_BY(mutex_);
};

}  // namespace

ObjectInfo InfoOfAnswer(std::string key, const HttpResponse& answer) {
  ObjectInfo info{.key = std::move(key), .size_bytes = 0, .modified_micros = 0, .etag = {}};
  info.size_bytes = ParseNumber(answer.Header("content-length")).value_or(0);
  info.modified_micros = ParseHttpDate(answer.Header("last-modified")).value_or(0) * kMicrosPerSecond;
  info.etag = answer.Header("etag");
  return info;
}

Result<std::unique_ptr<ObjectReader>> OpenByRanges(std::string key, std::string shown, RangeFetch fetch,
                                                   const HeadFetch& head) {
  std::string first(kFirstBytes, '\0');
  TARN_ASSIGN_OR_RETURN(const HttpResponse answer,
                        fetch({Range(0, kFirstBytes)}, std::as_writable_bytes(std::span(first))));
  if (answer.status == kRangeNotSatisfiable) {
    // An empty object has no first byte.
    TARN_ASSIGN_OR_RETURN(ObjectInfo info, head());
    if (info.size_bytes > 0) return Status::Conflict(shown + " changed while it was opened");
    return std::make_unique<RangedReader>(std::move(info), std::move(shown), std::move(fetch), RangedReader::Version(),
                                          "");
  }
  ObjectInfo info = InfoOfAnswer(std::move(key), answer);
  if (answer.status == kPartialContent) {
    const auto range = ParseContentRange(answer.Header("content-range"));
    if (!range.has_value() || range->begin != 0 || answer.cut_off) {
      return Status::Unsupported(shown + ": the server answered a range with something else");
    }
    info.size_bytes = range->total;
  } else if (answer.cut_off) {
    return Status::Unsupported(shown + ": its server does not serve ranges");
  } else {
    info.size_bytes = static_cast<int64_t>(answer.bytes_into);
  }
  if (static_cast<int64_t>(answer.bytes_into) < std::min<int64_t>(info.size_bytes, kFirstBytes)) {
    return Status::Unavailable(shown + ": the server sent too few bytes");
  }
  HttpHeader pin = PinTo(answer);
  if (pin.name.empty() && info.size_bytes > static_cast<int64_t>(kFirstBytes)) return NothingToTellBy(shown);
  first.resize(answer.bytes_into);
  first.shrink_to_fit();
  RangedReader::Version version{std::move(pin), VersionOf(answer)};
  return std::make_unique<RangedReader>(std::move(info), std::move(shown), std::move(fetch), std::move(version),
                                        std::move(first));
}

std::unique_ptr<ObjectReader> OpenKnownByRanges(std::string key, int64_t size_bytes, std::string shown,
                                                RangeFetch fetch) {
  ObjectInfo info{.key = std::move(key), .size_bytes = size_bytes, .modified_micros = 0, .etag = {}};
  return std::make_unique<RangedReader>(std::move(info), std::move(shown), std::move(fetch), std::nullopt, "");
}

}  // namespace tarn::storage::internal
