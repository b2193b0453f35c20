#include "datasource/embedded/parameters.h"

#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::Value;
using bson::ValueView;

struct NumberParameter {
  std::string_view name;
  std::atomic<std::int64_t> Parameters::*member;
  std::int64_t least;
};
constexpr NumberParameter kNumbers[] = {
    {"cursorTimeoutMillis", &Parameters::cursor_timeout_millis, 1},
    {"minSnapshotHistoryWindowInSeconds", &Parameters::snapshot_history_seconds, 0},
    {"slowms", &Parameters::slow_millis, -1},
    {"transactionLifetimeLimitSeconds", &Parameters::transaction_lifetime_seconds, 1},
};

struct SwitchParameter {
  std::string_view name;
  std::atomic<bool> Parameters::*member;
};
constexpr SwitchParameter kSwitches[] = {
    {"requireApiVersion", &Parameters::requires_api_version},
    {"ttlMonitorEnabled", &Parameters::runs_ttl},
};

Document fixed_values(const Parameters& parameters) {
  Builder builder;
  builder.open_array("authenticationMechanisms");
  builder.push("SCRAM-SHA-1").push("SCRAM-SHA-256");
  builder.close();
  builder.append("enableTestCommands", parameters.has_test_commands);
  builder.open_object("featureCompatibilityVersion").append("version", "7.0").close();
  builder.append("localLogicalSessionTimeoutMinutes", std::int32_t{30});
  return std::move(builder).finish();
}

Value number_value(std::int64_t number) {
  const Document holder = number <= INT32_MAX
                              ? bson::make_document("v", static_cast<std::int32_t>(number))
                              : bson::make_document("v", number);
  return Value(holder["v"]);
}

Value switch_value(bool is_on) {
  const Document holder = bson::make_document("v", is_on);
  return Value(holder["v"]);
}

void append_one(Builder& reply, std::string_view name, ValueView value, bool with_details,
                bool is_settable) {
  if (!with_details) {
    reply.append(name, value);
    return;
  }
  reply.open_object(name);
  reply.append("value", value);
  reply.append("settableAtRuntime", is_settable).append("settableAtStartup", false);
  reply.close();
}

}  // namespace

int append_parameters(Builder& reply, const Parameters& parameters,
                      bool (*wants)(bson::View command, std::string_view name), bson::View command,
                      bool with_details) {
  int count = 0;
  const auto add = [&](std::string_view name, ValueView value, bool is_settable) {
    if (!wants(command, name)) return;
    append_one(reply, name, value, with_details, is_settable);
    ++count;
  };
  const Document fixed = fixed_values(parameters);
  for (const bson::Element& element : fixed.view()) add(element.name, element.value, false);
  for (const NumberParameter& one : kNumbers) {
    const Value value = number_value((parameters.*one.member).load());
    add(one.name, value.view(), true);
  }
  for (const SwitchParameter& one : kSwitches) {
    const Value value = switch_value((parameters.*one.member).load());
    add(one.name, value.view(), true);
  }
  return count;
}

Result<Value> set_parameter(Parameters& parameters, std::string_view name, ValueView value) {
  for (const NumberParameter& one : kNumbers) {
    if (one.name != name) continue;
    const auto number = value.as_integer();
    if (!number) {
      return mongo_error(code::kTypeMismatch, "Unable to coerce the value of " +
                                                  std::string(name) + " to a number");
    }
    if (*number < one.least) {
      return mongo_error(code::kBadValue, "Invalid value for parameter " + std::string(name) +
                                              ": " + std::to_string(*number) +
                                              " is not greater than or equal to " +
                                              std::to_string(one.least));
    }
    return number_value((parameters.*one.member).exchange(*number));
  }
  for (const SwitchParameter& one : kSwitches) {
    if (one.name != name) continue;
    if (!value.as_bool() && !value.is_number()) {
      return mongo_error(code::kTypeMismatch, "Unable to coerce the value of " +
                                                  std::string(name) + " to a boolean");
    }
    return switch_value((parameters.*one.member).exchange(value.truthy()));
  }
  const Document fixed = fixed_values(parameters);
  if (fixed.view().contains(name)) {
    return mongo_error(code::kIllegalOperation,
                       "not allowed to change [" + std::string(name) + "] at runtime");
  }
  return mongo_error(code::kInvalidOptions,
                     "attempted to set unrecognized parameter [" + std::string(name) +
                         "], use help:true to see options ");
}

}  // namespace restitch::datasource::embedded
