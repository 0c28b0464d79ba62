#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"
#include "frontends/encoding/byte_buffer.h"
#include "frontends/http/negotiation.h"

namespace tarn::frontends {

/// Compresses one body piece by piece. Thread-compatible.
class BodyCompressor {
 public:
  virtual ~BodyCompressor() = default;
  /// Null for identity.
  static std::unique_ptr<BodyCompressor> Make(ContentCoding coding);
  /// Appends all that `in` compresses to, so that the receiver can decode up to its end; `last` ends the stream.
  virtual Status Compress(std::string_view in, bool last, ByteBuffer& out) = 0;
};

/// The coding's name in Content-Encoding.
std::string_view CodingName(ContentCoding coding);

}  // namespace tarn::frontends
