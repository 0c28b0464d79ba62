#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/mutex.h"

namespace tarn {

/// The only source of randomness: the same seed gives the same sequence. Not for secrets. Thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed);
  /// Seeded by the operating system.
  static Random FromSystem();

  uint64_t Next();
  /// Uniform in [0, bound); bound > 0.
  uint64_t Below(uint64_t bound);
  /// Uniform in [0, 1).
  double NextDouble();
  /// A version 4 UUID in its usual text form.
  std::string Uuid();

  Random(Random&& other) noexcept;

 private:
  Mutex mutex_;
  std::array<uint64_t, 4> state_ GUARDED_BY(mutex_);
};

}  // namespace tarn
