#include <chrono>

#include "api/client/function_call.h"
#include "api/client/handlers.h"
#include "api/client/request_log.h"
#include "bson/extended_json.h"
#include "deployment/users.h"
#include "rules/operation.h"

namespace restitch::api::client {
namespace {

constexpr std::chrono::seconds kRequestTime{300};

// A function of the app, or an action of a third-party service.
Task<bson::Value> call_function(RequestContext& context, FunctionCall call, rules::User user) {
  functions::CallRequest request;
  if (!call.service.empty()) request.log_type = "SERVICE_FUNCTION";
  request.request = request_info(context, call);
  request.log_fields = function_log_fields(context, call);
  request.function = std::move(call.name);
  request.service = std::move(call.service);
  request.arguments = std::move(call.arguments);
  request.user = std::move(user);
  request.request_id = context.request_id;
  request.from_client = true;
  RESTITCH_CO_TRY(functions::CallOutcome outcome,
                  co_await context.app->functions->call(std::move(request)));
  co_return std::move(outcome.value);
}

// The other actions belong to functions (spec: client-api §12.2).
bool is_client_action(rules::Action action) {
  return action != rules::Action::kDistinct && action != rules::Action::kReplaceOne &&
         action != rules::Action::kBulkWrite;
}

Task<bson::Value> run_action(RequestContext& context, const FunctionCall& call,
                             const rules::User& user) {
  const deployment::DeployedApp& app = *context.app;
  if (call.name == "watch") {
    co_return Error(ErrorCode::kBadRequest, "watch is a stream of events: ask for it with GET");
  }
  const auto action = rules::action_from_name(call.name);
  if (!action || !is_client_action(*action)) {
    co_return Error(ErrorCode::kServiceCommandNotFound,
                    "command not found: '" + call.name + "' of service '" + call.service + "'");
  }
  const auto argument = call.arguments.view()["0"].as_object();
  if (!argument)
    co_return Error(ErrorCode::kMissingParameter, "the action takes one argument, an object");
  std::string title;
  RESTITCH_CO_TRY(rules::Operation operation,
                  rules::parse_client_operation(*action, call.service, *argument, &title));
  if (!title.empty() && !app.data->rules().resolve_title(call.service, title, &operation.database,
                                                         &operation.collection)) {
    co_return Error(
        ErrorCode::kInvalidArgument,
        "no matching collection found that maps to a table with title \"" + title + "\".");
  }
  const bson::Document request = request_info(context, call).to_document();
  const rules::EvaluationContext evaluation{user,
                                            request,
                                            app.values,
                                            app.environment_tag,
                                            app.environment_values,
                                            app.functions.get(),
                                            context.request_id};
  co_return co_await app.data->run_as_user(std::move(operation), evaluation,
                                           std::chrono::steady_clock::now() + kRequestTime);
}

Task<bson::Value> call_data_source(ClientApi& api, RequestContext& context, FunctionCall call,
                               rules::User user) {
  const auto begin = std::chrono::steady_clock::now();
  auto result = co_await run_action(context, call, user);
  if (wants_entry(api, context, call, result.has_value())) {
    note_action(api, context, call, user.id, std::chrono::steady_clock::now() - begin,
                result ? nullptr : &result.error());
  }
  co_return result;
}

Task<Reply> call(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(auth::AuthenticatedUser bearer, co_await bearer_of(api, context));
  const auto body = json_body(context.http);
  if (!body) {
    co_return Error(ErrorCode::kBadRequest, "invalid function call request")
        .with_detail(body.error().message());
  }
  RESTITCH_CO_TRY(FunctionCall call, parse_call(*body));
  rules::User user = deployment::to_rules_user(*bearer.user, std::move(bearer.custom_data));
  auto value = context.app->data->has_source(call.service)
                   ? call_data_source(api, context, std::move(call), std::move(user))
                   : call_function(context, std::move(call), std::move(user));
  RESTITCH_CO_TRY(const bson::Value result, co_await std::move(value));
  co_return Reply{200,
                  result.is_missing() ? R"({"$undefined":true})" : bson::to_json(result.view())};
}

Task<Reply> graphql(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_CHECK(co_await bearer_of(api, context));
  co_return Error(ErrorCode::kNotFound, "this server does not offer GraphQL yet");
}

}  // namespace

std::vector<Route> function_routes() {
  return {
      {"POST", PathPattern("/app/{app}/functions/call"), AppFrom::kPath, &call},
      {"POST", PathPattern("/app/{app}/graphql"), AppFrom::kPath, &graphql},
  };
}

}  // namespace restitch::api::client
