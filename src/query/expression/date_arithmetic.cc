#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/dates.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Date;
using bson::Type;
using bson::Value;
using bson::ValueView;

// Months in the calendar units, 0 for the others.
std::int64_t months_in(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kYear:
      return 12;
    case TimeUnit::kQuarter:
      return 3;
    case TimeUnit::kMonth:
      return 1;
    default:
      return 0;
  }
}

std::int64_t millis_in(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kWeek:
      return 7 * kMillisPerDay;
    case TimeUnit::kDay:
      return kMillisPerDay;
    case TimeUnit::kHour:
      return kMillisPerHour;
    case TimeUnit::kMinute:
      return kMillisPerMinute;
    case TimeUnit::kSecond:
      return kMillisPerSecond;
    default:
      return 1;
  }
}

bool is_clock_unit(TimeUnit unit) { return unit >= TimeUnit::kHour; }

std::int64_t add_months(std::int64_t local, std::int64_t months) {
  CalendarTime time = calendar_time(local);
  const std::int64_t total = time.year * 12 + time.month - 1 + months;
  time.year = floor_div(total, 12);
  time.month = floor_mod(total, 12) + 1;
  time.day = std::min<std::int64_t>(time.day, days_in_month(time.year, time.month));
  return millis_from(time);
}

}  // namespace

std::optional<std::int64_t> add_time(std::int64_t utc, TimeUnit unit, std::int64_t amount,
                                     const TimeZone& zone) {
  constexpr std::int64_t kMostMonths = 292000000LL * 12;
  if (const std::int64_t months = months_in(unit); months != 0) {
    std::int64_t total;
    if (__builtin_mul_overflow(amount, months, &total) || total > kMostMonths ||
        total < -kMostMonths) {
      return std::nullopt;
    }
    return zone.to_utc(add_months(zone.to_local(utc), total));
  }
  std::int64_t distance;
  if (__builtin_mul_overflow(amount, millis_in(unit), &distance)) return std::nullopt;
  const bool is_wall_clock = !is_clock_unit(unit) && !zone.is_utc();
  std::int64_t out;
  if (__builtin_add_overflow(is_wall_clock ? zone.to_local(utc) : utc, distance, &out)) {
    return std::nullopt;
  }
  return is_wall_clock ? zone.to_utc(out) : out;
}

namespace {

Result<TimeUnit> read_unit(ValueView value, const std::string& text) {
  const auto unit = parse_time_unit(value.get_string());
  if (unit) return *unit;
  return mongo_error(9, text + std::string(value.get_string()));
}

// Operands: startDate, unit, amount, timezone.
template <std::int64_t sign>
Result<Value> add_to_date(const Args& args) {
  const std::string name(args.name);
  for (std::size_t i = 0; i < args.size(); ++i) {
    if ((i < 3 || args.has(i)) && args[i].is_nullish()) return Value::null();
  }
  if (args[1].type() != Type::kString) {
    return mongo_error(5166404, name + " expects string defining the time unit");
  }
  RESTITCH_TRY(const TimeUnit unit, read_unit(args[1], "unknown time unit value: "));
  const auto amount = args[2].as_integer();
  if (!amount) return mongo_error(5166405, name + " expects integer amount of time units");
  if (!is_date_like(args[0])) {
    return mongo_error(5166403, name + " requires startDate to be convertible to a date");
  }
  TimeZone zone;
  if (args.has(3)) {
    RESTITCH_TRY(zone, read_time_zone(args[3], 40517, name));
  }
  RESTITCH_TRY(const std::int64_t start, coerce_to_millis(args[0]));
  std::int64_t signed_amount;
  if (__builtin_mul_overflow(*amount, sign, &signed_amount)) {
    return mongo_error(5976500,
                       "invalid " + name + " 'amount' parameter value: " + bson::to_shell(args[2]));
  }
  const auto out = add_time(start, unit, signed_amount, zone);
  if (!out) return mongo_error(5166406, name + " overflowed");
  return Value::of(Date{*out});
}

constexpr NamedArgument kAddNames[] = {
    {"startDate", 5166402}, {"unit", 5166402}, {"amount", 5166402}, {"timezone"}};
constexpr NamedArguments kAdd = {{5166400, "%o expects an object as its argument"},
                                 {5166401,
                                  "Unrecognized argument to %o: %a. Expected arguments are "
                                  "startDate, unit, amount, and optionally "
                                  "timezone."},
                                 "%o requires startDate, unit, and amount to be present",
                                 kAddNames};

Result<int> read_start_of_week(const Args& args, std::size_t index) {
  const std::string name(args.name);
  if (!args.has(index)) return 0;
  const auto text = args[index].as_string();
  if (!text) {
    return mongo_error(5439015, name + " requires 'startOfWeek' to be a string, but got " +
                                    type_name(args[index]));
  }
  const auto day = parse_day_of_week(*text);
  if (!day) {
    return mongo_error(5439016,
                       name +
                           " parameter 'startOfWeek' value cannot be recognized as a day of a "
                           "week: " +
                           std::string(*text));
  }
  return *day;
}

// Number of the calendar unit a local time falls into; differences count crossed boundaries.
std::int64_t ordinal(std::int64_t local, TimeUnit unit, int start_of_week) {
  const std::int64_t days = floor_div(local, kMillisPerDay);
  if (unit == TimeUnit::kDay) return days;
  if (unit == TimeUnit::kWeek) {
    constexpr std::int64_t kEpochDay = 4;
    return floor_div(days + kEpochDay - start_of_week, 7);
  }
  const CalendarTime time = calendar_time(local);
  return floor_div(time.year * 12 + time.month - 1, months_in(unit));
}

std::int64_t clock_ordinal(std::int64_t utc, TimeUnit unit, const TimeZone& zone) {
  // Zones whose offset is no whole number of units move the boundaries.
  const std::int64_t size = millis_in(unit);
  return floor_div(utc + floor_mod(zone.offset_at(utc), size), size);
}

// Operands: startDate, endDate, unit, timezone, startOfWeek.
Result<Value> difference(const Args& args) {
  for (std::size_t i = 0; i < 4; ++i) {
    if ((i < 3 || args.has(i)) && args[i].is_nullish()) return Value::null();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (is_date_like(args[i])) continue;
    return mongo_error(5166307, std::string("$dateDiff requires '") +
                                    (i == 0 ? "startDate" : "endDate") +
                                    "' to be a date, but got " + type_name(args[i]));
  }
  if (args[2].type() != Type::kString) {
    return mongo_error(5439013,
                       "$dateDiff requires 'unit' to be a string, but got " + type_name(args[2]));
  }
  RESTITCH_TRY(
      const TimeUnit unit,
      read_unit(args[2], "$dateDiff parameter 'unit' value cannot be recognized as a time unit: "));
  int start_of_week = 0;
  if (unit == TimeUnit::kWeek) {
    if (args.has(4) && args[4].is_nullish()) return Value::null();
    RESTITCH_TRY(start_of_week, read_start_of_week(args, 4));
  }
  TimeZone zone;
  if (args.has(3)) {
    RESTITCH_TRY(zone, read_time_zone(args[3], 40517, args.name));
  }
  RESTITCH_TRY(const std::int64_t start, coerce_to_millis(args[0]));
  RESTITCH_TRY(const std::int64_t end, coerce_to_millis(args[1]));
  if (is_clock_unit(unit)) {
    std::int64_t out;
    if (__builtin_sub_overflow(clock_ordinal(end, unit, zone), clock_ordinal(start, unit, zone),
                               &out)) {
      return mongo_error(5166308, "$dateDiff overflowed");
    }
    return Value::of(out);
  }
  return Value::of(ordinal(zone.to_local(end), unit, start_of_week) -
                   ordinal(zone.to_local(start), unit, start_of_week));
}

constexpr NamedArgument kDiffNames[] = {
    {"startDate", 5166303}, {"endDate", 5166304}, {"unit", 5166305}, {"timezone"}, {"startOfWeek"}};
constexpr NamedArguments kDiff = {{5166301, "%o only supports an object as its argument"},
                                  {5166302, "Unrecognized argument to %o: %a"},
                                  "Missing '%a' parameter to %o",
                                  kDiffNames};

std::int64_t truncate_local(std::int64_t local, TimeUnit unit, std::int64_t bin,
                            int start_of_week) {
  const std::int64_t reference_day = days_from_civil(2000, 1, 1);
  const std::int64_t days = floor_div(local, kMillisPerDay);
  if (unit == TimeUnit::kDay || unit == TimeUnit::kWeek) {
    std::int64_t first = reference_day;
    if (unit == TimeUnit::kWeek) {
      first += floor_mod(start_of_week - day_of_week(reference_day), 7);
      bin *= 7;
    }
    return (first + floor_div(days - first, bin) * bin) * kMillisPerDay;
  }
  const std::int64_t months = bin * months_in(unit);
  const CalendarTime time = calendar_time(local);
  const std::int64_t since = (time.year - 2000) * 12 + time.month - 1;
  return days_from_civil(2000, floor_div(since, months) * months + 1, 1) * kMillisPerDay;
}

// Operands: date, unit, binSize, timezone, startOfWeek.
Result<Value> truncate(const Args& args) {
  for (std::size_t i = 0; i < 4; ++i) {
    if ((i < 2 || args.has(i)) && args[i].is_nullish()) return Value::null();
  }
  if (!is_date_like(args[0])) {
    return mongo_error(5439012,
                       "$dateTrunc requires 'date' to be a date, but got " + type_name(args[0]));
  }
  if (args[1].type() != Type::kString) {
    return mongo_error(5439013,
                       "$dateTrunc requires 'unit' to be a string, but got " + type_name(args[1]));
  }
  RESTITCH_TRY(
      const TimeUnit unit,
      read_unit(args[1],
                "$dateTrunc parameter 'unit' value cannot be recognized as a time unit: "));
  std::int64_t bin = 1;
  if (args.has(2)) {
    const auto size = args[2].as_integer();
    if (!size) {
      return mongo_error(5439017,
                         "$dateTrunc requires 'binSize' to be a 64-bit integer, but got value '" +
                             bson::to_shell(args[2]) + "' of type " + type_name(args[2]));
    }
    if (*size <= 0) {
      return mongo_error(5439018,
                         "$dateTrunc requires 'binSize' to be greater than 0, but got value " +
                             std::to_string(*size));
    }
    constexpr std::int64_t kMostUnits = 100000000000LL;
    bin = std::min(*size, kMostUnits);
  }
  int start_of_week = 0;
  if (unit == TimeUnit::kWeek) {
    if (args.has(4) && args[4].is_nullish()) return Value::null();
    RESTITCH_TRY(start_of_week, read_start_of_week(args, 4));
  }
  TimeZone zone;
  if (args.has(3)) {
    RESTITCH_TRY(zone, read_time_zone(args[3], 40517, args.name));
  }
  RESTITCH_TRY(const std::int64_t millis, coerce_to_millis(args[0]));
  if (!is_clock_unit(unit)) {
    return Value::of(
        Date{zone.to_utc(truncate_local(zone.to_local(millis), unit, bin, start_of_week))});
  }
  std::int64_t width;
  if (__builtin_mul_overflow(bin, millis_in(unit), &width)) {
    return mongo_error(5439018, "$dateTrunc 'binSize' is too large");
  }
  const std::int64_t reference = zone.to_utc(days_from_civil(2000, 1, 1) * kMillisPerDay);
  return Value::of(Date{reference + floor_div(millis - reference, width) * width});
}

constexpr NamedArgument kTruncateNames[] = {
    {"date", 5439009}, {"unit", 5439010}, {"binSize"}, {"timezone"}, {"startOfWeek"}};
constexpr NamedArguments kTruncate = {{5439007, "%o only supports an object as its argument"},
                                      {5439008, "Unrecognized argument to %o: %a"},
                                      "Missing '%a' parameter to %o",
                                      kTruncateNames};

constexpr OperatorDefinition kOperators[] = {
    with_names("$dateAdd", kAdd, add_to_date<1>),
    with_names("$dateSubtract", kAdd, add_to_date<-1>),
    with_names("$dateDiff", kDiff, difference),
    with_names("$dateTrunc", kTruncate, truncate),
};

}  // namespace

OperatorTable date_arithmetic_operators() { return kOperators; }

}  // namespace restitch::query
