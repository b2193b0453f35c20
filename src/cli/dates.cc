#include "cli/dates.h"

#include <chrono>
#include <ctime>

namespace restitch::cli {
namespace {

// Takes exactly `digits` digits off the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// A fraction of a second, of any number of digits; milliseconds.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  std::int64_t millis = 0;
  std::int64_t unit = 100;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    millis += (text[digits] - '0') * unit;
    unit /= 10;
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return millis;
}

// "Z", "+0200", "-07:00"; seconds east of UTC.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const bool is_west = text.front() == '-';
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  take(text, ':');
  const auto minutes = take_number(text, 2);
  if (!hours || !minutes || *hours > 15 || *minutes > 59) return std::nullopt;
  const std::int64_t seconds = *hours * 3600 + *minutes * 60;
  return is_west ? -seconds : seconds;
}

std::string formatted(std::int64_t millis, const char* format) {
  const std::time_t seconds = static_cast<std::time_t>(millis / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof(text), format, &parts)};
}

std::string fraction(std::int64_t millis) {
  std::string digits = std::to_string(1000 + millis % 1000);
  digits[0] = '.';
  return digits;
}

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text) {
  std::tm parts{};
  std::int64_t millis = 0;
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || *month < 1 || *month > 12 || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || *day < 1 || *day > 31) return std::nullopt;
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  std::int64_t offset = 0;
  if (!text.empty()) {
    if (!take(text, 'T')) return std::nullopt;
    const auto hour = take_number(text, 2);
    if (!hour || *hour > 23) return std::nullopt;
    parts.tm_hour = *hour;
    for (int* part : {&parts.tm_min, &parts.tm_sec}) {
      if (!take(text, ':')) break;
      const auto value = take_number(text, 2);
      if (!value || *value > 60) return std::nullopt;
      *part = *value;
    }
    if (take(text, '.')) {
      const auto fraction = take_fraction(text);
      if (!fraction) return std::nullopt;
      millis = *fraction;
    }
    if (!text.empty()) {
      const auto east = take_offset(text);
      if (!east) return std::nullopt;
      offset = *east;
    }
  }
  if (!text.empty()) return std::nullopt;
  return (static_cast<std::int64_t>(::timegm(&parts)) - offset) * 1000 + millis;
}

std::string query_time(std::int64_t millis) {
  std::string digits = fraction(millis);
  while (digits.ends_with('0')) digits.pop_back();
  if (digits == ".") digits.clear();
  return formatted(millis, "%Y-%m-%dT%H:%M:%S") + digits + "Z";
}

std::string log_time(std::int64_t millis) {
  return formatted(millis, "%Y-%m-%dT%H:%M:%S") + fraction(millis) + "+0000";
}

std::int64_t now_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace restitch::cli
