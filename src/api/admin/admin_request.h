#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config.h"
#include "auth/admin_accounts.h"
#include "bson/document.h"
#include "deployment/app_manager.h"
#include "net/http.h"

namespace restitch::api::admin {

// What a resource family's errors are called (spec: admin-api §16). "" = no error_code.
struct Family {
  std::string_view noun;
  std::string_view not_found;
  std::string_view exists;
  int exists_status = 409;
};

// One request of an administrator on its way through its handler.
struct AdminRequest {
  const net::HttpRequest& http;
  std::string request_id;
  std::string base_url;
  std::string client_address;           // behind the proxies that are trusted
  std::vector<std::string> parameters;  // of the route, in order; without group and app
  std::vector<std::pair<std::string, std::string>> query;
  auth::AdminUser admin;
  deployment::Actor actor;
  deployment::ManagedAppPtr app;  // of routes below an app
  app::Findings findings;         // what is wrong with a changed configuration

  // The first value of a query parameter, or nothing.
  std::optional<std::string> query_value(std::string_view name) const;
  // What this administrator sees: the open draft or what is deployed.
  std::shared_ptr<const deployment::StoredConfig> config() const {
    return app->config_for(actor.administrator);
  }
};

// Success of a handler. An empty body goes without a Content-Type, as callers need.
struct AdminReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};

  static AdminReply empty(int status = 204) { return {status, {}, {}}; }
  static AdminReply of(bson::View document, int status = 200);
  static AdminReply of_list(const std::vector<bson::Document>& list, int status = 200);
};

// The body as plain JSON: wrappers of Extended JSON are not decoded. No body, "" and null are {}.
Result<bson::Document> object_body(const net::HttpRequest& request);
Result<bson::Value> json_body(const net::HttpRequest& request);
// A member that must be a text that is not empty.
Result<std::string> required_text(bson::View body, std::string_view name);
std::string text_or_empty(bson::View body, std::string_view name);
// The parts of a query's value between commas, without empty ones.
std::vector<std::string> comma_separated(std::string_view text);

}  // namespace restitch::api::admin
