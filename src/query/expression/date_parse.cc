#include <algorithm>

#include "query/expression/dates.h"

namespace restitch::query {
namespace {

constexpr int kConversionFailure = 241;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// A cursor over date text.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view rest() const { return rest_; }
  bool accept(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (peek() == ' ') rest_.remove_prefix(1);
  }
  // Between `least` and `most` digits.
  std::optional<std::int64_t> number(std::size_t least, std::size_t most) {
    std::size_t size = 0;
    std::int64_t value = 0;
    while (size < most && size < rest_.size() && is_digit(rest_[size])) {
      value = value * 10 + (rest_[size++] - '0');
    }
    if (size < least) return std::nullopt;
    rest_.remove_prefix(size);
    return value;
  }
  std::size_t leading_digits() const {
    std::size_t size = 0;
    while (size < rest_.size() && is_digit(rest_[size])) ++size;
    return size;
  }
  // A fraction of a second in milliseconds; further digits are cut off.
  std::optional<std::int64_t> fraction() {
    const std::size_t size = leading_digits();
    if (size == 0) return std::nullopt;
    std::int64_t value = 0;
    for (std::size_t i = 0; i < 3; ++i) value = value * 10 + (i < size ? rest_[i] - '0' : 0);
    rest_.remove_prefix(size);
    return value;
  }
  std::string_view word() {
    std::size_t size = 0;
    while (size < rest_.size() && is_letter(rest_[size])) ++size;
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  // "+hh", "+hhmm", "+hh:mm".
  std::optional<std::int64_t> offset() {
    const std::int64_t sign = peek() == '-' ? -1 : 1;
    if (!accept('-') && !accept('+')) return std::nullopt;
    const auto hours = number(1, 2);
    if (!hours) return std::nullopt;
    accept(':');
    const std::int64_t minutes = number(2, 2).value_or(0);
    return sign * (*hours * kMillisPerHour + minutes * kMillisPerMinute);
  }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> month_from_name(std::string_view name) {
  if (name.size() < 3) return std::nullopt;
  for (std::size_t i = 0; i < 12; ++i) {
    const std::string_view full = kMonthNames[i];
    if (name.size() != 3 && name.size() != full.size()) continue;
    const auto same = [](char a, char b) { return lower(a) == lower(b); };
    if (std::equal(name.begin(), name.end(), full.begin(), same))
      return static_cast<std::int64_t>(i + 1);
  }
  return std::nullopt;
}

// What has been read so far.
struct DateFields {
  CalendarTime time;
  std::optional<std::int64_t> year, iso_year, iso_week, iso_day, day_of_year;
  bool has_month = false;
  bool has_day = false;
  std::optional<std::int64_t> offset;
};

bool in_range(const CalendarTime& time) {
  return time.month >= 1 && time.month <= 12 && time.day >= 1 && time.day <= 31 &&
         time.hour <= 24 && time.minute <= 59 && time.second <= 60;
}

Error parse_error(std::string_view text, std::string_view reason) {
  std::string message = "Error parsing date string '" + std::string(text) + "'";
  if (!reason.empty()) message += "; " + std::string(reason);
  return mongo_error(kConversionFailure, std::move(message));
}

// A moment from the fields; the zone applies when the text had no offset.
Result<std::int64_t> finish(const DateFields& fields, std::string_view text, const TimeZone* zone) {
  if (!in_range(fields.time)) return parse_error(text, "The parsed date was invalid");
  std::int64_t days = 0;
  if (fields.iso_year) {
    days = days_from_iso_week(*fields.iso_year, fields.iso_week.value_or(1),
                              fields.iso_day.value_or(1));
  } else if (fields.day_of_year) {
    days = days_from_civil(*fields.year, 1, 1) + *fields.day_of_year - 1;
  } else {
    if (fields.time.day > days_in_month(*fields.year, fields.time.month)) {
      return parse_error(text, "The parsed date was invalid");
    }
    days = days_from_civil(*fields.year, fields.time.month, fields.time.day);
  }
  const std::int64_t local = days * kMillisPerDay + fields.time.hour * kMillisPerHour +
                             fields.time.minute * kMillisPerMinute +
                             fields.time.second * kMillisPerSecond + fields.time.millis;
  if (fields.offset) {
    if (zone != nullptr) {
      return mongo_error(kConversionFailure,
                         "you cannot pass in a date/time string with GMT offset "
                         "together with a timezone argument");
    }
    return local - *fields.offset;
  }
  return zone != nullptr ? zone->to_utc(local) : local;
}

// "2017-02-08", "2017/02/08", "20170208", "02/08/2017", "July 4, 2018"; "4 July 2018".
bool read_day(DateReader& reader, DateFields& fields) {
  if (is_letter(reader.peek())) {
    const auto month = month_from_name(reader.word());
    if (!month) return false;
    fields.time.month = *month;
    reader.accept('.');
    reader.skip_spaces();
    const auto day = reader.number(1, 2);
    if (!day) return false;
    fields.time.day = *day;
    if (is_letter(reader.peek())) reader.word();
    reader.accept(',');
    reader.skip_spaces();
    fields.year = reader.number(4, 4);
    return fields.year.has_value();
  }
  const std::size_t digits = reader.leading_digits();
  if (digits == 8) {
    fields.year = reader.number(4, 4);
    fields.time.month = *reader.number(2, 2);
    fields.time.day = *reader.number(2, 2);
    return true;
  }
  if (digits == 4) {
    fields.year = reader.number(4, 4);
    const char separator = reader.peek();
    if (separator != '-' && separator != '/') return false;
    reader.accept(separator);
    const auto month = reader.number(1, 2);
    if (!month) return false;
    fields.time.month = *month;
    if (!reader.accept(separator)) return true;
    const auto day = reader.number(1, 2);
    if (!day) return false;
    fields.time.day = *day;
    return true;
  }
  const auto first = reader.number(1, 2);
  if (!first) return false;
  if (reader.accept('/')) {
    const auto day = reader.number(1, 2);
    if (!day || !reader.accept('/')) return false;
    fields.time.month = *first;
    fields.time.day = *day;
    fields.year = reader.number(4, 4);
    return fields.year.has_value();
  }
  reader.accept('-');
  reader.skip_spaces();
  const auto month = month_from_name(reader.word());
  if (!month) return false;
  fields.time.day = *first;
  fields.time.month = *month;
  reader.accept('-');
  reader.accept(',');
  reader.skip_spaces();
  fields.year = reader.number(4, 4);
  return fields.year.has_value();
}

// "12:34", "12:34:56", "12:34:56.789".
bool read_clock(DateReader& reader, DateFields& fields) {
  const auto hour = reader.number(1, 2);
  if (!hour || !reader.accept(':')) return false;
  const auto minute = reader.number(2, 2);
  if (!minute) return false;
  fields.time.hour = *hour;
  fields.time.minute = *minute;
  if (!reader.accept(':')) return true;
  const auto second = reader.number(2, 2);
  if (!second) return false;
  fields.time.second = *second;
  if (!reader.accept('.')) return true;
  const auto millis = reader.fraction();
  if (!millis) return false;
  fields.time.millis = *millis;
  return true;
}

}  // namespace

Result<std::int64_t> parse_date_text(std::string_view text, const TimeZone* zone) {
  DateReader reader(text);
  DateFields fields;
  reader.skip_spaces();
  if (!read_day(reader, fields))
    return parse_error(text, "an incomplete date/time string has been found");
  const bool has_separator = reader.accept('T') || reader.accept('t');
  reader.skip_spaces();
  if (is_digit(reader.peek()) || has_separator) {
    if (!read_clock(reader, fields)) return parse_error(text, "Unexpected character");
    reader.skip_spaces();
  }
  if (!reader.at_end()) {
    if (is_letter(reader.peek())) {
      const std::string_view name = reader.word();
      if (name != "Z" && name != "z" && name != "UTC" && name != "GMT") {
        return parse_error(text,
                           "passing a time zone identifier as part of the string is not allowed '" +
                               std::string(name) + "'");
      }
      fields.offset = 0;
    } else {
      fields.offset = reader.offset();
    }
    reader.skip_spaces();
  }
  if (!reader.at_end())
    return parse_error(text, "Unexpected character '" + std::string(1, reader.peek()) + "'");
  return finish(fields, text, zone);
}

namespace {

// Reads what one specifier stands for.
bool read_specifier(char specifier, DateReader& reader, DateFields& fields) {
  const auto into = [](std::int64_t& target, std::optional<std::int64_t> value) {
    if (value) target = *value;
    return value.has_value();
  };
  switch (specifier) {
    case 'Y':
      fields.year = reader.number(4, 4);
      return fields.year.has_value();
    case 'm':
      fields.has_month = true;
      return into(fields.time.month, reader.number(1, 2));
    case 'd':
      fields.has_day = true;
      return into(fields.time.day, reader.number(1, 2));
    case 'H':
      return into(fields.time.hour, reader.number(1, 2));
    case 'M':
      return into(fields.time.minute, reader.number(1, 2));
    case 'S':
      return into(fields.time.second, reader.number(1, 2));
    case 'L':
      return into(fields.time.millis, reader.fraction());
    case 'j':
      fields.day_of_year = reader.number(1, 3);
      return fields.day_of_year.has_value();
    case 'G':
      fields.iso_year = reader.number(4, 4);
      return fields.iso_year.has_value();
    case 'V':
      fields.iso_week = reader.number(1, 2);
      return fields.iso_week.has_value();
    case 'u':
      fields.iso_day = reader.number(1, 1);
      return fields.iso_day.has_value();
    case 'b':
    case 'B':
      fields.has_month = true;
      return into(fields.time.month, month_from_name(reader.word()));
    case 'z':
      if (reader.accept('Z')) {
        fields.offset = 0;
      } else {
        fields.offset = reader.offset();
      }
      return fields.offset.has_value();
    case 'Z': {
      const std::int64_t sign = reader.peek() == '-' ? -1 : 1;
      if (!reader.accept('-') && !reader.accept('+')) return false;
      const auto minutes = reader.number(1, 4);
      if (minutes) fields.offset = sign * *minutes * kMillisPerMinute;
      return minutes.has_value();
    }
    default:
      return reader.accept('%');
  }
}

}  // namespace

Result<std::int64_t> parse_date_with_format(std::string_view text, std::string_view format,
                                            const TimeZone* zone) {
  DateReader reader(text);
  DateFields fields;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const bool fits =
        format[i] == '%' ? read_specifier(format[++i], reader, fields) : reader.accept(format[i]);
    if (!fits) {
      return parse_error(text, reader.at_end() ? "Not enough data available to satisfy format"
                                               : "Format literal not found");
    }
  }
  if (!reader.at_end()) return parse_error(text, "Trailing data");
  if (fields.iso_year && (fields.year || fields.has_month || fields.has_day)) {
    return parse_error(text, "Mixing of ISO dates with natural dates is not allowed");
  }
  if (!fields.year && !fields.iso_year) {
    return parse_error(text,
                       "an incomplete date/time string has been found, with elements missing");
  }
  return finish(fields, text, zone);
}

}  // namespace restitch::query
