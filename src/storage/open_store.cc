#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/environment.h"
#include "base/random.h"
#include "base/uri.h"
#include "storage/http/http_store.h"
#include "storage/proven_store.h"
#include "storage/retrying_store.h"
#include "storage/s3/s3_client.h"
#include "storage/s3/s3_store.h"
#include "storage/stores.h"
#include "storage/uri_path.h"

namespace tarn::storage {

namespace internal {

std::string EncodeUriPath(std::string_view path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  static constexpr std::string_view kReserved = "%?#[]\"<>\\^`{|}";
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && kReserved.find(c) == std::string_view::npos) {
      out += c;
      continue;
    }
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string FileUri(std::string_view absolute_path) {
  return "file://" + EncodeUriPath(absolute_path == "/" ? "" : absolute_path);
}

}  // namespace internal

namespace {

/// For jitter and the names of scratch objects, for as long as the process lives.
Random& StoreRandom() {
  static Random random = Random::FromSystem();
  return random;
}

Result<std::shared_ptr<HttpClient>> ClientFor(const Environment& environment) {
  return MakeHttpClient({.ca_file = std::string(ValueOf(environment, "AWS_CA_BUNDLE"))}, SystemClock());
}

/// "bucket/prefix" of a URI.
Result<std::shared_ptr<ObjectStore>> OpenS3(std::string_view rest) {
  const Environment environment = ProcessEnvironment();
  const size_t slash = std::min(rest.find('/'), rest.size());
  TARN_ASSIGN_OR_RETURN(internal::S3Location location, internal::LocateBucket(rest.substr(0, slash), environment));
  TARN_ASSIGN_OR_RETURN(std::string prefix, PercentDecode(rest.substr(slash)));
  while (prefix.starts_with('/')) prefix.erase(0, 1);
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty()) TARN_RETURN_NOT_OK(CheckKey(prefix));
  TARN_RETURN_NOT_OK(internal::LoadCrypto());
  internal::S3Client::Seams seams{.clock = &SystemClock(), .random = &StoreRandom()};
  TARN_ASSIGN_OR_RETURN(seams.http, ClientFor(environment));
  seams.credentials = internal::DefaultCredentials(environment, location.region, seams.http, SystemClock());
  auto bucket = internal::MakeS3Store(std::make_shared<internal::S3Client>(std::move(location), std::move(seams)));
  // Below the prefix is where a scratch object may be written, too.
  auto store = prefix.empty() ? std::move(bucket) : MakePrefixStore(std::move(bucket), std::move(prefix));
  return MakeProvenStore(std::move(store), StoreRandom());
}

Result<std::shared_ptr<ObjectStore>> OpenHttp(std::string_view url) {
  TARN_ASSIGN_OR_RETURN(auto client, ClientFor(ProcessEnvironment()));
  TARN_ASSIGN_OR_RETURN(auto store, MakeHttpStore(url, std::move(client)));
  return MakeRetryingStore(std::move(store), {}, SystemClock(), StoreRandom());
}

}  // namespace

bool IsRemoteUri(std::string_view uri) {
  const size_t colon = uri.find("://");
  return colon != std::string_view::npos && uri.substr(0, colon) != "file";
}

bool IsWebUri(std::string_view uri) {
  std::string scheme(uri.substr(0, uri.find("://")));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  return IsRemoteUri(uri) && (scheme == "http" || scheme == "https");
}

Result<std::string> LocalPathOf(std::string_view uri) {
  constexpr std::string_view kFileScheme = "file://";
  if (!uri.starts_with(kFileScheme)) return std::string(uri);
  std::string_view path = uri.substr(kFileScheme.size());
  constexpr std::string_view kLocalhost = "localhost/";
  if (path.starts_with(kLocalhost)) path.remove_prefix(kLocalhost.size() - 1);
  if (!path.starts_with('/')) {
    return Status::InvalidArgument(std::string(uri) + " names a host; write file:///path");
  }
  return PercentDecode(path);
}

Result<std::shared_ptr<ObjectStore>> OpenStore(std::string_view uri) {
  if (!IsRemoteUri(uri)) {
    TARN_ASSIGN_OR_RETURN(const std::string path, LocalPathOf(uri));
    return OpenLocalStore(path);
  }
  const size_t colon = uri.find("://");
  const std::string_view scheme = uri.substr(0, colon);
  const std::string_view rest = uri.substr(colon + 3);
  if (scheme == "memory") {
    if (!rest.empty() && rest != "/")
      return Status::InvalidArgument("memory:// takes no path, got " + std::string(uri));
    return MakeMemoryStore(SystemClock());
  }
  if (scheme == "s3" || scheme == "s3a") return OpenS3(rest);
  if (IsWebUri(uri)) return OpenHttp(uri);
  return Status::Unsupported("stores of the scheme '" + std::string(scheme) +
                             "' are not supported: " + std::string(uri));
}

}  // namespace tarn::storage
