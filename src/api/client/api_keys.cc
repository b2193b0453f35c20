#include "api/client/handlers.h"
#include "bson/extended_json.h"

namespace restitch::api::client {
namespace {

std::string token_of(const RequestContext& context) {
  return std::string(bearer_token(context.http));
}

void append_key(bson::Builder& out, const auth::ApiKey& key) {
  out.append("_id", key.id.to_hex()).append("name", key.name).append("disabled", key.disabled);
}

Task<Reply> create(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const bson::Document body, json_body(context.http));
  const std::string name(body["name"].as_string().value_or(""));
  RESTITCH_CO_TRY(const auth::CreatedApiKey created,
                  co_await api.auth().create_api_key(context.app->auth, token_of(context), name));
  bson::Builder out;
  append_key(out, created.key);
  out.append("key", created.secret);
  co_return Reply::of(std::move(out).finish(), 201);
}

Task<Reply> list(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const auto keys,
                  co_await api.auth().list_api_keys(context.app->auth, token_of(context)));
  bson::Builder holder;
  holder.open_array("keys");
  for (const auth::ApiKey& key : keys) {
    holder.push_object();
    append_key(holder, key);
    holder.close();
  }
  const bson::Document wrapped = std::move(holder).finish();
  co_return Reply{200, bson::to_json(wrapped["keys"])};
}

Task<Reply> fetch(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const auth::ApiKey key,
                  co_await api.auth().fetch_api_key(context.app->auth, token_of(context),
                                                    context.parameters.at(0)));
  bson::Builder out;
  append_key(out, key);
  co_return Reply::of(std::move(out).finish());
}

Task<Reply> remove(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_CHECK(co_await api.auth().delete_api_key(context.app->auth, token_of(context),
                                                       context.parameters.at(0)));
  co_return Reply::empty();
}

Task<Reply> set_enabled(ClientApi& api, RequestContext& context, bool enabled) {
  RESTITCH_CO_CHECK(co_await api.auth().set_api_key_enabled(context.app->auth, token_of(context),
                                                            context.parameters.at(0), enabled));
  co_return Reply::empty();
}

Task<Reply> enable(ClientApi& api, RequestContext& context) {
  return set_enabled(api, context, true);
}
Task<Reply> disable(ClientApi& api, RequestContext& context) {
  return set_enabled(api, context, false);
}

}  // namespace

std::vector<Route> api_key_routes() {
  return {
      {"POST", PathPattern("/auth/api_keys"), AppFrom::kToken, &create},
      {"GET", PathPattern("/auth/api_keys"), AppFrom::kToken, &list},
      {"GET", PathPattern("/auth/api_keys/{id}"), AppFrom::kToken, &fetch},
      {"DELETE", PathPattern("/auth/api_keys/{id}"), AppFrom::kToken, &remove},
      {"PUT", PathPattern("/auth/api_keys/{id}/enable"), AppFrom::kToken, &enable},
      {"PUT", PathPattern("/auth/api_keys/{id}/disable"), AppFrom::kToken, &disable},
  };
}

}  // namespace restitch::api::client
