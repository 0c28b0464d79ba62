#include <algorithm>

#include "storage/s3/s3_client.h"

namespace tarn::storage::internal {

namespace {

constexpr char kDefaultRegion[] = "us-east-1";

bool IsBucketByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/// Whether "bucket.host" is a name of a host that a certificate for "*.host" covers.
bool IsHostPart(std::string_view bucket) {
  return std::all_of(bucket.begin(), bucket.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool IsTrue(std::string_view text) { return text == "true" || text == "1"; }

/// The endpoint as the Host header has it: curl leaves a default port out, and the signature covers that header.
Result<std::string> NormalEndpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const bool https = endpoint.starts_with("https://");
  if ((!https && !endpoint.starts_with("http://")) || HttpOrigin(endpoint).size() != endpoint.size() ||
      endpoint.find('@') != std::string::npos || endpoint.ends_with("://")) {
    return Status::InvalidArgument("the S3 endpoint (AWS_ENDPOINT_URL) is no URL such as https://host:9000");
  }
  const std::string_view port = https ? ":443" : ":80";
  if (endpoint.ends_with(port)) endpoint.resize(endpoint.size() - port.size());
  return endpoint;
}

}  // namespace

Result<S3Location> LocateBucket(std::string_view bucket, const Environment& environment) {
  if (bucket.empty() || !std::all_of(bucket.begin(), bucket.end(), IsBucketByte) || bucket == "." || bucket == "..") {
    return Status::InvalidArgument("'" + std::string(bucket) + "' is no name of an S3 bucket");
  }
  TARN_ASSIGN_OR_RETURN(const auto profile, LoadProfile(environment));
  const auto setting = [&](std::initializer_list<std::string_view> variables, const char* in_profile) {
    for (const std::string_view variable : variables) {
      if (const std::string_view value = ValueOf(environment, variable); !value.empty()) return std::string(value);
    }
    const auto found = profile.find(in_profile);
    return found == profile.end() ? std::string() : found->second;
  };
  S3Location location{.bucket = std::string(bucket), .region = {}, .endpoint = {}};
  location.region = setting({"AWS_REGION", "AWS_DEFAULT_REGION"}, "region");
  if (location.region.empty()) location.region = kDefaultRegion;
  std::string endpoint = setting({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}, "endpoint_url");
  // Only AWS is certain to have a name for every bucket.
  location.virtual_host = endpoint.empty() && IsHostPart(bucket);
  if (endpoint.empty()) {
    endpoint = "https://s3." + location.region + ".amazonaws.com" + (location.region.starts_with("cn-") ? ".cn" : "");
  }
  TARN_ASSIGN_OR_RETURN(location.endpoint, NormalEndpoint(std::move(endpoint)));
  if (const std::string_view style = ValueOf(environment, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"); !style.empty()) {
    location.virtual_host = IsTrue(style);
  }
  location.anonymous = IsTrue(ValueOf(environment, "AWS_SKIP_SIGNATURE"));
  return location;
}

}  // namespace tarn::storage::internal
