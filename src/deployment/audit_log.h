#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::deployment {

// What an administrator asked the server to change, and what became of it. Bodies and query strings
// are left out: they may hold secrets.
struct AuditEntry {
  std::string request_id;
  std::string administrator, username;  // id and name; "" = a refused sign-in
  std::string origin;                   // UI, CLI, API
  std::string address;
  std::string method, path;
  std::optional<bson::ObjectId> app;
  std::string client_app_id;
  int status = 0;  // of the HTTP answer
};

// Which entries, newest first.
struct AuditQuery {
  std::string app;            // internal or client app id; this and the others: "" = any
  std::string administrator;  // id or name
  std::string request, method;
  std::string path;           // a part of it
  bool refused_only = false;  // status 400 and above
  std::optional<bson::Date> after, until;  // later than; then or before
  std::int64_t skip = 0, limit = 100;
};

// The changes that administrators made, in the state store (collection `audit_log`), where all nodes
// find them. They stay when an app is deleted, and go after `days`. Thread-safe.
class AuditLog {
 public:
  AuditLog(std::shared_ptr<datasource::DataSource> state, std::int64_t days);

  Task<void> prepare();
  // Durable when this returns.
  Task<void> add(AuditEntry entry) const;
  // As stored: `_id`, `co_id`, `time`, `user_id`, `username`, `origin`, `remote_ip_address`,
  // `request_method`, `request_url`, `app_id`, `client_app_id`, `status`.
  Task<std::vector<bson::Document>> find(AuditQuery query) const;

 private:
  std::shared_ptr<datasource::DataSource> state_;
  std::int64_t days_;
  datasource::Collection entries_;
};

}  // namespace restitch::deployment
