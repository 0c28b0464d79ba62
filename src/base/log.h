#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tarn {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

/// One field of a structured log line; numbers are passed as text that needs no quotes in JSON when `raw`.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view k, Number v) : key(k), value(std::to_string(v)), raw(true) {}
  std::string_view key;
  std::string value;
  bool raw = false;
};

/// Writes one line to stderr: time (UTC), level, event and fields. The event is a short constant sentence; all that
/// varies goes into fields. Thread-safe.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

/// Process-wide; before threads start. The default is text at info.
void ConfigureLog(LogLevel minimum, LogFormat format);

}  // namespace tarn
