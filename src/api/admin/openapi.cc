#include "api/admin/openapi.h"

#include <algorithm>
#include <map>

#include "app/writing/members.h"

namespace restitch::api::admin {
namespace {

using app::Members;
using bson::Value;

constexpr std::string_view kApp = "/admin/v3.0/groups/{group}/apps/{app}";

Value text(std::string_view value) { return Value::of(value); }

Value object(std::string_view name, Value value) {
  Members out;
  out.set(name, std::move(value));
  return out.value();
}

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> words;
  while (!list.empty()) {
    const std::size_t space = list.find(' ');
    words.push_back(list.substr(0, space));
    list = space == std::string_view::npos ? "" : list.substr(space + 1);
  }
  return words;
}

// NAME, NAME:TYPE, either with "!" behind it.
struct Named {
  std::string_view name, type;
  bool is_required = false;
};

Named named(std::string_view word) {
  Named out;
  out.is_required = word.ends_with('!');
  if (out.is_required) word.remove_suffix(1);
  const std::size_t colon = word.find(':');
  out.name = word.substr(0, colon);
  out.type = colon == std::string_view::npos ? "string" : word.substr(colon + 1);
  return out;
}

// One of the texts.
Value choice_of(std::string_view texts) {
  std::vector<Value> choices;
  while (true) {
    const std::size_t bar = texts.find('|');
    choices.push_back(text(texts.substr(0, bar)));
    if (bar == std::string_view::npos) break;
    texts.remove_prefix(bar + 1);
  }
  Members schema;
  schema.set("type", text("string"));
  schema.set("enum", app::array_of(choices));
  return schema.value();
}

// A text with a further keyword.
Value text_with(std::string_view keyword, std::string_view value) {
  Members schema;
  schema.set("type", text("string"));
  schema.set(keyword, text(value));
  return schema.value();
}

Value schema_of(std::string_view type) {
  if (type == "any") return Members().value();
  if (type == "name") return text_with("pattern", "^[A-Za-z][A-Za-z0-9_-]{0,31}$");
  if (type == "time") return text_with("format", "date-time");
  if (type == "file") return text_with("format", "binary");
  if (type == "environment") return choice_of("|none|development|testing|qa|production");
  if (type.find('|') != std::string_view::npos) return choice_of(type);
  Members schema;
  schema.set("type", text(type));
  if (type == "array") schema.set("items", Members().value());
  return schema.value();
}

Value content_of(std::string_view media_type, Value schema) {
  return object(media_type, object("schema", std::move(schema)));
}

Value parameter(std::string_view place, const Named& named, bool is_required) {
  Members out;
  out.set("name", text(named.name));
  out.set("in", text(place));
  out.set("required", Value::of(is_required));
  out.set("schema", schema_of(named.type));
  return out.value();
}

Value parameters_of(const Route& route, const OperationNote& note) {
  std::vector<Value> list;
  std::string_view path = route.path.text();
  for (std::size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{')) {
    path.remove_prefix(open + 1);
    list.push_back(parameter("path", {path.substr(0, path.find('}')), "string"}, true));
  }
  for (const std::string_view word : words_of(note.query)) {
    const Named query = named(word);
    list.push_back(parameter("query", query, query.is_required));
  }
  return app::array_of(list);
}

Value body_of(std::string_view body) {
  if (body == "any") return content_of("application/json", schema_of("any"));
  Members properties;
  std::vector<Value> required;
  if (body == "file") {
    properties.set("file", schema_of("file"));
    required.push_back(text("file"));
  }
  for (const std::string_view word : words_of(body == "file" ? "" : body)) {
    const Named member = named(word);
    properties.set(member.name, schema_of(member.type));
    if (member.is_required) required.push_back(text(member.name));
  }
  Members schema;
  schema.set("type", text("object"));
  schema.set("properties", properties.value());
  if (!required.empty()) schema.set("required", app::array_of(required));
  return content_of(body == "file" ? "multipart/form-data" : "application/json", schema.value());
}

Value responses_of(const Route& route, const OperationNote& note) {
  Members out;
  for (const std::string_view answer : words_of(note.answers)) {
    const std::string_view status = answer.substr(0, 3);
    const std::string_view type = answer.substr(std::min<std::size_t>(4, answer.size()));
    Members response;
    response.set("description", text(net::reason_of(std::stoi(std::string(status)))));
    if (type == "file") response.set("content", content_of("*/*", schema_of("file")));
    if (!type.empty() && type != "file") {
      response.set("content", content_of("application/json", schema_of(type)));
    }
    out.set(status, response.value());
  }
  const bool is_of_v3 = route.path.text().starts_with("/admin/");
  out.set("4XX", object("$ref", text(is_of_v3 ? "#/components/responses/Refused"
                                              : "#/components/responses/Other")));
  return out.value();
}

// A word of the path that tells what the operation is about.
std::string tag_of(std::string_view path) {
  if (path.starts_with(kApp)) path.remove_prefix(kApp.size());
  if (path.empty()) return "apps";
  const std::size_t end = path.find('/', 1);
  return std::string(path.substr(1, end == std::string_view::npos ? end : end - 1));
}

std::string operation_id(const Route& route) {
  std::string id(route.method);
  for (const char c : route.path.text()) {
    if (c == '{' || c == '}') continue;
    const bool is_separator = c == '/' || c == '.';
    id.push_back(is_separator ? '_' : c);
  }
  return id;
}

Value operation_of(const Route& route) {
  static constexpr OperationNote kNone{};
  const OperationNote* known = note_of(route);
  const OperationNote& note = known == nullptr ? kNone : *known;
  Members out;
  out.set("operationId", text(operation_id(route)));
  out.set("summary", text(note.summary));
  out.set("tags", app::array_of({text(tag_of(route.path.text()))}));
  out.set("parameters", parameters_of(route, note));
  if (!note.body.empty()) {
    out.set("requestBody", object("content", body_of(note.body)));
  }
  out.set("responses", responses_of(route, note));
  if (route.scope == Scope::kPublic) out.set("security", app::array_of({}));
  return out.value();
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

Value paths_of(const std::vector<Route>& routes) {
  std::map<std::string_view, Members> paths;
  for (const Route& route : routes) {
    paths[route.path.text()].set(lower_case(route.method), operation_of(route));
  }
  Members out;
  for (const auto& [path, operations] : paths) out.set(path, operations.value());
  return out.value();
}

// Every refusal has a text; a configuration that does not validate has its findings besides.
Value refusal_schema() {
  Members properties;
  properties.set("error", schema_of("string"));
  properties.set("error_code", schema_of("string"));
  properties.set("findings", schema_of("array"));
  Members schema;
  schema.set("type", text("object"));
  schema.set("required", app::array_of({text("error")}));
  schema.set("properties", properties.value());
  return schema.value();
}

Value components() {
  Members refused;
  refused.set("description", text("The request was refused"));
  refused.set("content", content_of("application/json", refusal_schema()));
  Members other;
  other.set("description", text("The request was refused"));
  Members responses;
  responses.set("Refused", refused.value());
  responses.set("Other", other.value());
  Members bearer;
  bearer.set("type", text("http"));
  bearer.set("scheme", text("bearer"));
  Members out;
  out.set("securitySchemes", object("bearer", bearer.value()));
  out.set("responses", responses.value());
  return out.value();
}

}  // namespace

std::string path_of(const OperationNote& note) {
  if (!note.path.starts_with('~')) return std::string(note.path);
  return std::string(kApp) + std::string(note.path.substr(1));
}

const OperationNote* note_of(const Route& route) {
  for (const OperationNote& note : operation_notes()) {
    if (note.method == route.method && path_of(note) == route.path.text()) return &note;
  }
  return nullptr;
}

bson::Document openapi_document(const std::vector<Route>& routes, const std::string& base_url) {
  Members info;
  info.set("title", text("Restitch Admin API"));
  info.set("version", text("3.0"));
  Members out;
  out.set("openapi", text("3.0.3"));
  out.set("info", info.value());
  out.set("servers", app::array_of({object("url", text(base_url + "/api"))}));
  out.set("security", app::array_of({object("bearer", app::array_of({}))}));
  out.set("paths", paths_of(routes));
  out.set("components", components());
  return out.document();
}

}  // namespace restitch::api::admin
