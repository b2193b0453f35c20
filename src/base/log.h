#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace restitch::log {

enum class Severity : std::uint8_t { kFatal, kError, kWarning, kInfo, kDebug1, kDebug2 };
enum class Component : std::uint8_t {
  kServer, kNetwork, kStorage, kQuery, kSource, kApp, kAuth, kRules, kFunction, kApi, kCount
};

// One attribute of a log line. Values are printed as JSON strings, numbers or booleans.
class Attribute {
 public:
  template <typename T>
  Attribute(std::string_view name, const T& value) : name_(name) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_same_v<T, bool>) {
      value_ = value;
    } else if constexpr (std::is_floating_point_v<T>) {
      value_ = static_cast<double>(value);
    } else if constexpr (std::is_integral_v<T>) {
      value_ = static_cast<std::int64_t>(value);
    } else {
      value_ = std::string(value);
    }
  }

  std::string_view name() const { return name_; }
  void append_to(std::string& out) const;

 private:
  std::string_view name_;
  std::variant<bool, std::int64_t, double, std::string> value_;
};

// Lines up to this severity are written.
void set_level(Component component, Severity level);
void set_level_of_all(Severity level);
bool is_enabled(Component component, Severity severity);

// Names the connection or task that this thread works for; shown as `ctx`. Returns the former name.
std::string set_thread_context(std::string name);

// Writes one JSON object with a newline to standard output, in one system call.
void write(Severity severity, Component component, int id, std::string_view message,
           std::initializer_list<Attribute> attributes = {});

}  // namespace restitch::log

// RESTITCH_LOG(kInfo, kApp, 2001, "App deployed", {"app", id}); `id` is unique for the statement, the text is constant.
#define RESTITCH_LOG(severity, component, id, message, ...)                                                \
  do {                                                                                                     \
    if (::restitch::log::is_enabled(::restitch::log::Component::component,                                 \
                                    ::restitch::log::Severity::severity))                                  \
      ::restitch::log::write(::restitch::log::Severity::severity, ::restitch::log::Component::component,   \
                             id, message, {__VA_ARGS__});                                                  \
  } while (false)
