#include "rules/expression/reference.h"

#include <array>
#include <utility>

#include "query/path.h"

namespace restitch::rules {
namespace {

constexpr std::array<std::pair<std::string_view, Source>, 10> kSources{{
    {"root", Source::kRoot},
    {"prevRoot", Source::kPrevRoot},
    {"this", Source::kThis},
    {"prev", Source::kPrev},
    {"user", Source::kUser},
    {"request", Source::kRequest},
    {"values", Source::kValues},
    {"environment", Source::kEnvironment},
    {"true", Source::kTrue},
    {"false", Source::kFalse},
}};

bool has_empty_component(const std::vector<std::string>& path) {
  for (const std::string& component : path) {
    if (component.empty()) return true;
  }
  return false;
}

// Both spellings of the provider's name, as rules and profiles use them.
bson::Document identities_of(const User& user) {
  bson::Builder builder;
  for (const bson::Element& identity : user.identities.view()) {
    const auto object = identity.value.as_object();
    if (!object) continue;
    builder.push_object();
    for (auto it = object->begin(); it != object->end(); ++it) {
      if (it->name == "providerType") continue;
      builder.append_raw(it.raw());
      if (it->name == "provider_type") builder.append("providerType", it->value);
    }
    if (!object->contains("provider_type")) {
      builder.append("providerType", object->find("providerType"));
    }
    builder.close();
  }
  return std::move(builder).finish();
}

bson::Document document_of(const User& user) {
  bson::Builder builder;
  builder.append("id", user.id);
  builder.append("type", user.type);
  builder.append("data", user.data);
  builder.append("custom_data", user.custom_data);
  builder.append_array("identities", identities_of(user));
  return std::move(builder).finish();
}

bson::ValueView object_view(const bson::Document& document) {
  const bson::View view = document.view();
  return {bson::Type::kObject, view.data(), view.size()};
}

Anchor made(bson::Value value, std::size_t consumed) { return {{}, std::move(value), consumed}; }

Anchor user_anchor(const std::vector<std::string>& path, const User& user) {
  if (path.empty()) return made(bson::Value::of(document_of(user)), 0);
  const std::string& member = path.front();
  if (member == "id") return made(bson::Value::of(user.id), 1);
  if (member == "type") return made(bson::Value::of(user.type), 1);
  if (member == "data") return {object_view(user.data), {}, 1};
  if (member == "custom_data") return {object_view(user.custom_data), {}, 1};
  if (member == "identities") {
    if (path.size() == 1) return made(bson::Value::array(identities_of(user)), 1);
    const bson::View view = user.identities.view();
    return {{bson::Type::kArray, view.data(), view.size()}, {}, 1};
  }
  return {{}, {}, path.size()};
}

Anchor environment_anchor(const std::vector<std::string>& path, const EvaluationContext& context) {
  if (path.empty()) {
    bson::Builder builder;
    builder.append("tag", context.environment_tag);
    builder.append("values", context.environment_values);
    return made(bson::Value::of(std::move(builder).finish()), 0);
  }
  if (path.front() == "tag") return made(bson::Value::of(context.environment_tag), 1);
  if (path.front() == "values") return {object_view(context.environment_values), {}, 1};
  return {{}, {}, path.size()};
}

bson::ValueView object_view(const std::optional<bson::View>& document) {
  if (!document) return {};
  return {bson::Type::kObject, document->data(), document->size()};
}

}  // namespace

std::optional<Reference> parse_expansion(std::string_view text) {
  if (!text.starts_with("%%")) return std::nullopt;
  text.remove_prefix(2);
  const std::size_t dot = text.find('.');
  const std::string_view name = text.substr(0, dot);
  for (const auto& [known, source] : kSources) {
    if (known != name) continue;
    Reference reference{source, {}};
    if (dot != std::string_view::npos) reference.path = query::split_path(text.substr(dot + 1));
    if (has_empty_component(reference.path)) return std::nullopt;
    return reference;
  }
  return std::nullopt;
}

std::optional<Reference> parse_field_path(std::string_view text) {
  Reference reference{Source::kRoot, query::split_path(text)};
  if (has_empty_component(reference.path)) return std::nullopt;
  return reference;
}

std::string to_text(const Reference& reference) {
  std::string text = "%%";
  for (const auto& [name, source] : kSources) {
    if (source == reference.source) text += name;
  }
  for (const std::string& component : reference.path) text.append(".").append(component);
  return text;
}

Anchor anchor_of(const Reference& reference, const EvaluationContext& context) {
  switch (reference.source) {
    case Source::kUser:
      return user_anchor(reference.path, context.user);
    case Source::kRequest:
      return {object_view(context.request), {}, 0};
    case Source::kValues:
      return {object_view(context.values), {}, 0};
    case Source::kEnvironment:
      return environment_anchor(reference.path, context);
    case Source::kTrue:
      return made(bson::Value::of(true), 0);
    case Source::kFalse:
      return made(bson::Value::of(false), 0);
    default:
      return {};
  }
}

bson::ValueView anchor_of(const Reference& reference, const Documents& documents) {
  switch (reference.source) {
    case Source::kRoot:
      return object_view(documents.root);
    case Source::kPrevRoot:
      return object_view(documents.prev_root);
    case Source::kThis:
      return documents.current;
    case Source::kPrev:
      return documents.previous;
    default:
      return {};
  }
}

NameMatch name_match_of(const Reference& reference) {
  if (reference.source == Source::kUser) return NameMatch::kUser;
  if (reference.source == Source::kRequest && !reference.path.empty() &&
      reference.path.front() == "requestHeaders") {
    return NameMatch::kHeaders;
  }
  return NameMatch::kExact;
}

}  // namespace restitch::rules
