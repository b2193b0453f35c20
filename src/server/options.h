#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/attempt_limits.h"
#include "auth/external_login.h"
#include "base/result.h"
#include "datasource/clusters.h"
#include "functions/function_service.h"
#include "net/address_set.h"
#include "server/backup/backup.h"
#include "server/backup/restore.h"
#include "server/rules_test_command.h"
#include "server/users_command.h"

namespace restitch::server {

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
// "127.0.0.1:9090", "[::1]:9090"; kInvalidArgument otherwise.
Result<HostPort> parse_host_port(const std::string& text);

struct ServeOptions {
  std::string data_directory;
  std::string state;       // URI of the deployment that nodes share; "" = the embedded cluster
  std::string secret_key;  // file; "" = secret.key in the data directory
  HostPort listen{"127.0.0.1", 9090};
  std::optional<HostPort> wire;  // MongoDB wire protocol; off when absent
  bool wire_auth = false;        // its clients must sign in
  std::string wire_tls_cert, wire_tls_key, wire_tls_ca;  // PEM files; "" = no TLS
  std::string wire_advertise;    // host:port that its clients are told; "" = found out
  std::vector<std::string> apps;
  bool watch = false;
  std::string public_url;
  std::string hosting_domain;  // hosted files at <client app id>.<domain>; "" = by path only
  net::AddressSet trusted_proxies;
  auth::AttemptRates attempt_rates;
  std::string smtp_url;  // "": messages are written to DIR/mailbox
  std::string mail_from = "no-reply@localhost";
  auth::IdentityEndpoints identity_endpoints;
  std::vector<datasource::ClusterBinding> clusters;
  bool strict_clusters = false;
  std::string admin_user, admin_password;  // an administrator beside the key pair; "" = none
  bool test_commands = false;  // fail points of the embedded cluster
  std::int64_t slow_millis = 100;  // database commands that take longer are logged; -1: none
  std::string node = "node";
  std::string npm = "npm";
  std::string git = "git";
  bool file_repositories = false;  // apps may be deployed from repositories on this machine
  functions::FunctionLimits function_limits;
  std::map<std::string, std::string> service_gateways;  // third-party service or type to URL
  bool console = false;               // functions' console lines on standard error
  std::string inspect;                // host:port for the inspector of functions; "" = none
  std::string worker_script;          // "" = found beside the program
  std::size_t threads = 0;            // 0 = one for each core
  std::size_t cache_megabytes = 256;
  std::size_t write_buffer_megabytes = 256;
  std::int64_t expiry_seconds = 60;
  std::int64_t change_log_hours = 24;
  std::int64_t change_log_megabytes = 1024;
  std::int64_t log_rate = 200;        // entries a second for each app that only tell of a success
  std::int64_t log_days = 10;         // how long log entries of apps are kept
  std::int64_t audit_days = 365;      // how long changes by administrators are kept
  std::string log_requests = "writes";  // of clients, to services: all, writes or errors
  std::string log_level = "info";     // debug, info, warning, error
};

struct CheckOptions {
  std::string directory;
  std::string types_file;  // where type declarations for editors go; "" = nowhere
  std::string node = "node";
  std::string worker_script;
};

struct ValidateOptions {
  std::string data_directory;
};

struct CommandLine {
  std::optional<ServeOptions> serve;
  std::optional<CheckOptions> check;
  std::optional<backup::BackupOptions> backup;
  std::optional<backup::RestoreOptions> restore;
  std::optional<ValidateOptions> validate;
  std::optional<ImportUsersOptions> import_users;
  std::optional<RotateKeyOptions> rotate_key;
  std::optional<RulesTestOptions> rules_test;
  std::function<int()> client;  // a command that talks to a server
};

// Reads the arguments, RESTITCH_… environment variables and the YAML file of --config, in this order of precedence.
// Answers --help, --version and mistakes itself: then `exit_code` is set and the rest is empty.
struct ParsedCommandLine {
  CommandLine command;
  std::optional<int> exit_code;
};
ParsedCommandLine parse_command_line(int argc, char** argv);

}  // namespace restitch::server
