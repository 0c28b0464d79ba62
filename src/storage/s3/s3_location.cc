#include <algorithm>
#include <utility>

#include "storage/s3/aws_service.h"
#include "storage/s3/s3_client.h"

namespace tarn::storage::internal {

namespace {

bool IsBucketByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/// Whether "bucket.host" is a name of a host that a certificate for "*.host" covers.
bool IsHostPart(std::string_view bucket) {
  return std::all_of(bucket.begin(), bucket.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool IsTrue(std::string_view text) { return text == "true" || text == "1"; }

}  // namespace

Result<S3Location> LocateBucket(std::string_view bucket, const Environment& environment) {
  if (bucket.empty() || !std::all_of(bucket.begin(), bucket.end(), IsBucketByte) || bucket == "." || bucket == "..") {
    return Status::InvalidArgument("'" + std::string(bucket) + "' is no name of an S3 bucket");
  }
  TARN_ASSIGN_OR_RETURN(AwsService service, LocateService("s3", environment));
  S3Location location{
      .bucket = std::string(bucket), .region = std::move(service.region), .endpoint = std::move(service.endpoint)};
  // Only AWS is certain to have a name for every bucket.
  location.virtual_host = service.is_amazons && IsHostPart(bucket);
  if (const std::string_view style = ValueOf(environment, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"); !style.empty()) {
    location.virtual_host = IsTrue(style);
  }
  location.anonymous = IsTrue(ValueOf(environment, "AWS_SKIP_SIGNATURE"));
  return location;
}

}  // namespace tarn::storage::internal
