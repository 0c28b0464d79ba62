#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tarn::columnar {

/// What clocks on the wall show in a zone. A value: copies share what was read.
class TimeZone {
 public:
  /// UTC.
  TimeZone() = default;

  /// By its name in this machine's zone database, as "America/Los_Angeles". InvalidArgument names one that it lacks.
  static Result<TimeZone> Find(const std::string& name);
  /// Out of a file of the database (RFC 8536, version 2 or newer); Corruption.
  static Result<TimeZone> Parse(const std::string& name, std::string_view file);

  const std::string& name() const;

  /// The instant at which clocks showed this time, as java.time has it: the earlier one where they showed it twice, and
  /// as late after the gap as the time is in it where they never did. nullopt beyond 64 bits.
  std::optional<int64_t> UtcMicros(int64_t wall_micros) const;

 private:
  struct Rules;
  explicit TimeZone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}

  /// Null is UTC.
  std::shared_ptr<const Rules> rules_;
};

}  // namespace tarn::columnar
