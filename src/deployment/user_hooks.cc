#include "deployment/user_hooks.h"

#include "deployment/auth_events.h"
#include "deployment/users.h"
#include "deployment/values.h"

namespace restitch::deployment {
namespace {

rules::Operation find_custom_data(const app::CustomUserData& config, const bson::Value& user_id) {
  rules::Operation operation;
  operation.action = rules::Action::kFindOne;
  operation.source = config.service;
  operation.database = config.database;
  operation.collection = config.collection;
  operation.filter = bson::make_document(config.user_id_field, user_id);
  return operation;
}

// The document of the user: by id as text, else as ObjectId (spec: client-api §11).
Task<std::optional<bson::Document>> load_custom_data(app::CustomUserData config,
                                                     std::shared_ptr<rules::DataAccess> data,
                                                     std::string user_id) {
  std::vector<bson::Value> forms{bson::Value::of(user_id)};
  if (const auto id = bson::ObjectId::from_hex(user_id)) forms.push_back(bson::Value::of(*id));
  for (const bson::Value& form : forms) {
    RESTITCH_CO_TRY(
        const bson::Value found,
        co_await data->run_as_system(find_custom_data(config, form), datasource::kNoDeadline));
    if (const auto document = found.view().as_object())
      co_return std::optional(bson::Document(*document));
  }
  co_return std::optional<bson::Document>();
}

Task<bson::Value> call_as_system(std::shared_ptr<functions::FunctionService> functions,
                                 std::string name, bson::Document arguments, rules::User user) {
  functions::CallRequest request;
  request.function = std::move(name);
  request.arguments = std::move(arguments);
  request.user = std::move(user);
  request.request_id = bson::ObjectId::generate().to_hex();
  request.system_caller = true;
  RESTITCH_CO_TRY(functions::CallOutcome outcome, co_await functions->call(std::move(request)));
  co_return std::move(outcome.value);
}

Task<void> call_creation_function(std::string name,
                                  std::shared_ptr<functions::FunctionService> functions,
                                  auth::CachedUserPtr user) {
  bson::Builder arguments;
  arguments.append("0", user_object(*user));
  RESTITCH_CO_CHECK(co_await call_as_system(functions, std::move(name), std::move(arguments).finish(),
                                            to_rules_user(*user, {})));
  co_return Status();
}

}  // namespace

std::shared_ptr<auth::AppAuth> make_app_auth(const app::Config& config, const AppIdentity& identity,
                                             const std::map<std::string, std::string>& secrets) {
  auto result = std::make_shared<auth::AppAuth>();
  result->app_id = identity.id;
  result->client_app_id = identity.client_app_id;
  result->realm = {identity.domain_id, identity.signing_keys.current, identity.signing_keys.former};
  for (const app::AuthProviderConfig& provider : config.auth_providers) {
    auth::Provider ready{identity.provider_ids.at(provider.type), provider,
                         resolve_secret_config(provider.secret_config, secrets)};
    result->providers.emplace(provider.type, std::move(ready));
  }
  return result;
}

void attach_user_hooks(auth::AppAuth& auth, const app::Config& config,
                       std::shared_ptr<rules::DataAccess> data,
                       std::shared_ptr<functions::FunctionService> functions) {
  auth.call_function = [functions](std::string name, bson::Document arguments) {
    return call_as_system(functions, std::move(name), std::move(arguments), {});
  };
  attach_auth_events(auth, config);
  if (!config.custom_user_data || !config.custom_user_data->enabled) return;
  const app::CustomUserData custom = *config.custom_user_data;
  auth.custom_data = [custom, data](std::string user_id) {
    return load_custom_data(custom, data, std::move(user_id));
  };
  if (custom.on_user_creation_function.empty()) return;
  auth.on_user_creation = [name = custom.on_user_creation_function,
                           functions](auth::CachedUserPtr user) {
    return call_creation_function(name, functions, std::move(user));
  };
}

}  // namespace restitch::deployment
