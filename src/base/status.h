#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace tarn {

/// Why an operation did not succeed. `error_table.h` maps each to the codes of the protocols at the edges.
enum class StatusCode : uint8_t {
  kOk,
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  /// Another writer won; the caller may re-read and try again.
  kConflict,
  /// Well-formed, but this program does not do it; the message names the feature.
  kUnsupported,
  /// Stored bytes break their format; the message names the file.
  kCorruption,
  kPermissionDenied,
  kUnauthenticated,
  /// A limit (memory, rows, size, rate) would be exceeded.
  kResourceExhausted,
  /// A part is out of reach for now; the same call may succeed later.
  kUnavailable,
  /// A write was sent and its reply lost: it may or may not have happened.
  kIndeterminate,
  kCancelled,
  kDeadlineExceeded,
  /// A bug of ours or of a library.
  kInternal,
};

inline constexpr int kStatusCodeCount = static_cast<int>(StatusCode::kInternal) + 1;

/// The code's name as it appears in logs and on the wire, such as "InvalidArgument".
std::string_view StatusCodeName(StatusCode code);

/// The outcome of an operation without a value. Cheap to move; an OK status allocates nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  static Status InvalidArgument(std::string m) { return {StatusCode::kInvalidArgument, std::move(m)}; }
  static Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status AlreadyExists(std::string m) { return {StatusCode::kAlreadyExists, std::move(m)}; }
  static Status Conflict(std::string m) { return {StatusCode::kConflict, std::move(m)}; }
  static Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }
  static Status Corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
  static Status PermissionDenied(std::string m) { return {StatusCode::kPermissionDenied, std::move(m)}; }
  static Status Unauthenticated(std::string m) { return {StatusCode::kUnauthenticated, std::move(m)}; }
  static Status ResourceExhausted(std::string m) { return {StatusCode::kResourceExhausted, std::move(m)}; }
  static Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
  static Status Indeterminate(std::string m) { return {StatusCode::kIndeterminate, std::move(m)}; }
  static Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
  static Status DeadlineExceeded(std::string m) { return {StatusCode::kDeadlineExceeded, std::move(m)}; }
  static Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  bool Is(StatusCode code) const { return code_ == code; }

  /// "<CodeName>: <message>", or "OK".
  std::string ToString() const;
  /// The same code with `context: ` before the message; OK stays OK.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

/// A value or the status that says why there is none. Accessing the value of a failed result is a bug (TARN_CHECK).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<1>, std::move(value)) {}        // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::in_place_index<0>, std::move(status)) {  // NOLINT(google-explicit-constructor)
    TARN_CHECK(!std::get<0>(state_).ok());
  }
  template <typename U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::decay_t<U>, T> &&
             !std::is_same_v<std::decay_t<U>, Status> && !std::is_same_v<std::decay_t<U>, Result<T>>)
  Result(U&& value)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<1>, std::forward<U>(value)) {}

  bool ok() const { return state_.index() == 1; }
  Status status() const& { return ok() ? Status::Ok() : std::get<0>(state_); }
  Status status() && { return ok() ? Status::Ok() : std::move(std::get<0>(state_)); }

  T& value() & { return Checked(); }
  const T& value() const& { return const_cast<Result*>(this)->Checked(); }
  T&& value() && { return std::move(Checked()); }
  T& operator*() & { return Checked(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(Checked()); }
  T* operator->() { return &Checked(); }
  const T* operator->() const { return &value(); }

 private:
  T& Checked() {
    if (!ok()) internal::CheckFailed("Result::ok()", std::get<0>(state_).ToString().c_str(), __FILE__, __LINE__);
    return std::get<1>(state_);
  }

  std::variant<Status, T> state_;
};

#define TARN_CONCAT_INNER(a, b) a##b
#define TARN_CONCAT(a, b) TARN_CONCAT_INNER(a, b)

/// Returns the status from the enclosing function when it is not OK.
#define TARN_RETURN_NOT_OK(expression)                          \
  do {                                                          \
    if (::tarn::Status _status = (expression); !_status.ok()) { \
      return _status;                                           \
    }                                                           \
  } while (false)

/// Declares or assigns `target` from a Result, or returns its status from the enclosing function.
#define TARN_ASSIGN_OR_RETURN(target, expression) \
  TARN_ASSIGN_OR_RETURN_IMPL(TARN_CONCAT(_result_, __COUNTER__), target, expression)
#define TARN_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto&& result = (expression);                                \
  if (!result.ok()) return std::move(result).status();         \
  target = std::move(result).value()

}  // namespace tarn
