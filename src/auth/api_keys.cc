#include <algorithm>

#include "auth/auth_service.h"
#include "auth/crypto.h"

namespace restitch::auth {
namespace {

constexpr std::size_t kMaxKeysPerUser = 20;
constexpr std::string_view kKeyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

Error key_not_found() { return Error(ErrorCode::kApiKeyNotFound, "API key not found"); }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

Status check_name(std::string_view name) {
  if (name.empty()) return Error(ErrorCode::kRefused, "'name' is a required string");
  if (!std::all_of(name.begin(), name.end(), is_name_character)) {
    return Error(ErrorCode::kInvalidArgument,
                 "API key name can only contain ASCII letters, numbers, underscores, and hyphens");
  }
  return {};
}

Result<bson::ObjectId> parse_key_id(std::string_view text) {
  const auto id = bson::ObjectId::from_hex(text);
  if (!id) return key_not_found();
  return *id;
}

}  // namespace

Task<CreatedApiKey> AuthService::create_api_key(AppPtr app, std::string refresh_token, std::string name) {
  RESTITCH_CO_TRY(const LiveSession live, co_await live_session(app, std::move(refresh_token)));
  RESTITCH_CO_CHECK(check_name(name));
  if (live.user->record.is_anonymous_only()) {
    co_return Error(ErrorCode::kBadRequest, "an anonymous user cannot have API keys");
  }
  RESTITCH_CO_TRY(const auto present, co_await store_.list_api_keys(app->app_id, live.session.user_id));
  if (present.size() >= kMaxKeysPerUser) {
    co_return Error(ErrorCode::kBadRequest, "a user can have at most 20 API keys");
  }
  CreatedApiKey created;
  created.secret = random_text(64, kKeyAlphabet);
  created.key = ApiKey{bson::ObjectId::generate(), app->app_id, live.session.user_id, name, sha256(created.secret),
                       false};
  auto stored = co_await store_.insert_api_key(created.key);
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey) {
    co_return Error(ErrorCode::kApiKeyExists, "API key with name already exists: '" + name + "'");
  }
  if (!stored) co_return std::move(stored).error();
  co_return created;
}

Task<std::vector<ApiKey>> AuthService::list_api_keys(AppPtr app, std::string refresh_token) {
  RESTITCH_CO_TRY(const LiveSession live, co_await live_session(app, std::move(refresh_token)));
  co_return co_await store_.list_api_keys(app->app_id, live.session.user_id);
}

Task<ApiKey> AuthService::fetch_api_key(AppPtr app, std::string refresh_token, std::string key_id) {
  RESTITCH_CO_TRY(const LiveSession live, co_await live_session(app, std::move(refresh_token)));
  RESTITCH_CO_TRY(const bson::ObjectId id, parse_key_id(key_id));
  RESTITCH_CO_TRY(const auto key, co_await store_.find_api_key(app->app_id, live.session.user_id, id));
  if (!key) co_return key_not_found();
  co_return *key;
}

Task<void> AuthService::delete_api_key(AppPtr app, std::string refresh_token, std::string key_id) {
  RESTITCH_CO_TRY(const LiveSession live, co_await live_session(app, std::move(refresh_token)));
  RESTITCH_CO_TRY(const bson::ObjectId id, parse_key_id(key_id));
  if (live.session.api_key_id == id) {
    co_return Error(ErrorCode::kApiKeyInUse, "cannot delete the API key that this session signed in with");
  }
  RESTITCH_CO_TRY(const bool existed, co_await store_.delete_api_key(app->app_id, live.session.user_id, id));
  if (!existed) co_return key_not_found();
  co_return co_await store_.delete_sessions_of_key(live.session.user_id, id);
}

Task<void> AuthService::set_api_key_enabled(AppPtr app, std::string refresh_token, std::string key_id, bool enabled) {
  RESTITCH_CO_TRY(const LiveSession live, co_await live_session(app, std::move(refresh_token)));
  RESTITCH_CO_TRY(const bson::ObjectId id, parse_key_id(key_id));
  RESTITCH_CO_TRY(const bool existed,
                  co_await store_.set_api_key_disabled(app->app_id, live.session.user_id, id, !enabled));
  if (!existed) co_return key_not_found();
  if (enabled) co_return Status();
  co_return co_await store_.delete_sessions_of_key(live.session.user_id, id);
}

}  // namespace restitch::auth
