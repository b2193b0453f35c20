#include <cstdio>

#include "query/expression/dates.h"
#include "query/expression/text.h"

namespace restitch::query {
namespace {

constexpr std::string_view kFormatSpecifiers = "bBdGHjLmMSuUVwYzZ%";
constexpr std::string_view kParseSpecifiers = "bBdGHjLmMSuVYzZ%";

void append_number(std::string& out, std::int64_t value, int width) {
  char text[24];
  const int size =
      std::snprintf(text, sizeof(text), "%0*lld", width, static_cast<long long>(value));
  out.append(text, static_cast<std::size_t>(size));
}

void append_offset(std::string& out, std::int64_t offset, bool in_minutes) {
  const std::int64_t minutes = (offset < 0 ? -offset : offset) / kMillisPerMinute;
  out.push_back(offset < 0 ? '-' : '+');
  if (in_minutes) {
    append_number(out, minutes, 3);
  } else {
    append_number(out, minutes / 60, 2);
    append_number(out, minutes % 60, 2);
  }
}

struct LocalMoment {
  CalendarTime time;
  std::int64_t days;
  std::int64_t offset;
};

void append_part(std::string& out, char specifier, const LocalMoment& moment) {
  const CalendarTime& time = moment.time;
  switch (specifier) {
    case 'Y':
      return append_number(out, time.year, 4);
    case 'm':
      return append_number(out, time.month, 2);
    case 'd':
      return append_number(out, time.day, 2);
    case 'H':
      return append_number(out, time.hour, 2);
    case 'M':
      return append_number(out, time.minute, 2);
    case 'S':
      return append_number(out, time.second, 2);
    case 'L':
      return append_number(out, time.millis, 3);
    case 'j':
      return append_number(out, day_of_year(moment.days), 3);
    case 'w':
      return append_number(out, day_of_week(moment.days) + 1, 1);
    case 'u':
      return append_number(out, iso_day_of_week(moment.days), 1);
    case 'U':
      return append_number(out, week_of_year(moment.days), 2);
    case 'V':
      return append_number(out, iso_week(moment.days).week, 2);
    case 'G':
      return append_number(out, iso_week(moment.days).year, 4);
    case 'b':
      out.append(kMonthNames[time.month - 1].substr(0, 3));
      return;
    case 'B':
      out.append(kMonthNames[time.month - 1]);
      return;
    case 'z':
    case 'Z':
      return append_offset(out, moment.offset, specifier == 'Z');
    default:
      out.push_back('%');
  }
}

}  // namespace

Status check_date_format(std::string_view format, bool parsing) {
  const std::string_view known = parsing ? kParseSpecifiers : kFormatSpecifiers;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    if (++i == format.size()) return mongo_error(18535, "Unmatched '%' at end of format string");
    if (known.find(format[i]) == std::string_view::npos) {
      return mongo_error(
          18536, std::string("Invalid format character '%") + format[i] + "' in format string");
    }
  }
  return {};
}

Result<std::string> format_date(std::int64_t utc_millis, std::string_view format,
                                const TimeZone& zone) {
  constexpr std::int64_t kLastYear = 9999;
  const std::int64_t offset = zone.offset_at(utc_millis);
  const std::int64_t local = utc_millis + offset;
  const LocalMoment moment{calendar_time(local), floor_div(local, kMillisPerDay), offset};
  if (moment.time.year < 0 || moment.time.year > kLastYear) {
    return mongo_error(18537, "$dateToString is only defined on year 0-9999, tried to use year " +
                                  std::to_string(moment.time.year));
  }
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '%' && i + 1 < format.size()) {
      append_part(out, format[++i], moment);
    } else {
      out.push_back(format[i]);
    }
  }
  return out;
}

std::string date_text(bson::Date date) {
  const CalendarTime time = calendar_time(date.millis);
  char text[64];
  const int size =
      std::snprintf(text, sizeof(text), "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%03lldZ",
                    static_cast<long long>(time.year), static_cast<long long>(time.month),
                    static_cast<long long>(time.day), static_cast<long long>(time.hour),
                    static_cast<long long>(time.minute), static_cast<long long>(time.second),
                    static_cast<long long>(time.millis));
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace restitch::query
