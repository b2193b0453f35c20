#include <cstdio>

#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "bson/extended_json.h"
#include "deployment/users.h"

namespace restitch::api::admin {
namespace {

constexpr Family kFunctions{"function", "FunctionNotFound", "FunctionDuplicateName", 400};

Members view(const StoredConfig&, const Entity& function, bool full) {
  const Members body(function.body);
  Members out;
  out.set("_id", bson::Value::of(function.id.to_hex()));
  out.set("name", bson::Value::of(function.name));
  out.set("last_modified", bson::Value::of(function.modified));
  if (!full) return out;
  for (const auto& [name, value] : body.list()) out.set(name, value);
  out.set_default("private", bson::Value::of(false));
  out.set_default("can_evaluate", bson::Value::of(bson::Document()));
  out.set_default("run_as_system", bson::Value::of(false));
  out.set_default("run_as_user_id", bson::Value::of(""));
  out.set_default("run_as_user_id_script_source", bson::Value::of(""));
  out.set_default("disable_arg_logs", bson::Value::of(false));
  out.set("source", bson::Value::of(function.source));
  return out;
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(body, "name"));
  Members entry(bson::Value::of(body).view());
  entry.set_default("private", bson::Value::of(false));
  co_return co_await create_entity(api, request, EntityKind::kFunction, entry.document(), &view, {},
                                   text_or_empty(body, "source"));
}

Task<AdminReply> replace(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * function,
                 config.require(EntityKind::kFunction, request.parameters.at(0)));
    if (const auto source = body["source"].as_string()) function->source = std::string(*source);
    const bson::View former = function->body.view().as_object().value_or(bson::View());
    const bson::Document next = merged(former, body);
    return config.replace(*function, next);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

// Who the function runs as: a user of the app, or the system.
Task<void> choose_caller(AdminApi& api, const AdminRequest& request,
                         const deployment::DeployedApp& app, functions::CallRequest& call) {
  const std::string user_id = request.query_value("user_id").value_or("");
  const bool is_system = request.query_value("run_as_system") == "true";
  if (is_system == !user_id.empty()) {
    co_return Error(ErrorCode::kBadRequest, "must specify one of user_id and run_as_system");
  }
  call.system_caller = is_system;
  if (is_system) co_return Status();
  RESTITCH_CO_TRY(call.user, co_await deployment::look_up_user(api.auth(), app.auth, user_id));
  co_return Status();
}

std::string duration(std::chrono::microseconds time) {
  char text[32];
  const auto count = time.count();
  const int size =
      count < 1000
          ? std::snprintf(text, sizeof(text), "%lld\xC2\xB5s", static_cast<long long>(count))
      : count < 1000000
          ? std::snprintf(text, sizeof(text), "%.6gms", static_cast<double>(count) / 1e3)
          : std::snprintf(text, sizeof(text), "%.9gs", static_cast<double>(count) / 1e6);
  return {text, static_cast<std::size_t>(size)};
}

void append_lines(std::string& out, std::string_view name, const std::vector<std::string>& lines) {
  out.append(",\"").append(name).append("\":");
  if (lines.empty()) {
    out.append("null");
    return;
  }
  bson::Builder list;
  list.open_array("lines");
  for (const std::string& line : lines) list.push(line);
  list.close();
  const bson::Document document = std::move(list).finish();
  bson::append_json(out, document["lines"], bson::JsonMode::kRelaxed);
}

AdminReply reply_of(const functions::CallOutcome& outcome) {
  const bson::ValueView value = outcome.value.view();
  AdminReply reply;
  reply.body = "{\"result\":";
  if (value.is_nullish()) {
    reply.body.append("null");
  } else {
    bson::append_json(reply.body, value, bson::JsonMode::kCanonical);
  }
  append_lines(reply.body, "logs", outcome.logs);
  append_lines(reply.body, "error_logs", outcome.error_logs);
  reply.body.append(",\"stats\":{\"execution_time\":\"" + duration(outcome.run_time) + "\"}}");
  return reply;
}

Task<AdminReply> run(AdminApi& api, AdminRequest& request, functions::CallRequest call) {
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_CHECK(co_await choose_caller(api, request, *app, call));
  call.request_id = request.request_id;
  call.request.remote_ip = request.client_address;
  RESTITCH_CO_TRY(const functions::CallOutcome outcome,
                  co_await app->functions->call(std::move(call)));
  co_return reply_of(outcome);
}

Task<AdminReply> execute(AdminApi& api, AdminRequest& request) {
  auto body = bson::parse_json_document(request.http.body());
  if (!body) co_return Error(ErrorCode::kBadRequest, body.error().message());
  functions::CallRequest call;
  RESTITCH_CO_TRY(call.function, required_text(*body, "name"));
  const bson::ValueView arguments = (*body)["arguments"];
  if (!arguments.is_nullish() && !arguments.as_array()) {
    co_return Error(ErrorCode::kInvalidArgument, "'arguments' must be an array");
  }
  if (const auto list = arguments.as_array()) call.arguments = bson::Document(*list);
  co_return co_await run(api, request, std::move(call));
}

// The source defines `exports`; what eval_source evaluates to is the result.
Task<AdminReply> execute_source(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const std::string evaluated = text_or_empty(body, "eval_source");
  functions::CallRequest call;
  call.function = "eval";
  call.source = text_or_empty(body, "source");
  if (!evaluated.empty()) {
    call.source.append(
        "\nexports = (function (defined) { return async function () { const exports = defined; "
        "return await eval(" +
        bson::to_json(bson::Value::of(evaluated).view(), bson::JsonMode::kRelaxed) +
        "); }; })(exports);");
  }
  co_return co_await run(api, request, std::move(call));
}

}  // namespace

std::vector<Route> function_routes() {
  return {
      app_route("GET", "/functions", kFunctions, &list_of<EntityKind::kFunction, &view>),
      app_route("POST", "/functions", kFunctions, &create),
      app_route("GET", "/functions/{id}", kFunctions, &fetch_of<EntityKind::kFunction, &view>),
      app_route("PUT", "/functions/{id}", kFunctions, &replace),
      app_route("DELETE", "/functions/{id}", kFunctions, &remove_of<EntityKind::kFunction>),
      app_route("POST", "/debug/execute_function", kFunctions, &execute),
      app_route("POST", "/debug/execute_function_source", kFunctions, &execute_source),
  };
}

}  // namespace restitch::api::admin
