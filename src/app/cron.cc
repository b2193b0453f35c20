#include "app/cron.h"

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <span>
#include <vector>

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                      "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kWeekdays = {"SUN", "MON", "TUE", "WED",
                                                       "THU", "FRI", "SAT"};

struct Field {
  std::string_view title;
  int first;
  int last;
  std::span<const std::string_view> names;
};

const std::array<Field, 5> kFields = {
    Field{"minute", 0, 59, {}}, Field{"hour", 0, 23, {}}, Field{"day of month", 1, 31, {}},
    Field{"month", 1, 12, kMonths}, Field{"weekday", 0, 7, kWeekdays}};

bool equal_ignoring_case(std::string_view a, std::string_view upper) {
  if (a.size() != upper.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'a' && a[i] <= 'z' ? static_cast<char>(a[i] - 'a' + 'A') : a[i];
    if (c != upper[i]) return false;
  }
  return true;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

std::optional<int> value_in(const Field& field, std::string_view text) {
  if (text.empty()) return std::nullopt;
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (equal_ignoring_case(text, field.names[i])) return field.first + static_cast<int>(i);
  }
  const auto value = number(text);
  if (!value || *value < field.first || *value > field.last) return std::nullopt;
  return value;
}

// "*", "a" or "a-b", each maybe with "/n".
bool is_valid_part(const Field& field, std::string_view part) {
  const std::size_t slash = part.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view step = part.substr(slash + 1);
    const auto value = step.empty() ? std::nullopt : number(step);
    if (!value || *value == 0) return false;
    part = part.substr(0, slash);
  }
  if (part == "*" || part == "?") return true;
  const std::size_t dash = part.find('-');
  if (dash == std::string_view::npos) return value_in(field, part).has_value();
  const auto from = value_in(field, part.substr(0, dash));
  const auto to = value_in(field, part.substr(dash + 1));
  return from && to && *from <= *to;
}

// The values of a valid part. A step alone means the values that it divides ("*/25": 0, 25, 50);
// one behind a range or a value counts from its beginning.
void add_part(const Field& field, std::string_view part, std::bitset<60>& values) {
  const std::size_t slash = part.find('/');
  const bool has_step = slash != std::string_view::npos;
  const int step = has_step ? *number(part.substr(slash + 1)) : 1;
  part = part.substr(0, slash);
  const std::size_t dash = part.find('-');
  const bool is_all = part == "*" || part == "?";
  int from = field.first;
  int to = field.last;
  if (!is_all) {
    from = *value_in(field, part.substr(0, dash));
    if (dash != std::string_view::npos) {
      to = *value_in(field, part.substr(dash + 1));
    } else if (!has_step) {
      to = from;
    }
  }
  for (int value = from; value <= to; ++value) {
    const bool is_hit = is_all ? value % step == 0 : (value - from) % step == 0;
    if (is_hit) values.set(static_cast<std::size_t>(value));
  }
}

std::bitset<60> values_of(const Field& field, std::string_view text) {
  std::bitset<60> values;
  while (true) {
    const std::size_t comma = text.find(',');
    add_part(field, text.substr(0, comma), values);
    if (comma == std::string_view::npos) return values;
    text.remove_prefix(comma + 1);
  }
}

bool is_valid(const Field& field, std::string_view text) {
  while (true) {
    const std::size_t comma = text.find(',');
    if (!is_valid_part(field, text.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    const std::size_t end = std::min(text.find_first_of(" \t", start), text.size());
    words.push_back(text.substr(start, end - start));
    text.remove_prefix(end);
  }
}

}  // namespace

std::string problem_of_schedule(std::string_view schedule) {
  const std::vector<std::string_view> words = words_of(schedule);
  if (words.size() != kFields.size()) {
    return "must have five fields (minute, hour, day of month, month, weekday), has " +
           std::to_string(words.size());
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (is_valid(kFields[i], words[i])) continue;
    return "'" + std::string(words[i]) + "' is no valid " + std::string(kFields[i].title);
  }
  return {};
}

std::optional<Schedule> Schedule::parse(std::string_view schedule) {
  if (!problem_of_schedule(schedule).empty()) return std::nullopt;
  const std::vector<std::string_view> words = words_of(schedule);
  Schedule out;
  out.minutes_ = values_of(kFields[0], words[0]);
  out.hours_ = values_of(kFields[1], words[1]);
  out.days_ = values_of(kFields[2], words[2]);
  out.months_ = values_of(kFields[3], words[3]);
  out.weekdays_ = values_of(kFields[4], words[4]);
  if (out.weekdays_.test(7)) out.weekdays_.set(0);  // both are Sunday
  return out;
}

std::optional<std::int64_t> Schedule::next_after(std::int64_t after) const {
  using std::chrono::days;
  using std::chrono::sys_days;
  constexpr std::int64_t kDayMinutes = 24 * 60;
  constexpr int kMostDays = 28 * 366;
  const std::int64_t first = after + 1;
  std::int64_t day = first >= 0 ? first / kDayMinutes : (first - kDayMinutes + 1) / kDayMinutes;
  std::int64_t begin = first - day * kDayMinutes;
  for (int looked = 0; looked < kMostDays; ++looked, ++day, begin = 0) {
    const sys_days date{days{day}};
    const std::chrono::year_month_day calendar{date};
    const std::chrono::weekday weekday{date};
    if (!months_.test(static_cast<unsigned>(calendar.month())) ||
        !days_.test(static_cast<unsigned>(calendar.day())) ||
        !weekdays_.test(weekday.c_encoding())) {
      continue;
    }
    for (std::int64_t minute = begin; minute < kDayMinutes; ++minute) {
      if (hours_.test(static_cast<std::size_t>(minute / 60)) &&
          minutes_.test(static_cast<std::size_t>(minute % 60))) {
        return day * kDayMinutes + minute;
      }
    }
  }
  return std::nullopt;
}

}  // namespace restitch::app
