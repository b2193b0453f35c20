#include "cli/admin_api.h"

#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::cli {
namespace {

constexpr std::string_view kBase = "/api/admin/v3.0";

bool is_good(int status) { return status >= 200 && status < 300; }

std::string json(const std::vector<std::pair<std::string, std::string>>& members) {
  Members object;
  for (const auto& [name, value] : members) object.set(name, bson::Value::of(value));
  return to_text(object);
}

}  // namespace

std::string query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    text.append(text.empty() ? "?" : "&").append(name).append("=").append(percent_encode(value));
  }
  return text;
}

std::string to_text(const Members& object) {
  return bson::to_json(object.document().view(), bson::JsonMode::kRelaxed);
}

bson::Value parse_plain(const std::string& text) {
  bson::JsonOptions options;
  options.extended = false;
  auto parsed = bson::parse_json_with(text, options);
  return parsed ? std::move(parsed->value) : bson::Value();
}

AdminApi::AdminApi(Connection connection, Profile* profile)
    : connection_(std::move(connection)), profile_(profile) {}

Status AdminApi::sign_in() {
  const bool has_keys = !connection_.public_key.empty();
  HttpCall call;
  call.method = "POST";
  call.url = connection_.url + std::string(kBase) + "/auth/providers/" +
             (has_keys ? "mongodb-cloud" : "local-userpass") + "/login";
  call.headers = {"Content-Type: application/json"};
  call.body =
      has_keys ? json({{"username", connection_.public_key}, {"apiKey", connection_.private_key}})
               : json({{"username", connection_.username}, {"password", connection_.password}});
  RESTITCH_TRY(const HttpAnswer answer, exchange(call));
  if (!is_good(answer.status)) return error_of(answer);
  const bson::Value body = parse_plain(answer.body);
  const Members session(body);
  connection_.access_token = session.text("access_token");
  connection_.refresh_token = session.text("refresh_token");
  if (connection_.access_token.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 connection_.url + " is no server of this kind: it answered without a session");
  }
  remember_tokens();
  return {};
}

Status AdminApi::refresh() {
  HttpCall call;
  call.method = "POST";
  call.url = connection_.url + std::string(kBase) + "/auth/session";
  call.headers = {"Authorization: Bearer " + connection_.refresh_token};
  RESTITCH_TRY(const HttpAnswer answer, exchange(call));
  if (answer.status != 201) return error_of(answer);
  connection_.access_token = Members(parse_plain(answer.body)).text("access_token");
  remember_tokens();
  return {};
}

void AdminApi::remember_tokens() const {
  if (profile_ == nullptr) return;
  profile_->set("access_token", connection_.access_token);
  profile_->set("refresh_token", connection_.refresh_token);
  const Status saved = profile_->save();  // without it the next command signs in again
  static_cast<void>(saved);
}

Error AdminApi::error_of(const HttpAnswer& answer) {
  last_status_ = answer.status;
  last_error_ = Members(parse_plain(answer.body));
  last_error_code_ = last_error_.text("error_code");
  std::string message = last_error_.text("error");
  if (message.empty()) message = answer.body.substr(0, 2000);
  if (message.empty()) message = "the server answered " + std::to_string(answer.status);
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<HttpAnswer> AdminApi::authorised(HttpCall call, const std::string& path) {
  if (connection_.access_token.empty()) RESTITCH_CHECK(sign_in());
  call.url = connection_.url + std::string(kBase) + path;
  call.headers.emplace_back("X-BAAS-Request-Origin: mongodb-baas-cli");
  call.headers.emplace_back();
  for (int attempt = 0;; ++attempt) {
    call.headers.back() = "Authorization: Bearer " + connection_.access_token;
    RESTITCH_TRY(HttpAnswer answer, exchange(call));
    if (is_good(answer.status)) return answer;
    Error error = error_of(answer);
    if (answer.status != 401 || last_error_code_ != "InvalidSession" || attempt > 0) return error;
    if (!connection_.refresh_token.empty() && refresh()) continue;
    const bool can_sign_in = !connection_.public_key.empty() || !connection_.username.empty();
    if (!can_sign_in || !sign_in()) {
      return Error(ErrorCode::kInvalidArgument, "invalid session");
    }
  }
}

Result<bson::Value> AdminApi::call(const std::string& method, const std::string& path,
                                   const std::string& body) {
  HttpCall call;
  call.method = method;
  call.body = body;
  if (!body.empty()) call.headers.emplace_back("Content-Type: application/json");
  RESTITCH_TRY(const HttpAnswer answer, authorised(std::move(call), path));
  if (answer.body.empty()) return bson::Value();
  bson::Value value = parse_plain(answer.body);
  if (value.is_missing()) {
    return Error(ErrorCode::kInvalidArgument, "the server's answer is no JSON");
  }
  return value;
}

Result<HttpAnswer> AdminApi::exchange_raw(HttpCall call, const std::string& path) {
  return authorised(std::move(call), path);
}

Result<std::vector<std::string>> AdminApi::groups() {
  RESTITCH_TRY(const bson::Value profile, get("/auth/profile"));
  std::vector<std::string> groups;
  const Members members(profile);
  for (const bson::Value& role : app::elements_of(members["roles"])) {
    const std::string group = Members(role).text("group_id");
    const bool is_new = std::find(groups.begin(), groups.end(), group) == groups.end();
    if (!group.empty() && is_new) groups.push_back(group);
  }
  return groups;
}

Result<std::vector<RemoteApp>> AdminApi::apps(const std::string& group_id) {
  std::vector<std::string> groups = {group_id};
  if (group_id.empty()) {
    RESTITCH_TRY(groups, this->groups());
  }
  std::vector<RemoteApp> apps;
  for (const std::string& group : groups) {
    for (const char* product : {"", "atlas", "data-api", "device-sync"}) {
      RESTITCH_TRY(const bson::Value found,
                   get("/groups/" + group + "/apps" + query({{"product", product}})));
      for (const bson::Value& value : app::elements_of(found)) {
        RemoteApp app;
        app.all = Members(value);
        app.id = app.all.text("_id");
        app.group_id = app.all.text("group_id").empty() ? group : app.all.text("group_id");
        app.client_app_id = app.all.text("client_app_id");
        app.name = app.all.text("name");
        apps.push_back(std::move(app));
      }
    }
  }
  return apps;
}

}  // namespace restitch::cli
