#pragma once

#include <string>

#include "base/environment.h"
#include "base/status.h"

namespace tarn::storage::internal {

/// Where a service of Amazon's is, or one that speaks its protocol.
struct AwsService {
  std::string region;
  /// "https://s3.eu-central-1.amazonaws.com", without path and default port.
  std::string endpoint;
  /// Nothing but the region says where it is.
  bool is_amazons = false;
};

/// `service` is "s3" or "dynamodb". By AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL, AWS_REGION or
/// AWS_DEFAULT_REGION, and the profile's settings of these. InvalidArgument names the setting.
Result<AwsService> LocateService(const std::string& service, const Environment& environment);

}  // namespace tarn::storage::internal
