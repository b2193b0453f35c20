#include "deployment/stored_config.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <set>

#include "app/writing/members.h"
#include "bson/extended_json.h"

namespace restitch::deployment {
namespace {

using app::Members;
using bson::ObjectId;
using bson::Value;
using bson::ValueView;

std::string text_of(bson::View body, std::string_view name) {
  return std::string(body.find(name).as_string().value_or(""));
}

// A member that holds an id, and the one that holds the name in its place.
struct Reference {
  std::string_view id, name;
  Referred what;
};

constexpr std::array kReferences = {
    Reference{"function_id", "function_name", Referred::kFunction},
    Reference{"authFunctionId", "authFunctionName", Referred::kFunction},
    Reference{"confirmationFunctionId", "confirmationFunctionName", Referred::kFunction},
    Reference{"resetFunctionId", "resetFunctionName", Referred::kFunction},
    Reference{"on_user_creation_function_id", "on_user_creation_function_name",
              Referred::kFunction},
    Reference{"service_id", "service_name", Referred::kService},
    Reference{"mongo_service_id", "mongo_service_name", Referred::kService},
    Reference{"secret_id", "secret_name", Referred::kSecret},
};

bool refers_to_others(EntityKind kind) {
  return kind == EntityKind::kTrigger || kind == EntityKind::kEndpoint ||
         kind == EntityKind::kResolver || kind == EntityKind::kAuthProvider ||
         kind == EntityKind::kLogForwarder || kind == EntityKind::kSettings;
}

// Puts names for ids in one body, at every depth.
class NamePutter {
 public:
  NamePutter(const StoredConfig& config, const std::map<std::string, std::string>& secret_names)
      : config_(config), secret_names_(secret_names) {}

  Value put(ValueView value) const {
    if (value.type() == bson::Type::kArray) {
      return app::map_elements(value, [this](ValueView element) { return put(element); });
    }
    if (value.type() != bson::Type::kObject) return Value(value);
    Members members(app::map_members(
        value, [this](std::string_view, ValueView member) { return put(member); }));
    for (const Reference& reference : kReferences) put_one(reference, members);
    return members.value();
  }

 private:
  void put_one(const Reference& reference, Members& members) const {
    if (!members.contains(reference.id)) return;
    const std::string id = members.text(reference.id);
    if (id.empty() || !members.text(reference.name).empty()) {
      if (members[reference.id].type() == bson::Type::kString) members.remove(reference.id);
      return;
    }
    const std::string name = name_of(reference.what, id);
    if (name.empty()) return;
    members.remove(reference.id);
    members.set(reference.name, Value::of(name));
  }

  std::string name_of(Referred what, const std::string& id) const {
    if (what == Referred::kSecret) {
      const auto known = secret_names_.find(id);
      return known == secret_names_.end() ? std::string() : known->second;
    }
    const EntityKind kind =
        what == Referred::kFunction ? EntityKind::kFunction : EntityKind::kService;
    const auto entity = config_.require(kind, id);
    return entity ? (*entity)->name : std::string();
  }

  const StoredConfig& config_;
  const std::map<std::string, std::string>& secret_names_;
};

Value renamed(ValueView value, Referred what, const std::string& from, const std::string& to) {
  if (value.type() == bson::Type::kArray) {
    return app::map_elements(value,
                             [&](ValueView element) { return renamed(element, what, from, to); });
  }
  return app::map_members(value, [&](std::string_view name, ValueView member) -> Value {
    const bool is_reference =
        std::any_of(kReferences.begin(), kReferences.end(), [&](const Reference& reference) {
          return reference.what == what && reference.name == name;
        });
    if (is_reference && member.as_string() == from) return Value::of(to);
    return renamed(member, what, from, to);
  });
}

// Members that hold names of secrets: secret_config, at the top.
Value renamed_in_secret_config(ValueView body, const std::string& from, const std::string& to) {
  Members members(body);
  members.change("secret_config", [&](ValueView secrets) {
    return app::map_members(secrets, [&](std::string_view, ValueView member) -> Value {
      if (member.as_string() == from) return Value::of(to);
      return app::map_elements(member, [&](ValueView one) {
        return one.as_string() == from ? Value::of(to) : Value(one);
      });
    });
  });
  return members.value();
}

template <typename Config>
auto find_by_id(Config& config, EntityKind kind, const ObjectId& id)
    -> decltype(config.entities.data()) {
  for (auto& entity : config.entities) {
    if (entity.kind == kind && entity.id == id) return &entity;
  }
  return nullptr;
}

template <typename Config>
auto find_by_name(Config& config, EntityKind kind, std::string_view name, const ObjectId& service)
    -> decltype(config.entities.data()) {
  for (auto& entity : config.entities) {
    if (entity.kind == kind && entity.service == service && entity.name == name) return &entity;
  }
  return nullptr;
}

Error not_there(std::string_view hex) {
  return Error(ErrorCode::kNotFound, "not found: '" + std::string(hex) + "'");
}

bool is_same(const Entity& a, const Entity& b) {
  return a.body.view().raw() == b.body.view().raw() && a.source == b.source && a.path == b.path;
}

// Whether a configuration in files says something about the kind by leaving all of it out.
bool is_removed_when_absent(const Entity& former, bool has_environment_values) {
  if (former.kind == EntityKind::kSettings) return false;
  return former.kind != EntityKind::kEnvironmentValue || has_environment_values;
}

Entity without_provider(const Entity& provider) {
  Entity disabled = provider;
  Members members(provider.body);
  members.set("disabled", Value::of(true));
  disabled.body = members.value();
  return disabled;
}

}  // namespace

std::int64_t now_in_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

const Entity* StoredConfig::find(EntityKind kind, const ObjectId& id) const {
  return find_by_id(*this, kind, id);
}
Entity* StoredConfig::find(EntityKind kind, const ObjectId& id) {
  return find_by_id(*this, kind, id);
}
const Entity* StoredConfig::find_named(EntityKind kind, std::string_view name,
                                       const ObjectId& service) const {
  return find_by_name(*this, kind, name, service);
}
Entity* StoredConfig::find_named(EntityKind kind, std::string_view name, const ObjectId& service) {
  return find_by_name(*this, kind, name, service);
}

Result<const Entity*> StoredConfig::require(EntityKind kind, std::string_view hex) const {
  const auto id = ObjectId::from_hex(hex);
  const Entity* entity = id ? find(kind, *id) : nullptr;
  if (entity == nullptr) return not_there(hex);
  return entity;
}

Result<Entity*> StoredConfig::require(EntityKind kind, std::string_view hex) {
  const auto id = ObjectId::from_hex(hex);
  Entity* entity = id ? find(kind, *id) : nullptr;
  if (entity == nullptr) return not_there(hex);
  return entity;
}

Result<ObjectId> StoredConfig::add(EntityKind kind, bson::View body, const ObjectId& service,
                                   std::string source) {
  Entity entity;
  entity.id = ObjectId::generate();
  entity.kind = kind;
  entity.service = service;
  entity.name = name_of_entity(kind, body);
  entity.body = Value::of(cleaned(kind, body));
  entity.path = kind == EntityKind::kFunction ? entity.name : std::string();
  entity.source = std::move(source);
  entity.modified = now_in_seconds();
  if (!entity.name.empty() && find_named(kind, entity.name, service) != nullptr) {
    return Error(ErrorCode::kDuplicateKey, "name already in use: '" + entity.name + "'");
  }
  entities.push_back(std::move(entity));
  return entities.back().id;
}

Status StoredConfig::replace(Entity& entity, bson::View body) {
  const std::string name = name_of_entity(entity.kind, body);
  const Entity* other = find_named(entity.kind, name, entity.service);
  if (other != nullptr && other != &entity && entity.kind != EntityKind::kSettings) {
    return Error(ErrorCode::kDuplicateKey, "name already in use: '" + name + "'");
  }
  const std::string former = entity.name;
  entity.body = Value::of(cleaned(entity.kind, body));
  entity.modified = now_in_seconds();
  if (entity.kind == EntityKind::kSettings || name == former) return {};
  entity.name = name;
  if (entity.kind == EntityKind::kFunction) {
    entity.path = name + (entity.path.ends_with(".ts") ? ".ts" : "");
    rename_references(*this, Referred::kFunction, former, name);
  } else if (entity.kind == EntityKind::kService) {
    rename_references(*this, Referred::kService, former, name);
  }
  return {};
}

void StoredConfig::remove(const ObjectId& id) {
  std::erase_if(entities,
                [&](const Entity& entity) { return entity.id == id || entity.service == id; });
}

ValueView StoredConfig::settings(std::string_view name) const {
  const Entity* entity = find_named(EntityKind::kSettings, name);
  return entity == nullptr ? ValueView() : entity->body.view();
}

void StoredConfig::set_settings(std::string_view name, Value body) {
  Entity* entity = find_named(EntityKind::kSettings, name);
  if (entity == nullptr) {
    Entity fresh;
    fresh.id = ObjectId::generate();
    fresh.name = std::string(name);
    entities.push_back(std::move(fresh));
    entity = &entities.back();
  }
  entity->body = std::move(body);
  entity->modified = now_in_seconds();
}

bson::Document StoredConfig::to_bson() const {
  bson::Builder out;
  out.open_array("entities");
  for (const Entity& entity : entities) {
    out.push_object();
    out.append("id", entity.id).append("kind", static_cast<std::int32_t>(entity.kind));
    if (entity.service != ObjectId{}) out.append("service", entity.service);
    out.append("name", entity.name);
    // As text, so that any member name and number of the file comes back as it was.
    out.append("body", bson::to_json(entity.body.view(), bson::JsonMode::kRelaxed));
    if (!entity.path.empty()) out.append("path", entity.path);
    if (!entity.source.empty()) out.append("source", entity.source);
    out.append("modified", entity.modified).close();
  }
  out.close();
  return std::move(out).finish();
}

Result<StoredConfig> StoredConfig::from_bson(bson::View document) {
  const Error incomplete(ErrorCode::kCorrupt, "a stored configuration is incomplete");
  const auto list = document.find("entities").as_array();
  if (!list) return incomplete;
  StoredConfig config;
  bson::JsonOptions plain;
  plain.extended = false;
  for (const bson::Element& element : *list) {
    const auto object = element.value.as_object();
    if (!object) return incomplete;
    const auto id = object->find("id").as_object_id();
    const auto kind = object->find("kind").as_integer();
    const auto body = object->find("body").as_string();
    if (!id || !kind || !body || *kind < 0 ||
        *kind > static_cast<std::int64_t>(EntityKind::kSettings)) {
      return incomplete;
    }
    RESTITCH_TRY(bson::LenientJson parsed, bson::parse_json_with(*body, plain));
    Entity entity;
    entity.id = *id;
    entity.kind = static_cast<EntityKind>(*kind);
    entity.service = object->find("service").as_object_id().value_or(ObjectId{});
    entity.name = text_of(*object, "name");
    entity.body = std::move(parsed.value);
    entity.path = text_of(*object, "path");
    entity.source = text_of(*object, "source");
    entity.modified = object->find("modified").as_integer().value_or(0);
    config.entities.push_back(std::move(entity));
  }
  return config;
}

StoredConfig new_config() {
  StoredConfig config;
  bson::Builder provider;
  provider.append("name", "api-key").append("type", "api-key").append("disabled", true);
  const bson::Document body = std::move(provider).finish();
  Entity api_key;
  api_key.id = ObjectId::generate();
  api_key.kind = EntityKind::kAuthProvider;
  api_key.name = "api-key";
  api_key.body = Value::of(body);
  api_key.modified = now_in_seconds();
  config.entities.push_back(std::move(api_key));
  config.set_settings(kGraphqlConfig,
                      Value::of(bson::make_document("use_natural_pluralization", true)));
  return config;
}

std::string name_of_entity(EntityKind kind, bson::View body) {
  switch (kind) {
    case EntityKind::kService:
    case EntityKind::kWebhook:
    case EntityKind::kFunction:
    case EntityKind::kValue:
    case EntityKind::kEnvironmentValue:
    case EntityKind::kTrigger:
    case EntityKind::kLogForwarder:
      return text_of(body, "name");
    case EntityKind::kAuthProvider:
      return text_of(body, "type");
    case EntityKind::kRule:
      if (!body.contains("database")) return text_of(body, "name");
      [[fallthrough]];
    case EntityKind::kSchema:
      return text_of(body, "database") + "." + text_of(body, "collection");
    case EntityKind::kEndpoint:
      return text_of(body, "http_method") + " " + text_of(body, "route");
    case EntityKind::kResolver:
      return text_of(body, "on_type") + "." + text_of(body, "field_name");
    case EntityKind::kDefaultRule:
      return "default";
    case EntityKind::kSettings:
      break;
  }
  return {};
}

bson::Document cleaned(EntityKind kind, bson::View body) {
  Members members(Value::object(body).view());
  for (const std::string_view name : {"_id", "id", "last_modified"}) members.remove(name);
  if (kind == EntityKind::kService) members.remove("version");
  if (kind == EntityKind::kFunction) members.remove("source");
  if (kind == EntityKind::kWebhook) members.remove("function_source");
  std::vector<std::string> absent;
  for (const auto& [name, value] : members.list()) {
    const bool is_content = kind == EntityKind::kValue && name == "value";
    if (value.view().is_nullish() && !is_content) absent.push_back(name);
  }
  for (const std::string& name : absent) members.remove(name);
  // Ids of roles and filters are the server's own.
  for (const std::string_view list : {"roles", "filters"}) {
    if (kind != EntityKind::kRule && kind != EntityKind::kDefaultRule) break;
    members.change(list, [](ValueView rules) {
      return app::map_elements(rules, [](ValueView rule) -> Value {
        if (rule.type() != bson::Type::kObject) return Value(rule);
        Members one(rule);
        one.remove("_id");
        one.remove("id");
        return one.value();
      });
    });
  }
  return members.document();
}

void put_names_for_ids(StoredConfig& config,
                       const std::map<std::string, std::string>& secret_names) {
  const NamePutter putter(config, secret_names);
  std::vector<Value> bodies;
  for (const Entity& entity : config.entities) {
    bodies.push_back(refers_to_others(entity.kind) ? putter.put(entity.body) : entity.body);
  }
  for (std::size_t i = 0; i < bodies.size(); ++i) config.entities[i].body = std::move(bodies[i]);
}

void rename_references(StoredConfig& config, Referred what, const std::string& from,
                       const std::string& to) {
  for (Entity& entity : config.entities) {
    if (what == Referred::kSecret &&
        (entity.kind == EntityKind::kAuthProvider || entity.kind == EntityKind::kService)) {
      entity.body = renamed_in_secret_config(entity.body, from, to);
    }
    if (what == Referred::kSecret && entity.kind == EntityKind::kValue) {
      Members members(entity.body);
      if (members["from_secret"].as_bool().value_or(false) && members.text("value") == from) {
        members.set("value", Value::of(to));
        entity.body = members.value();
      }
    }
    if (refers_to_others(entity.kind)) entity.body = renamed(entity.body, what, from, to);
  }
}

namespace {

// Matches what is imported with what is there.
class Import {
 public:
  Import(const StoredConfig& former, ImportStrategy strategy)
      : former_(former), strategy_(strategy) {}

  Result<StoredConfig> run(StoredConfig imported) {
    bool has_environment_values = false;
    for (const Entity& entity : imported.entities) {
      has_environment_values |= entity.kind == EntityKind::kEnvironmentValue;
      if (entity.kind == EntityKind::kService) RESTITCH_CHECK(take(entity));
    }
    for (const Entity& entity : imported.entities) {
      if (entity.kind != EntityKind::kService) RESTITCH_CHECK(take(entity));
    }
    return joined(has_environment_values);
  }

 private:
  Status take(const Entity& imported) {
    Entity entity = imported;
    const auto parent = service_ids_.find(imported.service);
    if (parent != service_ids_.end()) entity.service = parent->second;
    RESTITCH_TRY(const Entity* match, match_of(entity));
    entity.id = match != nullptr ? match->id : ObjectId::generate();
    entity.modified =
        match != nullptr && is_same(*match, entity) ? match->modified : now_in_seconds();
    if (entity.kind == EntityKind::kService) service_ids_[imported.id] = entity.id;
    if (match != nullptr) {
      taken_[match->id] = std::move(entity);
    } else {
      fresh_.push_back(std::move(entity));
    }
    return {};
  }

  Result<const Entity*> match_of(const Entity& entity) const {
    const Entity* none = nullptr;
    const bool is_single =
        entity.kind == EntityKind::kSettings || entity.kind == EntityKind::kDefaultRule ||
        entity.kind == EntityKind::kAuthProvider || entity.kind == EntityKind::kEnvironmentValue;
    if (strategy_ == ImportStrategy::kReplaceByName || is_single) {
      const Entity* named = former_.find_named(entity.kind, entity.name, entity.service);
      return named != nullptr && taken_.contains(named->id) ? none : named;
    }
    if (entity.given_id.empty()) return none;
    const auto id = ObjectId::from_hex(entity.given_id);
    if (!id && strategy_ == ImportStrategy::kReplace) return none;
    const Entity* known = id ? former_.find(entity.kind, *id) : nullptr;
    if (known == nullptr) {
      return Error(ErrorCode::kInvalidArgument, "'" + entity.name + "' has the id '" +
                                                    entity.given_id +
                                                    "', which this app does not know");
    }
    return known;
  }

  // Former entities in their order, then the new ones.
  StoredConfig joined(bool has_environment_values) {
    StoredConfig result;
    std::set<ObjectId> gone;
    for (const Entity& entity : former_.entities) {
      const auto taken = taken_.find(entity.id);
      if (taken != taken_.end()) {
        result.entities.push_back(std::move(taken->second));
      } else if (strategy_ == ImportStrategy::kMerge ||
                 !is_removed_when_absent(entity, has_environment_values)) {
        if (!gone.contains(entity.service)) result.entities.push_back(entity);
      } else if (entity.kind == EntityKind::kAuthProvider && entity.name == "api-key") {
        result.entities.push_back(without_provider(entity));
      } else {
        gone.insert(entity.id);
      }
    }
    for (Entity& entity : fresh_) result.entities.push_back(std::move(entity));
    return result;
  }

  const StoredConfig& former_;
  ImportStrategy strategy_;
  std::map<ObjectId, ObjectId> service_ids_;  // imported to final
  std::map<ObjectId, Entity> taken_;          // by the former id
  std::vector<Entity> fresh_;
};

}  // namespace

Result<StoredConfig> import_into(const StoredConfig& former, StoredConfig imported,
                                 ImportStrategy strategy) {
  return Import(former, strategy).run(std::move(imported));
}

}  // namespace restitch::deployment
