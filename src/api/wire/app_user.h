#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/wire/app_user_cursors.h"
#include "auth/auth_service.h"
#include "deployment/app_registry.h"
#include "runtime/task.h"

// App users on the MongoDB wire protocol (spec: rules §9).
namespace restitch::api::wire {

// What an app user's connection calls itself: <app id>:<data source>:<provider>.
struct AppUserName {
  std::string app, source, provider;
};

// Nothing when the name is not of an app user.
std::optional<AppUserName> parse_app_name(std::string_view application_name);

// What all connections of app users share. Thread-safe.
struct AppUserService {
  deployment::AppRegistry& apps;
  auth::AuthService& auth;
  AppUserCursors cursors;
};

// An app user who has signed in on one connection. Every command passes the rules of the user's
// app. Used by one thread.
class AppUser {
 public:
  // The payload of PLAIN: authorization id, user and password, NUL between them. Whatever is wrong
  // is 18 AuthenticationFailed.
  static Task<std::unique_ptr<AppUser>> sign_in(AppUserService& service, AppUserName name,
                                                std::string_view payload, std::string remote_ip);

  // The reply of a command. `command` is not empty.
  asio::awaitable<bson::Document> run(std::string_view database, bson::Document command);
  // The user was disabled, deleted or logged out everywhere: the connection has to end.
  bool has_ended() const { return has_ended_; }

 private:
  AppUser(AppUserService& service, AppUserName name, auth::CachedUserPtr user,
          std::string remote_ip);

  Task<bson::Document> dispatch(std::string_view database, bson::View command);
  // The app as it is deployed now, the user as it is stored now.
  Task<void> renew();
  Task<bson::Value> run_operation(rules::Operation operation);
  Task<bson::Document> read(std::string_view database, bson::View command);
  Task<bson::Document> write(std::string_view database, bson::View command);
  Result<bson::Document> get_more(std::string_view database, bson::View command);
  Result<bson::Document> kill_cursors(bson::View command);
  Result<bson::Document> list(std::string_view database, bson::View command);
  bson::Document connection_status() const;
  std::string owner() const { return name_.app + '/' + user_->record.id.to_hex(); }

  AppUserService& service_;
  const AppUserName name_;
  const std::string remote_ip_;
  const bson::Date signed_in_;
  auth::CachedUserPtr user_;
  deployment::DeployedAppPtr app_;
  bson::Document custom_data_;
  std::chrono::steady_clock::time_point custom_data_read_{};
  bool has_ended_ = false;
};

}  // namespace restitch::api::wire
