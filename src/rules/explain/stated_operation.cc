#include "rules/explain/stated_operation.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace restitch::rules {
namespace {

enum class Form : std::uint8_t { kText, kObject, kArray, kBool, kCount, kUpdate };

struct Member {
  std::string_view name;
  Form form;
};

constexpr std::array kMembers = {
    Member{"operation", Form::kText},  Member{"data_source", Form::kText},
    Member{"database", Form::kText},   Member{"collection", Form::kText},
    Member{"query", Form::kObject},    Member{"projection", Form::kObject},
    Member{"sort", Form::kObject},     Member{"skip", Form::kCount},
    Member{"limit", Form::kCount},     Member{"document", Form::kObject},
    Member{"documents", Form::kArray}, Member{"update", Form::kUpdate},
    Member{"upsert", Form::kBool},     Member{"array_filters", Form::kArray},
    Member{"pipeline", Form::kArray},  Member{"key", Form::kText},
    Member{"ordered", Form::kBool},    Member{"operations", Form::kArray},
};

constexpr std::string_view kDefaultSource = "mongodb-atlas";

const Member* find_member(std::string_view name) {
  const auto found = std::find_if(kMembers.begin(), kMembers.end(),
                                  [&](const Member& member) { return member.name == name; });
  return found == kMembers.end() ? nullptr : &*found;
}

// What the value should have been; "" if it is.
std::string_view mismatch(Form form, bson::ValueView value) {
  switch (form) {
    case Form::kText:
      return value.as_string() && !value.get_string().empty() ? "" : "a text that is not empty";
    case Form::kObject:
      return value.as_object() ? "" : "an object";
    case Form::kArray:
      return value.as_array() ? "" : "an array";
    case Form::kBool:
      return value.as_bool() ? "" : "true or false";
    case Form::kCount: {
      const auto count = value.as_integer();
      return count && *count >= 0 ? "" : "a non-negative integer";
    }
    case Form::kUpdate:
      return value.as_object() || value.as_array() ? "" : "an object or an array";
  }
  return "";
}

Error unknown(std::string_view name) {
  return Error(ErrorCode::kInvalidArgument, "unknown member '" + std::string(name) + "'");
}

Error expected(std::string_view name, std::string_view form) {
  return Error(ErrorCode::kInvalidArgument,
               "expected '" + std::string(name) + "' to be " + std::string(form));
}

Result<Action> read_action(bson::View stated) {
  const bson::ValueView given = stated["operation"];
  if (given.is_missing()) {
    return Error(ErrorCode::kMissingParameter, "missing parameter 'operation'");
  }
  const std::string_view name = given.get_string();
  if (name == "insert") {
    return stated.contains("documents") ? Action::kInsertMany : Action::kInsertOne;
  }
  if (name == "update") return Action::kUpdateMany;
  if (name == "delete") return Action::kDeleteMany;
  if (const auto action = action_from_name(name)) return *action;
  return Error(ErrorCode::kInvalidArgument, "unknown operation '" + std::string(name) + "'");
}

bool is_find_and_modify(Action action) {
  return action == Action::kFindOneAndUpdate || action == Action::kFindOneAndReplace ||
         action == Action::kFindOneAndDelete;
}

// The name by which clients give the member to the action.
std::string_view client_name(std::string_view name, Action action) {
  if (name == "array_filters") return "arrayFilters";
  const bool modifies = is_find_and_modify(action);
  if (name == "query" && modifies) return "filter";
  if (name == "projection" && !modifies) return "project";
  return name;
}

}  // namespace

Status check_members(bson::View object, std::span<const std::string_view> names) {
  for (const bson::Element& element : object) {
    if (std::find(names.begin(), names.end(), element.name) == names.end()) {
      return unknown(element.name);
    }
  }
  return {};
}

Result<Operation> parse_stated_operation(bson::View stated,
                                         std::span<const std::string_view> others) {
  for (const bson::Element& element : stated) {
    const Member* member = find_member(element.name);
    if (member == nullptr) {
      if (std::find(others.begin(), others.end(), element.name) == others.end()) {
        return unknown(element.name);
      }
      continue;
    }
    const std::string_view form = mismatch(member->form, element.value);
    if (!form.empty()) return expected(element.name, form);
  }
  RESTITCH_TRY(const Action action, read_action(stated));
  bson::Builder argument;
  for (const bson::Element& element : stated) {
    const bool is_own = element.name == "operation" || element.name == "data_source";
    if (is_own || find_member(element.name) == nullptr) continue;
    argument.append(client_name(element.name, action), element.value);
  }
  const bson::Document built = std::move(argument).finish();
  const std::string source(stated["data_source"].as_string().value_or(kDefaultSource));
  return parse_client_operation(action, source, built, nullptr);
}

Result<User> parse_stated_user(bson::View stated) {
  constexpr std::array<std::string_view, 5> kNames = {"id", "type", "data", "custom_data",
                                                      "identities"};
  RESTITCH_CHECK(check_members(stated, kNames));
  User user;
  for (const char* name : {"id", "type"}) {
    const bson::ValueView value = stated[name];
    if (!value.is_missing() && !value.as_string()) return expected(name, "a text");
  }
  const auto id = stated["id"].as_string();
  if (!id || id->empty()) {
    return Error(ErrorCode::kMissingParameter, "missing parameter 'id' of the user");
  }
  user.id = std::string(*id);
  if (const auto type = stated["type"].as_string()) user.type = std::string(*type);
  for (const char* name : {"data", "custom_data"}) {
    const bson::ValueView value = stated[name];
    if (!value.is_missing() && !value.as_object()) return expected(name, "an object");
  }
  user.data = bson::Document(stated["data"].as_object().value_or(bson::View()));
  user.custom_data = bson::Document(stated["custom_data"].as_object().value_or(bson::View()));
  const bson::ValueView identities = stated["identities"];
  if (!identities.is_missing() && !identities.as_array()) return expected("identities", "an array");
  user.identities = bson::Document(identities.as_array().value_or(bson::View()));
  return user;
}

}  // namespace restitch::rules
