// Content-Encoding of requests.
#include <utility>

#include "base/error_table.h"
#include "frontends/http/http_service.h"
#include "ingest/body.h"

namespace tarn::frontends {

Status DecodeBody(HttpRequest& request, size_t max_bytes) {
  TARN_ASSIGN_OR_RETURN(const ingest::ContentEncoding encoding,
                        ingest::ParseContentEncoding(request.Header("content-encoding")));
  if (encoding == ingest::ContentEncoding::kIdentity) return Status::Ok();
  TARN_ASSIGN_OR_RETURN(ingest::Body body, ingest::DecodeBody(request.body, {.encoding = encoding,
                                                                             .max_wire_bytes = max_bytes,
                                                                             .max_bytes = max_bytes,
                                                                             .budget = request.budget}));
  request.body = std::move(body.text);
  request.memory = std::move(body.reservation);
  return Status::Ok();
}

int BodyFaultStatus(const Status& status) {
  return status.Is(StatusCode::kResourceExhausted) ? 413 : CodesOf(status.code()).http_status;
}

}  // namespace tarn::frontends
