#include "bson/extended_json.h"
#include "query/expression/dates.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

bool is_date_like(ValueView value) {
  return value.type() == Type::kDate || value.type() == Type::kTimestamp ||
         value.type() == Type::kObjectId;
}

Result<std::int64_t> coerce_to_millis(ValueView value) {
  switch (value.type()) {
    case Type::kDate:
      return value.get_date().millis;
    case Type::kTimestamp:
      return static_cast<std::int64_t>(value.get_timestamp().seconds) * kMillisPerSecond;
    case Type::kObjectId:
      return static_cast<std::int64_t>(value.get_object_id().seconds()) * kMillisPerSecond;
    default:
      return mongo_error(16006, "can't convert from BSON type " + type_name(value) + " to Date");
  }
}

Result<TimeZone> read_time_zone(ValueView value, int code, std::string_view name) {
  const auto text = value.as_string();
  if (!text) {
    return mongo_error(code, code == 40533
                                 ? std::string(name) +
                                       " requires a string for the timezone argument, but was "
                                       "given a " +
                                       type_name(value) + " (" + bson::to_shell(value) + ")"
                                 : "timezone must evaluate to a string, found " + type_name(value));
  }
  return TimeZone::parse(*text);
}

namespace {

using PartFunction = std::int64_t (*)(const CalendarTime& time, std::int64_t days);

// Operands: date, timezone (perhaps absent).
class DatePartNode final : public CompositeNode {
 public:
  DatePartNode(std::string name, PartFunction function, bool is_long,
               std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)),
        name_(std::move(name)),
        function_(function),
        is_long_(is_long) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value date_storage;
    RESTITCH_TRY(const ValueView date, operand(0).peek(context, date_storage));
    TimeZone zone;
    if (has(1)) {
      Value zone_storage;
      RESTITCH_TRY(const ValueView name, operand(1).peek(context, zone_storage));
      if (name.is_nullish()) return Value::null();
      RESTITCH_TRY(zone, read_time_zone(name, 40533, name_));
    }
    if (date.is_nullish()) return Value::null();
    RESTITCH_TRY(const std::int64_t millis, coerce_to_millis(date));
    const std::int64_t local = zone.to_local(millis);
    const std::int64_t part = function_(calendar_time(local), floor_div(local, kMillisPerDay));
    return make_integer(part, !is_long_);
  }

 private:
  std::string name_;
  PartFunction function_;
  bool is_long_;
};

Result<std::vector<ExpressionPtr>> part_operands(const bson::Element& element,
                                                 const ExpressionCompiler& compiler) {
  const std::string name(element.name);
  std::vector<ExpressionPtr> operands(2);
  const auto object = element.value.as_object();
  const bool is_call = object && !object->empty() && object->begin()->name.substr(0, 1) == "$";
  if (object && !is_call) {
    for (const bson::Element& argument : *object) {
      if (argument.name != "date" && argument.name != "timezone") {
        return mongo_error(
            40535, "unrecognized option to " + name + ": \"" + std::string(argument.name) + "\"");
      }
      RESTITCH_TRY(operands[argument.name == "date" ? 0 : 1], compiler.compile(argument.value));
    }
    if (!operands[0]) {
      return mongo_error(40539, "missing 'date' argument to " + name +
                                    ", provided: " + bson::to_shell(element.value));
    }
    return operands;
  }
  ValueView date = element.value;
  if (const auto array = element.value.as_array()) {
    const std::size_t count = array->count();
    if (count != 1) {
      return mongo_error(40536,
                         name + " accepts exactly one argument if given an array, but was given " +
                             std::to_string(count));
    }
    date = array->begin()->value;
  }
  RESTITCH_TRY(operands[0], compiler.compile(date));
  return operands;
}

struct DatePart {
  std::string_view name;
  PartFunction function;
  bool is_long = false;
};

constexpr DatePart kParts[] = {
    {"$year", [](const CalendarTime& time, std::int64_t) { return time.year; }},
    {"$month", [](const CalendarTime& time, std::int64_t) { return time.month; }},
    {"$dayOfMonth", [](const CalendarTime& time, std::int64_t) { return time.day; }},
    {"$hour", [](const CalendarTime& time, std::int64_t) { return time.hour; }},
    {"$minute", [](const CalendarTime& time, std::int64_t) { return time.minute; }},
    {"$second", [](const CalendarTime& time, std::int64_t) { return time.second; }},
    {"$millisecond", [](const CalendarTime& time, std::int64_t) { return time.millis; }},
    {"$dayOfYear", [](const CalendarTime&, std::int64_t days) { return day_of_year(days); }},
    {"$dayOfWeek",
     [](const CalendarTime&, std::int64_t days) -> std::int64_t { return day_of_week(days) + 1; }},
    {"$week", [](const CalendarTime&, std::int64_t days) { return week_of_year(days); }},
    {"$isoDayOfWeek",
     [](const CalendarTime&, std::int64_t days) -> std::int64_t { return iso_day_of_week(days); }},
    {"$isoWeek", [](const CalendarTime&, std::int64_t days) { return iso_week(days).week; }},
    {"$isoWeekYear", [](const CalendarTime&, std::int64_t days) { return iso_week(days).year; },
     true},
};

Result<ExpressionPtr> parse_part(const bson::Element& element, const ExpressionCompiler& compiler) {
  for (const DatePart& part : kParts) {
    if (part.name != element.name) continue;
    RESTITCH_TRY(auto operands, part_operands(element, compiler));
    return make_folded<DatePartNode>(compiler.context, std::string(element.name), part.function,
                                     part.is_long, std::move(operands));
  }
  return mongo_error(168, "Unrecognized expression '" + std::string(element.name) + "'");
}

Result<Value> date_to_parts(const Args& args) {
  TimeZone zone;
  if (args.has(1)) {
    if (args[1].is_nullish()) return Value::null();
    RESTITCH_TRY(zone, read_time_zone(args[1], 40517, args.name));
  }
  bool is_iso = false;
  if (args.has(2)) {
    if (args[2].is_nullish()) return Value::null();
    const auto flag = args[2].as_bool();
    if (!flag) {
      return mongo_error(40521, "iso8601 must evaluate to a bool, found " + type_name(args[2]));
    }
    is_iso = *flag;
  }
  if (args[0].is_nullish()) return Value::null();
  RESTITCH_TRY(const std::int64_t millis, coerce_to_millis(args[0]));
  const std::int64_t local = zone.to_local(millis);
  const CalendarTime time = calendar_time(local);
  const std::int64_t days = floor_div(local, kMillisPerDay);
  bson::Builder builder;
  const auto put = [&builder](std::string_view name, std::int64_t value) {
    builder.append(name, static_cast<std::int32_t>(value));
  };
  if (is_iso) {
    const IsoWeek week = iso_week(days);
    put("isoWeekYear", week.year);
    put("isoWeek", week.week);
    put("isoDayOfWeek", iso_day_of_week(days));
  } else {
    put("year", time.year);
    put("month", time.month);
    put("day", time.day);
  }
  put("hour", time.hour);
  put("minute", time.minute);
  put("second", time.second);
  put("millisecond", time.millis);
  return Value::of(std::move(builder).finish());
}

constexpr NamedArgument kToPartsNames[] = {{"date", 40522}, {"timezone"}, {"iso8601"}};
constexpr NamedArguments kToParts = {{40524, "%o only supports an object as its argument"},
                                     {40520, "Unrecognized argument to %o: %a"},
                                     "Missing '%a' parameter to %o",
                                     kToPartsNames};

enum PartIndex : std::size_t {
  kYearPart,
  kMonthPart,
  kDayPart,
  kHourPart,
  kMinutePart,
  kSecondPart,
  kMillisecondPart,
  kIsoYearPart,
  kIsoWeekPart,
  kIsoDayPart,
  kZonePart,
};
constexpr NamedArgument kFromPartsNames[] = {
    {"year"},        {"month"},       {"day"},     {"hour"},         {"minute"},  {"second"},
    {"millisecond"}, {"isoWeekYear"}, {"isoWeek"}, {"isoDayOfWeek"}, {"timezone"}};
constexpr NamedArguments kFromParts = {{40519, "%o only supports an object as its argument"},
                                       {40518, "Unrecognized argument to %o: %a"},
                                       "Missing '%a' parameter to %o",
                                       kFromPartsNames};

// One numeric part, or nothing when it is null or missing.
Result<std::optional<std::int64_t>> read_part(const Args& args, PartIndex part,
                                              std::int64_t fallback) {
  const std::string name = kFromPartsNames[part].name;
  if (!args.has(part)) return std::optional(fallback);
  const ValueView value = args[part];
  if (value.is_nullish()) return std::optional<std::int64_t>();
  const auto integer = as_int32(value);
  if (!integer) {
    return mongo_error(40515, "'" + name + "' must evaluate to an integer, found " +
                                  type_name(value) + " with value " + bson::to_shell(value));
  }
  constexpr std::int64_t kLastYear = 9999;
  constexpr std::int64_t kLimit = 32768;
  const bool is_year = part == kYearPart || part == kIsoYearPart;
  if (is_year && (*integer < 1 || *integer > kLastYear)) {
    return mongo_error(40523, "'" + name +
                                  "' must evaluate to an integer in the range 1 to 9999, found " +
                                  std::to_string(*integer));
  }
  const bool is_bounded = !is_year && part != kSecondPart && part != kMillisecondPart;
  if (is_bounded && (*integer < -kLimit || *integer >= kLimit)) {
    return mongo_error(31034, "'" + name +
                                  "' must evaluate to a value in the range [-32768, 32767]; "
                                  "value " +
                                  std::to_string(*integer) + " is not in range");
  }
  return std::optional<std::int64_t>(*integer);
}

Status check_parts(const Args& args) {
  const bool is_iso = args.has(kIsoYearPart);
  if (!args.has(kYearPart) && !is_iso) {
    return mongo_error(40516,
                       "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
  }
  if (args.has(kYearPart) && (is_iso || args.has(kIsoWeekPart) || args.has(kIsoDayPart))) {
    return mongo_error(40489, "$dateFromParts does not allow mixing natural dates with ISO dates");
  }
  if (is_iso && (args.has(kMonthPart) || args.has(kDayPart))) {
    return mongo_error(40525, "$dateFromParts does not allow mixing ISO dates with natural dates");
  }
  return {};
}

Result<Value> date_from_parts(const Args& args) {
  RESTITCH_CHECK(check_parts(args));
  const bool is_iso = args.has(kIsoYearPart);
  std::int64_t parts[kZonePart] = {};
  for (std::size_t i = 0; i < kZonePart; ++i) {
    const bool from_one = i == kMonthPart || i == kDayPart || i == kIsoWeekPart || i == kIsoDayPart;
    RESTITCH_TRY(const auto part, read_part(args, static_cast<PartIndex>(i), from_one ? 1 : 0));
    if (!part) return Value::null();
    parts[i] = *part;
  }
  TimeZone zone;
  if (args.has(kZonePart)) {
    if (args[kZonePart].is_nullish()) return Value::null();
    RESTITCH_TRY(zone, read_time_zone(args[kZonePart], 40517, args.name));
  }
  const std::int64_t days =
      is_iso ? days_from_iso_week(parts[kIsoYearPart], parts[kIsoWeekPart], parts[kIsoDayPart])
             : days_from_civil(parts[kYearPart], parts[kMonthPart], 1) + parts[kDayPart] - 1;
  const std::int64_t local = days * kMillisPerDay + parts[kHourPart] * kMillisPerHour +
                             parts[kMinutePart] * kMillisPerMinute +
                             parts[kSecondPart] * kMillisPerSecond + parts[kMillisecondPart];
  return Value::of(bson::Date{zone.to_utc(local)});
}

template <bool increment>
Result<Value> timestamp_part(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  if (args[0].type() != Type::kTimestamp) {
    return mongo_error(increment ? 5687302 : 5687301, " Argument to " + std::string(args.name) +
                                                          " must be a timestamp, but is " +
                                                          type_name(args[0]));
  }
  const bson::Timestamp value = args[0].get_timestamp();
  return Value::of(static_cast<std::int64_t>(increment ? value.increment : value.seconds));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$year", parse_part),
    parsed("$month", parse_part),
    parsed("$dayOfMonth", parse_part),
    parsed("$hour", parse_part),
    parsed("$minute", parse_part),
    parsed("$second", parse_part),
    parsed("$millisecond", parse_part),
    parsed("$dayOfYear", parse_part),
    parsed("$dayOfWeek", parse_part),
    parsed("$week", parse_part),
    parsed("$isoDayOfWeek", parse_part),
    parsed("$isoWeek", parse_part),
    parsed("$isoWeekYear", parse_part),
    with_names("$dateToParts", kToParts, date_to_parts),
    with_names("$dateFromParts", kFromParts, date_from_parts),
    eager("$tsSecond", 1, timestamp_part<false>),
    eager("$tsIncrement", 1, timestamp_part<true>),
};

}  // namespace

OperatorTable date_part_operators() { return kOperators; }

}  // namespace restitch::query
