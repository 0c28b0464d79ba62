// Content-Encoding of requests.
#include <zlib.h>

#include <string>
#include <utility>

#include "frontends/http/http_service.h"

namespace tarn::frontends {

Status DecodeBody(HttpRequest& request, size_t) {
  if (request.Header("content-encoding").empty() || request.Header("content-encoding") == "identity")
    return Status::Ok();
  return Status::Unsupported("Content-Encoding '" + std::string(request.Header("content-encoding")) + "' is not known");
}

}  // namespace tarn::frontends
