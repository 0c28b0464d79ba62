#pragma once

#include <string>

#include "delta/validate/validate.h"

namespace tarn::delta::validation {

struct Place {
  std::string key;
  int64_t version = -1;
  int64_t line = 0;

  Place AtLine(int64_t number) const { return {key, version, number}; }
};

/// Gathers what is found, up to a limit. Thread-compatible.
class Findings {
 public:
  Findings(ValidationReport& report, size_t limit) : report_(report), limit_(limit) {}

  void Error(std::string rule, const Place& place, std::string message) {
    ++report_.errors;
    Keep(Finding::Severity::kError, std::move(rule), place, std::move(message));
  }
  void Warn(std::string rule, const Place& place, std::string message) {
    ++report_.warnings;
    Keep(Finding::Severity::kWarning, std::move(rule), place, std::move(message));
  }
  size_t errors() const { return report_.errors; }

 private:
  void Keep(Finding::Severity severity, std::string rule, const Place& place, std::string message) {
    if (report_.findings.size() >= limit_) return;
    report_.findings.push_back({severity, std::move(rule), place.key, place.version, place.line, std::move(message)});
  }

  ValidationReport& report_;
  const size_t limit_;
};

}  // namespace tarn::delta::validation
