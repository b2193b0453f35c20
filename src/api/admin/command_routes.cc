#include <array>
#include <map>

#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "api/admin/service_command.h"
#include "api/http_error.h"
#include "datasource/client.h"
#include "rules/namespaces.h"

namespace restitch::api::admin {
namespace {

constexpr Family kCommands{"service", "ServiceNotFound", ""};
constexpr std::int64_t kMaxSample = 50'000;
constexpr std::int64_t kSample = 500;
constexpr int kMaxDepth = 20;

using SourcePtr = std::shared_ptr<datasource::DataSource>;

Task<AdminReply> build_info(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const SourcePtr source, source_of(api, request));
  bson::Document command = bson::make_document("buildInfo", std::int32_t{1});
  RESTITCH_CO_TRY(const bson::Document reply, co_await source->run("admin", std::move(command)));
  bson::Builder out;
  out.append("version", reply["version"]);
  out.append("versionArray", reply["versionArray"]);
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> list_databases(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const SourcePtr source, source_of(api, request));
  bson::Builder command;
  command.append("listDatabases", std::int32_t{1}).append("nameOnly", true);
  RESTITCH_CO_TRY(const bson::Document reply,
                  co_await datasource::run_command(*source, "admin", std::move(command)));
  bson::Builder out;
  out.open_array("databases");
  for (const bson::Value& database : app::elements_of(reply["databases"])) {
    const std::string name = Members(database).text("name");
    if (!name.empty() && !rules::is_internal_database(name)) out.push(name);
  }
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> list_collections(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const SourcePtr source, source_of(api, request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const std::string database, required_text(body, "database_name"));
  RESTITCH_CO_CHECK(check_database(database));
  bson::Builder command;
  command.append("listCollections", std::int32_t{1}).append("nameOnly", true);
  command.open_object("cursor").append("batchSize", std::int32_t{10000}).close();
  RESTITCH_CO_TRY(const bson::Document reply,
                  co_await datasource::run_command(*source, database, std::move(command)));
  const Members cursor(reply["cursor"]);
  bson::Builder out;
  out.open_array("collections");
  for (const bson::Value& collection : app::elements_of(cursor["firstBatch"])) {
    out.push(Members(collection).text("name"));
  }
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

// The name of a type in schemas; "" for what says nothing.
std::string_view schema_type(bson::Type type) {
  switch (type) {
    case bson::Type::kDouble:
      return "double";
    case bson::Type::kString:
      return "string";
    case bson::Type::kObject:
      return "object";
    case bson::Type::kArray:
      return "array";
    case bson::Type::kBinary:
      return "binData";
    case bson::Type::kObjectId:
      return "objectId";
    case bson::Type::kBool:
      return "bool";
    case bson::Type::kDate:
      return "date";
    case bson::Type::kRegex:
      return "regex";
    case bson::Type::kInt32:
      return "int";
    case bson::Type::kTimestamp:
      return "timestamp";
    case bson::Type::kInt64:
      return "long";
    case bson::Type::kDecimal128:
      return "decimal";
    default:
      return "";
  }
}

// What is known of the values of one field.
struct Shape {
  std::string_view type;
  bool is_mixed = false;
  std::map<std::string, Shape> members;
  std::map<std::string, Shape> elements;  // of an array, under ""

  void see(bson::ValueView value, int depth) {
    const std::string_view seen = schema_type(value.type());
    if (seen.empty() || depth > kMaxDepth) return;
    is_mixed |= !type.empty() && type != seen;
    type = seen;
    if (const auto object = value.as_object()) {
      for (const bson::Element& member : *object) {
        members[std::string(member.name)].see(member.value, depth + 1);
      }
    }
    if (const auto array = value.as_array()) {
      for (const bson::Element& element : *array) elements[""].see(element.value, depth + 1);
    }
  }

  bson::Value schema() const {
    Members out;
    if (is_mixed) {
      out.set("bsonType", bson::Value::of("mixed"));
      return out.value();
    }
    if (!type.empty()) out.set("bsonType", bson::Value::of(type));
    if (type == "object") {
      Members properties;
      for (const auto& [name, shape] : members) properties.set(name, shape.schema());
      out.set("properties", properties.value());
    }
    const auto element = elements.find("");
    if (type == "array" && element != elements.end()) out.set("items", element->second.schema());
    return out.value();
  }
};

// Documents at random, or the first in the order that is asked for.
bson::Document sample_stages(bson::View query, bson::View sort, bson::View projection,
                             std::int64_t limit) {
  bson::Builder stages;
  stages.push_object().append("$match", query).close();
  if (sort.empty()) {
    stages.push_object().open_object("$sample").append("size", limit).close().close();
  } else {
    stages.push_object().append("$sort", sort).close();
    stages.push_object().append("$limit", limit).close();
  }
  if (!projection.empty()) stages.push_object().append("$project", projection).close();
  return std::move(stages).finish();
}

Task<AdminReply> generate(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const SourcePtr source, source_of(api, request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const Namespace wanted, namespace_of(body));
  const std::int64_t limit = body["limit"].as_integer().value_or(kSample);
  if (limit < 1 || limit > kMaxSample) {
    co_return Error(ErrorCode::kInvalidArgument, "'limit' must be between 1 and 50000");
  }
  RESTITCH_CO_TRY(const bson::Document query, object_of(body, "query"));
  RESTITCH_CO_TRY(const bson::Document sort, object_of(body, "sort"));
  RESTITCH_CO_TRY(const bson::Document projection, object_of(body, "projection"));
  const datasource::Collection collection(*source, wanted.database, wanted.collection);
  const bson::Document stages = sample_stages(query, sort, projection, limit);
  RESTITCH_CO_TRY(const auto documents, co_await collection.aggregate(stages));
  Shape shape;
  for (const bson::Document& document : documents) {
    shape.see(bson::Value::object(document.view()).view(), 0);
  }
  Members schema;
  if (!documents.empty()) schema = Members(shape.schema());
  if (!schema.empty()) schema.set("title", bson::Value::of(wanted.collection));
  co_return AdminReply::of(bson::make_document("schema", schema.document()));
}

Task<AdminReply> generate_schema(AdminApi& api, AdminRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  auto outcome = co_await generate(api, request);
  note_schema_command(api, request, "SCHEMA_GENERATION", begin, outcome ? nullptr : &outcome.error());
  co_return outcome;
}

Task<AdminReply> unknown_command(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(source_of(api, request));
  co_return Error(ErrorCode::kServiceCommandNotFound,
                  "command not found: '" + request.parameters.at(1) + "'");
}

}  // namespace

Result<SourcePtr> source_of(AdminApi& api, const AdminRequest& request) {
  RESTITCH_TRY(const deployment::DeployedAppPtr app, api.running(request));
  const auto config = request.app->deployed();
  RESTITCH_TRY(const Entity* service,
               config->require(EntityKind::kService, request.parameters.at(0)));
  const auto source = app->sources.find(service->name);
  if (source == app->sources.end()) {
    return Error(ErrorCode::kServiceCommandNotFound,
                 "the service '" + service->name + "' is no data source");
  }
  return source->second;
}

Status check_database(std::string_view database) {
  if (!rules::is_internal_database(database)) return {};
  return Error(ErrorCode::kBadRequest, "the database is the server's own");
}

Result<Namespace> namespace_of(bson::View body) {
  Namespace wanted;
  RESTITCH_TRY(wanted.database, required_text(body, "database_name"));
  RESTITCH_TRY(wanted.collection, required_text(body, "collection_name"));
  RESTITCH_CHECK(check_database(wanted.database));
  return wanted;
}

Result<bson::Document> object_of(bson::View body, std::string_view name) {
  const bson::ValueView value = body[name];
  if (value.is_nullish()) return bson::Document();
  if (const auto given = value.as_object()) return bson::Document(*given);
  return Error(ErrorCode::kInvalidArgument, "'" + std::string(name) + "' must be an object");
}

void note_schema_command(AdminApi& api, const AdminRequest& request, std::string_view type,
                         std::chrono::steady_clock::time_point begin, const Error* error) {
  bson::Builder fields;
  fields.append("co_id", request.request_id).append("request_url", request.http.path());
  fields.append("request_method", request.http.method());
  fields.append("remote_ip_address", request.client_address);
  if (error != nullptr) {
    fields.append("error", error->message());
    fields.append("error_code", http_error_of(error->code()).error_code);
  }
  const auto run_time = std::chrono::steady_clock::now() - begin;
  api.logs().add_entry(request.app->identity().id, api.apps().group_id(), type,
                       std::move(fields).finish(),
                       std::chrono::duration_cast<std::chrono::milliseconds>(run_time));
}

std::vector<Route> command_routes() {
  const std::string commands = "/services/{id}/commands";
  return {
      app_route("GET", commands + "/build_info", kCommands, &build_info),
      app_route("POST", commands + "/list_databases", kCommands, &list_databases),
      app_route("POST", commands + "/list_collections", kCommands, &list_collections),
      app_route("POST", commands + "/generate_schema", kCommands, &generate_schema),
      app_route("POST", commands + "/{name}", kCommands, &unknown_command),
  };
}

}  // namespace restitch::api::admin
