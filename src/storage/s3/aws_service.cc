#include "storage/s3/aws_service.h"

#include <initializer_list>
#include <utility>

#include "storage/http/http_client.h"
#include "storage/s3/credentials.h"

namespace tarn::storage::internal {

namespace {

constexpr char kDefaultRegion[] = "us-east-1";

/// The endpoint as the Host header has it: curl leaves a default port out, and the signature covers that header.
Result<std::string> NormalEndpoint(std::string endpoint, const std::string& variable) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const bool https = endpoint.starts_with("https://");
  if ((!https && !endpoint.starts_with("http://")) || HttpOrigin(endpoint).size() != endpoint.size() ||
      endpoint.find('@') != std::string::npos || endpoint.ends_with("://")) {
    return Status::InvalidArgument("the endpoint (" + variable +
                                   ", AWS_ENDPOINT_URL) is no URL such as https://host:9000");
  }
  const std::string_view port = https ? ":443" : ":80";
  if (endpoint.ends_with(port)) endpoint.resize(endpoint.size() - port.size());
  return endpoint;
}

}  // namespace

Result<AwsService> LocateService(const std::string& service, const Environment& environment) {
  TARN_ASSIGN_OR_RETURN(const auto profile, LoadProfile(environment));
  const auto setting = [&](std::initializer_list<std::string_view> variables, const char* in_profile) {
    for (const std::string_view variable : variables) {
      if (const std::string_view value = ValueOf(environment, variable); !value.empty()) return std::string(value);
    }
    const auto found = profile.find(in_profile);
    return found == profile.end() ? std::string() : found->second;
  };
  AwsService located;
  located.region = setting({"AWS_REGION", "AWS_DEFAULT_REGION"}, "region");
  if (located.region.empty()) located.region = kDefaultRegion;
  std::string variable = "AWS_ENDPOINT_URL_" + service;
  for (char& c : variable) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  }
  std::string endpoint = setting({variable, "AWS_ENDPOINT_URL"}, "endpoint_url");
  located.is_amazons = endpoint.empty();
  if (endpoint.empty()) {
    endpoint = "https://" + service + "." + located.region + ".amazonaws.com" +
               (located.region.starts_with("cn-") ? ".cn" : "");
  }
  TARN_ASSIGN_OR_RETURN(located.endpoint, NormalEndpoint(std::move(endpoint), variable));
  return located;
}

}  // namespace tarn::storage::internal
