#include "app/writing/ids.h"

#include <array>
#include <map>
#include <string>

#include "app/writing/members.h"

namespace restitch::app {
namespace {

using bson::Value;
using bson::ValueView;
using NamesById = std::map<std::string, std::string>;

struct Reference {
  std::string_view id, name;  // members
  bool is_service;
};

constexpr std::array kReferences = {
    Reference{"function_id", "function_name", false},
    Reference{"authFunctionId", "authFunctionName", false},
    Reference{"confirmationFunctionId", "confirmationFunctionName", false},
    Reference{"resetFunctionId", "resetFunctionName", false},
    Reference{"on_user_creation_function_id", "on_user_creation_function_name", false},
    Reference{"service_id", "service_name", true},
    Reference{"mongo_service_id", "mongo_service_name", true},
};

void add_name(NamesById& names, ValueView entity) {
  const Members members(entity);
  for (const std::string_view key : {"id", "_id"}) {
    if (!members.text(key).empty()) names[members.text(key)] = members.text("name");
  }
}

bool is_service_file(const std::string& path) {
  const bool is_service = path.starts_with("services/") || path.starts_with("data_sources/");
  return is_service && path.ends_with("/config.json") &&
         std::count(path.begin(), path.end(), '/') == 2;
}

bool may_refer(const std::string& path) {
  return path.starts_with("auth/") || path.starts_with("triggers/") ||
         path.starts_with("graphql/custom_resolvers/") || path == "http_endpoints/config.json" ||
         path == "https_endpoints/config.json";
}

class Resolver {
 public:
  Resolver(const NamesById& functions, const NamesById& services)
      : functions_(functions), services_(services) {}

  Value resolved(ValueView value) const {
    if (value.type() == bson::Type::kArray) {
      return map_elements(value, [this](ValueView element) { return resolved(element); });
    }
    if (value.type() != bson::Type::kObject) return Value(value);
    Members members(map_members(
        value, [this](std::string_view, ValueView member) { return resolved(member); }));
    for (const Reference& reference : kReferences) replace(members, reference);
    return members.value();
  }

 private:
  void replace(Members& members, const Reference& reference) const {
    const NamesById& names = reference.is_service ? services_ : functions_;
    const auto known = names.find(members.text(reference.id));
    if (known == names.end()) return;
    if (members.text(reference.name).empty()) {
      members.set(reference.name, Value::of(known->second));
    }
    members.remove(reference.id);
  }

  const NamesById& functions_;
  const NamesById& services_;
};

}  // namespace

void resolve_ids(Tree& tree) {
  NamesById functions;
  NamesById services;
  for (const Value& entry : elements_of(tree.find("functions/config.json"))) {
    add_name(functions, entry);
  }
  for (const auto& [path, content] : tree.json) {
    if (is_service_file(path)) add_name(services, content);
  }
  if (functions.empty() && services.empty()) return;
  const Resolver resolver(functions, services);
  std::map<std::string, Value> files;
  for (const auto& [path, content] : tree.json) {
    if (may_refer(path)) files.emplace(path, resolver.resolved(tree.as_written(path)));
  }
  for (auto& [path, content] : files) tree.put(path, std::move(content));
}

}  // namespace restitch::app
