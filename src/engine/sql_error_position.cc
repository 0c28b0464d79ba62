#include "engine/sql_error_position.h"

#include <cstdlib>

#include "engine/query_service.h"

namespace tarn::engine {

std::string SqlErrorText(const Status& status) {
  if (!SqlErrorPosition(status).has_value()) return status.message();
  return status.message().substr(0, status.message().rfind(kPositionPrefix));
}

Status WithSqlErrorPosition(const Status& status, size_t position) {
  return {status.code(), status.message() + kPositionPrefix + std::to_string(position) + ")"};
}

std::optional<size_t> SqlErrorPosition(const Status& status) {
  const std::string& message = status.message();
  size_t at = message.rfind(kPositionPrefix);
  if (at == std::string::npos || message.back() != ')') return std::nullopt;
  const char* digits = message.c_str() + at + sizeof(kPositionPrefix) - 1;
  char* end = nullptr;
  unsigned long long position = std::strtoull(digits, &end, 10);
  if (end == digits || *end != ')') return std::nullopt;
  return static_cast<size_t>(position);
}

}  // namespace tarn::engine
