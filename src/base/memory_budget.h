#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace tarn {

/// One share of the process's memory limit: bytes are reserved before they are used. Thread-safe.
class MemoryBudget {
 public:
  MemoryBudget(std::string name, size_t limit_bytes) : name_(std::move(name)), limit_bytes_(limit_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// Holds bytes of a budget, which must outlive it, until destroyed.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Reservation& operator=(Reservation&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Reservation() {
      if (budget_ != nullptr) budget_->used_bytes_ -= bytes_;
    }
    size_t bytes() const { return bytes_; }
    /// Takes more of the same budget; false, and nothing changed, when it is short.
    bool TryGrow(size_t bytes) {
      if (budget_ == nullptr || !budget_->TryTake(bytes)) return false;
      bytes_ += bytes;
      return true;
    }
    /// Gives back all but `bytes`.
    void ShrinkTo(size_t bytes) {
      if (bytes >= bytes_) return;
      budget_->used_bytes_ -= bytes_ - bytes;
      bytes_ = bytes;
    }

   private:
    friend class MemoryBudget;
    Reservation(MemoryBudget* budget, size_t bytes) : budget_(budget), bytes_(bytes) {}
    MemoryBudget* budget_ = nullptr;
    size_t bytes_ = 0;
  };

  /// Nothing when fewer than `bytes` are free.
  std::optional<Reservation> TryReserve(size_t bytes) {
    if (!TryTake(bytes)) return std::nullopt;
    return Reservation(this, bytes);
  }

  const std::string& name() const { return name_; }
  size_t limit_bytes() const { return limit_bytes_; }
  size_t used_bytes() const { return used_bytes_; }

 private:
  bool TryTake(size_t bytes) {
    size_t used = used_bytes_.load();
    do {
      if (bytes > limit_bytes_ || used > limit_bytes_ - bytes) return false;
    } while (!used_bytes_.compare_exchange_weak(used, used + bytes));
    return true;
  }

  const std::string name_;
  const size_t limit_bytes_;
  std::atomic<size_t> used_bytes_ = 0;
};

}  // namespace tarn
