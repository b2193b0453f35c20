#include <array>
#include <chrono>
#include <utility>

#include "api/admin/routes.h"
#include "api/http_error.h"
#include "bson/extended_json.h"
#include "deployment/users.h"
#include "deployment/values.h"
#include "rules/explain/explanation.h"
#include "rules/explain/stated_operation.h"

namespace restitch::api::admin {
namespace {

constexpr Family kExplanation{"rule", "RuleNotFound", "RuleAlreadyExists"};
constexpr std::int64_t kMostDocuments = 100;
constexpr std::chrono::seconds kTimeLimit{30};
constexpr std::array<std::string_view, 3> kOwnMembers = {"user", "request", "first"};

Result<rules::ExplainOptions> read_options(bson::View body) {
  rules::ExplainOptions options;
  const bson::ValueView first = body["first"];
  if (first.is_missing()) return options;
  const auto count = first.as_integer();
  if (!count || *count < 1 || *count > kMostDocuments) {
    return Error(ErrorCode::kInvalidArgument, "'first' must be between 1 and 100");
  }
  options.first = *count;
  return options;
}

// By id, written out, or "system".
Task<rules::User> read_user(AdminApi& api, const deployment::DeployedApp& app,
                            bson::ValueView given) {
  if (const auto stated = given.as_object()) {
    Result<rules::User> user = rules::parse_stated_user(*stated);
    if (!user) co_return std::move(user).error().with_context("user");
    co_return user;
  }
  const auto id = given.as_string();
  if (!id || id->empty()) {
    co_return Error(ErrorCode::kMissingParameter,
                    "'user' must be a user's id, an object or \"system\"");
  }
  if (*id == "system") {
    rules::User system;
    system.type = "system";
    co_return system;
  }
  const std::string user_id(*id);
  auto user = co_await deployment::look_up_user(api.auth(), app.auth, user_id);
  co_return user;
}

AdminReply reply_of(const rules::Explanation& explanation) {
  bson::Builder out;
  const bson::Document document = rules::to_document(explanation);
  out.append_all(document);
  if (explanation.refusal) {
    out.append("error_code", http_error_of(explanation.refusal->code()).error_code);
  }
  out.open_array("text");
  for (const std::string& line : rules::to_lines(explanation)) out.push(line);
  out.close();
  const bson::Document built = std::move(out).finish();
  AdminReply reply;
  reply.body = bson::to_json(built.view(), bson::JsonMode::kRelaxed);
  return reply;
}

Task<AdminReply> explain(AdminApi& api, AdminRequest& request) {
  auto body = bson::parse_json_document(request.http.body());
  if (!body) co_return Error(ErrorCode::kBadRequest, body.error().message());
  const bson::View stated = *body;
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_TRY(rules::ExplainOptions options, read_options(stated));
  RESTITCH_CO_TRY(rules::Operation operation, rules::parse_stated_operation(stated, kOwnMembers));
  if (!app->data->has_source(operation.source)) {
    co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + operation.source + "'");
  }
  const bson::ValueView request_info = stated["request"];
  if (!request_info.is_missing() && !request_info.as_object()) {
    co_return Error(ErrorCode::kInvalidArgument, "expected 'request' to be an object");
  }
  RESTITCH_CO_TRY(const rules::User user, co_await read_user(api, *app, stated["user"]));
  if (user.type == "system") {
    rules::Explanation explanation = rules::explanation_of(operation, user);
    explanation.origin = rules::Explanation::Origin::kSystem;
    co_return reply_of(explanation);
  }
  options.secrets = deployment::secret_values(*app->config, app->values);
  const bson::Document info(request_info.as_object().value_or(bson::View()));
  const rules::EvaluationContext context{user,
                                         info,
                                         app->values,
                                         app->environment_tag,
                                         app->environment_values,
                                         app->functions.get(),
                                         request.request_id};
  const datasource::Deadline deadline = std::chrono::steady_clock::now() + kTimeLimit;
  auto explained = co_await app->data->explain_as_user(std::move(operation), context,
                                                       std::move(options), deadline);
  if (!explained) co_return std::move(explained).error();
  co_return reply_of(*explained);
}

}  // namespace

std::vector<Route> explain_routes() {
  Route route = app_route("POST", "/rules/explain", kExplanation, &explain);
  route.changes = false;
  return {std::move(route)};
}

}  // namespace restitch::api::admin
