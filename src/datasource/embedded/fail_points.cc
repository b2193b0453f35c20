#include "datasource/embedded/fail_points.h"

#include <algorithm>

#include "datasource/embedded/error_names.h"
#include "datasource/embedded/fields.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::ValueView;
using bson::View;

Error wrong(std::string text) { return mongo_error(code::kBadValue, std::move(text)); }

bool lists(View names, std::string_view name) {
  for (const bson::Element& element : names) {
    if (element.value.as_string() == name) return true;
  }
  return false;
}

// The namespace a command works on: its first field, or `collection` of a getMore.
std::string namespace_of(std::string_view database, View command) {
  const bson::Element first = *command.begin();
  const auto collection =
      first.name == "getMore" ? command["collection"].as_string() : first.value.as_string();
  return std::string(database) + "." + std::string(collection.value_or("$cmd"));
}

Result<std::int64_t> count_of(View mode, std::string_view name) {
  const auto count = mode[name].as_integer();
  if (!count || *count < 0) return wrong("'" + std::string(name) + "' has to be a number >= 0");
  return *count;
}

Status read_labels(InjectedFailure& failure, View data) {
  const ValueView value = data["errorLabels"];
  if (value.is_missing()) return {};
  const auto list = value.as_array();
  if (!list) return wrong("errorLabels has to be an array of strings");
  failure.labels.emplace();
  for (const bson::Element& element : *list) {
    const auto label = element.value.as_string();
    if (!label) return wrong("errorLabels has to be an array of strings");
    failure.labels->emplace_back(*label);
  }
  return {};
}

Status read_block(InjectedFailure& failure, View data) {
  if (!data["blockConnection"].truthy()) return {};
  const auto millis = data["blockTimeMS"].as_integer();
  if (!millis || *millis < 0) {
    return wrong("blockTimeMS has to be a number >= 0 with blockConnection");
  }
  failure.block_for = std::chrono::milliseconds(*millis);
  return {};
}

}  // namespace

std::optional<FailPoints::Point> FailPoints::point_of(std::string_view name) {
  if (name == "failCommand") return Point::kCommand;
  if (name == "failGetMoreAfterCursorCheckout") return Point::kGetMore;
  if (name == "onPrimaryTransactionalWrite") return Point::kTransactionalWrite;
  return std::nullopt;
}

Status FailPoints::read_mode(State& state, ValueView mode) {
  if (const auto name = mode.as_string()) {
    if (*name != "off" && *name != "alwaysOn") return wrong("unknown mode: " + std::string(*name));
    state.mode = *name == "off" ? Mode::kOff : Mode::kAlways;
    return {};
  }
  const auto object = mode.as_object();
  if (!object) return wrong("mode has to be a string or an object");
  if (object->contains("times")) {
    RESTITCH_TRY(state.left, count_of(*object, "times"));
    state.mode = state.left > 0 ? Mode::kTimes : Mode::kOff;
  } else if (object->contains("skip")) {
    RESTITCH_TRY(state.left, count_of(*object, "skip"));
    state.mode = Mode::kSkip;
  } else if (object->contains("activationProbability")) {
    const auto probability = (*object)["activationProbability"].as_double();
    if (!probability || *probability < 0 || *probability > 1) {
      return wrong("activationProbability has to be between 0.0 and 1.0");
    }
    state.probability = *probability;
    state.mode = Mode::kRandom;
  } else {
    return wrong("mode has to name one of times, skip and activationProbability");
  }
  return {};
}

Result<InjectedFailure> FailPoints::failure_of(Point point, View data) {
  InjectedFailure failure;
  const bool closes_by_default = point == Point::kTransactionalWrite;
  failure.closes_connection =
      data.contains("closeConnection") ? data["closeConnection"].truthy() : closes_by_default;
  const char* const code_field =
      point == Point::kTransactionalWrite ? "failBeforeCommitExceptionCode" : "errorCode";
  if (data.contains(code_field)) {
    const auto number = data[code_field].as_integer();
    if (!number || *number <= 0) return wrong(std::string(code_field) + " has to be a number > 0");
    failure.error_code = static_cast<int>(*number);
  }
  if (const auto extra = data["errorExtraInfo"].as_object()) failure.error_extra = Document(*extra);
  RESTITCH_CHECK(read_labels(failure, data));
  RESTITCH_CHECK(read_block(failure, data));
  const ValueView concern = data["writeConcernError"];
  if (!concern.is_missing()) {
    const auto object = concern.as_object();
    if (!object) return wrong("writeConcernError has to be an object");
    failure.write_concern_error = Document(*object);
  }
  return failure;
}

Result<std::int64_t> FailPoints::configure(View command) {
  const auto name = command.begin()->value.as_string();
  const auto point = name ? point_of(*name) : std::nullopt;
  if (!point) {
    return mongo_error(code::kFailPointSetFailed, std::string(name.value_or("")) + " not found");
  }
  State state;
  RESTITCH_CHECK(read_mode(state, command["mode"]));
  RESTITCH_TRY(const View data, Fields(command, "configureFailPoint").object("data"));
  RESTITCH_CHECK(failure_of(*point, data));
  if (*point == Point::kCommand && state.mode != Mode::kOff && !data["failCommands"].as_array()) {
    return wrong("failCommands has to be an array of the commands to fail");
  }
  state.data = Document(data);
  const std::lock_guard lock(mutex_);
  State& old = states_[static_cast<std::size_t>(*point)];
  state.entered = old.entered;
  old = std::move(state);
  const std::uint32_t bit = 1U << static_cast<unsigned>(*point);
  if (old.mode == Mode::kOff) {
    active_ &= ~bit;
  } else {
    active_ |= bit;
  }
  return old.entered;
}

bool FailPoints::is_quiet(Point point) const {
  return (active_.load(std::memory_order_relaxed) >> static_cast<unsigned>(point) & 1U) == 0;
}

// Whether the point acts this time. With the lock held.
bool FailPoints::use(State& state) {
  bool acts = false;
  switch (state.mode) {
    case Mode::kOff:
      return false;
    case Mode::kAlways:
      acts = true;
      break;
    case Mode::kTimes:
      acts = true;
      if (--state.left == 0) {
        state.mode = Mode::kOff;
        active_ &= ~(1U << static_cast<unsigned>(&state - states_));
      }
      break;
    case Mode::kSkip:
      acts = state.left == 0;
      if (!acts) --state.left;
      break;
    case Mode::kRandom:
      acts = std::uniform_real_distribution<double>(0, 1)(random_) < state.probability;
      break;
  }
  if (acts) ++state.entered;
  return acts;
}

std::optional<InjectedFailure> FailPoints::meet(Point point) {
  if (is_quiet(point)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  State& state = states_[static_cast<std::size_t>(point)];
  if (!use(state)) return std::nullopt;
  auto failure = failure_of(point, state.data);
  return failure ? std::optional<InjectedFailure>(std::move(*failure)) : std::nullopt;
}

std::optional<InjectedFailure> FailPoints::meet_command(std::string_view database, View command,
                                                        std::string_view name,
                                                        std::string_view alias,
                                                        const Caller* caller) {
  if (is_quiet(Point::kCommand) || name == "configureFailPoint") return std::nullopt;
  const std::lock_guard lock(mutex_);
  State& state = states_[static_cast<std::size_t>(Point::kCommand)];
  const View data = state.data;
  const View names = data["failCommands"].as_array().value_or(View());
  if (!lists(names, name) && (alias.empty() || !lists(names, alias))) return std::nullopt;
  // The server's own commands are not those of a client.
  if (caller == nullptr && !data["failInternalCommands"].truthy()) return std::nullopt;
  if (const auto app = data["appName"].as_string(); app && (!caller || caller->app_name != *app)) {
    return std::nullopt;
  }
  if (const auto ns = data["namespace"].as_string(); ns && *ns != namespace_of(database, command)) {
    return std::nullopt;
  }
  if (const auto thread = data["threadName"].as_string();
      thread && (!caller || "conn" + std::to_string(caller->connection) != *thread)) {
    return std::nullopt;
  }
  if (!use(state)) return std::nullopt;
  auto failure = failure_of(Point::kCommand, data);
  return failure ? std::optional<InjectedFailure>(std::move(*failure)) : std::nullopt;
}

}  // namespace restitch::datasource::embedded
