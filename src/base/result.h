#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/error_codes.h"

namespace restitch {

// An expected failure. `message` is meant for the caller and never holds secrets, documents or tokens.
// `mongo_code` is the MongoDB error code when the failure has one (0 otherwise).
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : message_(std::move(message)), code_(code) {}
  Error(ErrorCode code, int mongo_code, std::string message)
      : message_(std::move(message)), mongo_code_(mongo_code), code_(code) {}

  ErrorCode code() const noexcept { return code_; }
  int mongo_code() const noexcept { return mongo_code_; }
  const std::string& message() const noexcept { return message_; }

  // Text for the log only: never sent to a client.
  const std::string& detail() const noexcept { return detail_; }
  Error&& with_detail(std::string detail) && {
    detail_ = std::move(detail);
    return std::move(*this);
  }
  // Of kTooManyRequests: when to try again; 0 = not known.
  int retry_after_seconds() const noexcept { return retry_after_seconds_; }
  Error&& with_retry_after(int seconds) && {
    retry_after_seconds_ = seconds;
    return std::move(*this);
  }
  Error&& with_context(std::string_view where) && {
    message_.insert(0, std::string(where) + ": ");
    return std::move(*this);
  }

 private:
  std::string message_;
  std::string detail_;
  int mongo_code_ = 0;
  int retry_after_seconds_ = 0;
  ErrorCode code_;
};

// An error in MongoDB's own numbering, as commands and the query language report it.
inline Error mongo_error(int code, std::string message) {
  return Error(ErrorCode::kMongo, code, std::move(message));
}

// Value or Error; the member names are those of std::expected, so that a later switch is mechanical.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}    // NOLINT(google-explicit-constructor)

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { RESTITCH_ASSERT(has_value()); return *std::get_if<0>(&state_); }
  const T& value() const& { RESTITCH_ASSERT(has_value()); return *std::get_if<0>(&state_); }
  T&& value() && { RESTITCH_ASSERT(has_value()); return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { RESTITCH_ASSERT(!has_value()); return *std::get_if<1>(&state_); }
  const Error& error() const& { RESTITCH_ASSERT(!has_value()); return *std::get_if<1>(&state_); }
  Error&& error() && { RESTITCH_ASSERT(!has_value()); return std::move(*std::get_if<1>(&state_)); }

  T value_or(T fallback) && { return has_value() ? std::move(*this).value() : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  Error& error() & { RESTITCH_ASSERT(error_.has_value()); return *error_; }
  const Error& error() const& { RESTITCH_ASSERT(error_.has_value()); return *error_; }
  Error&& error() && { RESTITCH_ASSERT(error_.has_value()); return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace restitch

#define RESTITCH_CONCAT_IMPL(a, b) a##b
#define RESTITCH_CONCAT(a, b) RESTITCH_CONCAT_IMPL(a, b)

// RESTITCH_TRY(auto x, expression): declares x from the value, or returns the error from the function.
#define RESTITCH_TRY(declaration, ...)                                         \
  auto RESTITCH_CONCAT(restitch_try_, __LINE__) = (__VA_ARGS__);               \
  if (!RESTITCH_CONCAT(restitch_try_, __LINE__))                               \
    return std::move(RESTITCH_CONCAT(restitch_try_, __LINE__)).error();        \
  declaration = std::move(RESTITCH_CONCAT(restitch_try_, __LINE__)).value()

// RESTITCH_CHECK(expression): returns the error of a Status (or of a Result whose value is not needed).
#define RESTITCH_CHECK(...)                                                    \
  do {                                                                         \
    if (auto restitch_check_ = (__VA_ARGS__); !restitch_check_)                \
      return std::move(restitch_check_).error();                               \
  } while (false)

// The same two inside coroutines. The awaited expression stands alone in its statement, as g++ 12 needs.
#define RESTITCH_CO_TRY(declaration, ...)                                      \
  auto RESTITCH_CONCAT(restitch_try_, __LINE__) = __VA_ARGS__;                 \
  if (!RESTITCH_CONCAT(restitch_try_, __LINE__))                               \
    co_return std::move(RESTITCH_CONCAT(restitch_try_, __LINE__)).error();     \
  declaration = std::move(RESTITCH_CONCAT(restitch_try_, __LINE__)).value()

#define RESTITCH_CO_CHECK(...)                                                 \
  auto RESTITCH_CONCAT(restitch_check_, __LINE__) = __VA_ARGS__;               \
  if (!RESTITCH_CONCAT(restitch_check_, __LINE__))                             \
    co_return std::move(RESTITCH_CONCAT(restitch_check_, __LINE__)).error()
