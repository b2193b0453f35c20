#include "server/options.h"

#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>

#include "cli/commands.h"

namespace restitch::server {
namespace {

// The YAML configuration file: its keys are the long option names, lists become repeated options. `clusters` is a mapping of
// its own: NAME: {uri, kind}.
class YamlConfig : public CLI::Config {
 public:
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> entries;
    try {
      const YAML::Node root = YAML::Load(input);
      if (root.IsNull()) return entries;
      if (!root.IsMap()) throw CLI::FileError("the configuration file is no YAML mapping");
      for (const auto& entry : root) {
        if (entry.first.as<std::string>() == "clusters") {
          add_clusters(entry.second, entries);
          continue;
        }
        CLI::ConfigItem item;
        item.parents = {"serve"};
        item.name = entry.first.as<std::string>();
        if (entry.second.IsSequence()) {
          for (const auto& value : entry.second) item.inputs.push_back(value.as<std::string>());
        } else if (entry.second.IsScalar()) {
          item.inputs.push_back(entry.second.as<std::string>());
        } else {
          throw CLI::FileError("the configuration file's entry '" + item.name + "' is neither a value nor a list");
        }
        entries.push_back(std::move(item));
      }
    } catch (const YAML::Exception& error) {
      throw CLI::FileError(std::string("the configuration file is no valid YAML: ") + error.what());
    }
    return entries;
  }

 private:
  static void add_clusters(const YAML::Node& clusters, std::vector<CLI::ConfigItem>& entries) {
    if (!clusters.IsMap()) throw CLI::FileError("the configuration file's entry 'clusters' is no mapping");
    for (const auto& cluster : clusters) {
      const auto name = cluster.first.as<std::string>();
      const YAML::Node& settings = cluster.second;
      if (!settings.IsMap() || !settings["uri"]) {
        throw CLI::FileError("the configuration file's cluster '" + name + "' needs a 'uri'");
      }
      entries.push_back(item("cluster", name + "=" + settings["uri"].as<std::string>()));
      if (settings["kind"]) entries.push_back(item("cluster-kind", name + "=" + settings["kind"].as<std::string>()));
    }
  }

  static CLI::ConfigItem item(std::string name, std::string value) {
    CLI::ConfigItem result;
    result.parents = {"serve"};
    result.name = std::move(name);
    result.inputs.push_back(std::move(value));
    return result;
  }
};

struct RawServe {
  std::string listen = "127.0.0.1:9090";
  std::string wire;
  std::int64_t function_seconds = 300;
  std::vector<std::string> service_gateways;
  std::vector<std::string> clusters, cluster_kinds, identity_providers, trusted_proxies, attempt_limits;
};

void add_worker_options(CLI::App& command, std::string& node, std::string& worker_script) {
  command.add_option("--node", node, "Node.js program that runs functions")
      ->envname("RESTITCH_NODE")
      ->capture_default_str();
  command.add_option("--worker-script", worker_script, "The function worker's main.js (default: beside the program)")
      ->envname("RESTITCH_WORKER_SCRIPT");
}

void add_function_options(CLI::App& serve, ServeOptions& options, RawServe& raw) {
  functions::FunctionLimits& limits = options.function_limits;
  serve.add_option("--function-seconds", raw.function_seconds, "How long a function call may take")
      ->envname("RESTITCH_FUNCTION_SECONDS")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  serve.add_option("--function-megabytes", limits.memory_mb, "Memory of a function worker")
      ->envname("RESTITCH_FUNCTION_MEGABYTES")
      ->check(CLI::Range(32, 65536))
      ->capture_default_str();
  serve.add_option("--function-workers", limits.max_workers, "Most workers of one app")
      ->envname("RESTITCH_FUNCTION_WORKERS")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  serve.add_option("--function-queue", limits.max_queued_calls,
                   "Calls of one app that may wait for a worker; more are answered 429")
      ->envname("RESTITCH_FUNCTION_QUEUE")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  serve.add_option("--service-gateway", raw.service_gateways,
                   "NAME=URL: HTTP gateway of a third-party service, by its name or type, or of AWS_EVENTBRIDGE "
                   "(repeatable)")
      ->envname("RESTITCH_SERVICE_GATEWAY");
  serve.add_flag("--console", options.console,
                 "Print console output of functions on standard error at once (always with --watch)")
      ->envname("RESTITCH_CONSOLE");
  serve.add_option("--inspect", options.inspect,
                   "Address and port for the inspector of functions, e.g. 127.0.0.1:9229; for development")
      ->envname("RESTITCH_INSPECT");
}

void add_serve_options(CLI::App& serve, ServeOptions& options, RawServe& raw) {
  serve.add_option("--data", options.data_directory, "Directory for all data; made when it does not exist")
      ->envname("RESTITCH_DATA")
      ->required();
  serve.add_option("--listen", raw.listen, "Address and port for HTTP")
      ->envname("RESTITCH_LISTEN")
      ->capture_default_str();
  serve.add_option("--app", options.apps, "App Services configuration directory to deploy at start (repeatable)")
      ->envname("RESTITCH_APP");
  serve.add_flag("--watch", options.watch, "Deploy the --app directories again when their files change")
      ->envname("RESTITCH_WATCH");
  serve.add_option("--public-url", options.public_url,
                   "URL under which clients reach this server (default: taken from each request)")
      ->envname("RESTITCH_PUBLIC_URL");
  serve.add_option("--hosting-domain", options.hosting_domain,
                   "Domain whose names <client app id>.DOMAIN serve hosted files, beside /hosting/<client app id>/")
      ->envname("RESTITCH_HOSTING_DOMAIN");
  serve.add_option("--trusted-proxy", raw.trusted_proxies,
                   "Address or network of a reverse proxy whose X-Forwarded-For, -Proto and -Host count (repeatable)")
      ->envname("RESTITCH_TRUSTED_PROXY");
  serve.add_option("--attempt-limit", raw.attempt_limits,
                   "NAME=COUNT/SECONDS, or NAME=0 for no limit: how often strangers may try (repeatable); names: "
                   "sign-in-account, sign-in-address, register-address, message-account, message-address")
      ->envname("RESTITCH_ATTEMPT_LIMIT");
  serve.add_option("--smtp", options.smtp_url,
                   "Mail server: smtp://user:password@host:587 or smtps://… (default: messages become files in DIR/mailbox)")
      ->envname("RESTITCH_SMTP");
  serve.add_option("--mail-from", options.mail_from, "Sender of messages to users")
      ->envname("RESTITCH_MAIL_FROM")
      ->capture_default_str();
  serve.add_option("--identity-provider", raw.identity_providers,
                   "google|facebook|apple=URL: base URL used in place of the provider's own, for tests (repeatable)")
      ->envname("RESTITCH_IDENTITY_PROVIDER");
  serve.add_option("--cluster", raw.clusters, "NAME=URI: what a data source's clusterName stands for (repeatable)")
      ->envname("RESTITCH_CLUSTER");
  serve.add_option("--cluster-kind", raw.cluster_kinds,
                   "NAME=cluster|serverless|federated: what kind of instance a --cluster is (default: cluster)")
      ->envname("RESTITCH_CLUSTER_KIND");
  serve.add_flag("--strict-clusters", options.strict_clusters,
                 "Refuse a directory whose clusterName no --cluster names, instead of using the server's own data")
      ->envname("RESTITCH_STRICT_CLUSTERS");
  CLI::Option* admin_user =
      serve.add_option("--admin-user", options.admin_user,
                       "Name of an administrator who signs in to the Admin API with --admin-password")
          ->envname("RESTITCH_ADMIN_USER");
  CLI::Option* admin_password =
      serve.add_option("--admin-password", options.admin_password, "Password of --admin-user")
          ->envname("RESTITCH_ADMIN_PASSWORD");
  admin_user->needs(admin_password);
  admin_password->needs(admin_user);
  CLI::Option* state =
      serve.add_option("--state", options.state,
                       "URI of a MongoDB replica set or sharded cluster for apps, users and data sources without a --cluster; "
                       "any number of nodes may share it (default: the embedded cluster)")
          ->envname("RESTITCH_STATE");
  serve.add_option("--secret-key", options.secret_key,
                   "File with the key that seals secrets in the state; the same for all nodes (default: DIR/secret.key)")
      ->envname("RESTITCH_SECRET_KEY");
  serve.add_option("--wire", raw.wire, "Address and port for the MongoDB wire protocol of the embedded cluster (default: off)")
      ->envname("RESTITCH_WIRE")
      ->excludes(state);
  serve.add_flag("--wire-auth", options.wire_auth,
                 "Clients of the wire protocol must sign in; needed for addresses that are not loopback")
      ->envname("RESTITCH_WIRE_AUTH");
  CLI::Option* certificate =
      serve.add_option("--wire-tls-cert", options.wire_tls_cert, "PEM file: certificate for TLS on the wire protocol")
          ->envname("RESTITCH_WIRE_TLS_CERT");
  CLI::Option* key = serve.add_option("--wire-tls-key", options.wire_tls_key, "PEM file: private key for --wire-tls-cert")
                         ->envname("RESTITCH_WIRE_TLS_KEY");
  certificate->needs(key);
  key->needs(certificate);
  serve.add_option("--wire-tls-ca", options.wire_tls_ca,
                   "PEM file: issuers of client certificates; when given, every client must show one")
      ->envname("RESTITCH_WIRE_TLS_CA")
      ->needs(certificate);
  serve.add_option("--wire-advertise", options.wire_advertise,
                   "HOST:PORT that drivers are told to connect to (default: the loopback address, else this machine's name)")
      ->envname("RESTITCH_WIRE_ADVERTISE");
  serve.add_flag("--test-commands", options.test_commands, "Enable fail points; never in production")
      ->envname("RESTITCH_TEST_COMMANDS");
  serve
      .add_option("--slow-ms", options.slow_millis,
                  "Log commands of the embedded cluster that take longer than this; -1: none")
      ->envname("RESTITCH_SLOW_MS")
      ->capture_default_str();
  serve.add_option("--threads", options.threads, "Network threads (default: one for each core)")
      ->envname("RESTITCH_THREADS");
  serve.add_option("--change-log-hours", options.change_log_hours, "How long change streams can resume")
      ->envname("RESTITCH_CHANGE_LOG_HOURS")
      ->capture_default_str()
      ->check(CLI::Range(1, 24 * 365));
  serve.add_option("--change-log-megabytes", options.change_log_megabytes, "Space for changes that streams can resume at")
      ->envname("RESTITCH_CHANGE_LOG_MEGABYTES")
      ->capture_default_str()
      ->check(CLI::Range(16, 16 << 20));
  serve.add_option("--cache-megabytes", options.cache_megabytes, "Memory for cached data blocks")
      ->envname("RESTITCH_CACHE_MEGABYTES")
      ->capture_default_str();
  serve.add_option("--write-buffer-megabytes", options.write_buffer_megabytes,
                   "Memory for writes that are not yet in data files")
      ->envname("RESTITCH_WRITE_BUFFER_MEGABYTES")
      ->check(CLI::Range(16, 65536))
      ->capture_default_str();
  serve.add_option("--expiry-seconds", options.expiry_seconds,
                   "Time between removals of documents that TTL indexes have expired")
      ->envname("RESTITCH_EXPIRY_SECONDS")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  serve.add_option("--log-days", options.log_days, "How long log entries of apps are kept")
      ->envname("RESTITCH_LOG_DAYS")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  serve.add_option("--audit-days", options.audit_days, "How long the changes that administrators made are kept")
      ->envname("RESTITCH_AUDIT_DAYS")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  serve
      .add_option("--log-rate", options.log_rate,
                  "Log entries a second for each app that only tell of a success; 0: all of them")
      ->envname("RESTITCH_LOG_RATE")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  serve
      .add_option("--log-requests", options.log_requests,
                  "Which data requests of clients have a log entry: all, writes (and what fails) or errors")
      ->envname("RESTITCH_LOG_REQUESTS")
      ->check(CLI::IsMember({"all", "writes", "errors"}))
      ->capture_default_str();
  serve.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->envname("RESTITCH_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  add_worker_options(serve, options.node, options.worker_script);
  add_function_options(serve, options, raw);
  serve.add_option("--npm", options.npm, "npm program that installs functions/package.json")
      ->envname("RESTITCH_NPM")
      ->capture_default_str();
  serve.add_option("--git", options.git, "git program that fetches the repositories of apps")
      ->envname("RESTITCH_GIT")
      ->capture_default_str();
  serve.add_flag("--file-repositories", options.file_repositories,
                 "Administrators may link an app to a repository on this machine (file://…)")
      ->envname("RESTITCH_FILE_REPOSITORIES");
}

void add_data_option(CLI::App& command, std::string& directory) {
  command.add_option("--data", directory, "The server's data directory")->envname("RESTITCH_DATA")->required();
}

CLI::App* add_rules_test(CLI::App& app, RulesTestOptions& options) {
  CLI::App* rules = app.add_subcommand("rules", "Rules of data access");
  CLI::App* test = rules->add_subcommand(
      "test", "Run the tests in APPDIR/tests/rules, without a server; exit code 1 when one fails");
  test->add_option("APPDIR", options.directory, "App Services configuration directory")->capture_default_str();
  test->add_option("--only", options.only, "Only the cases whose name contains this");
  test->add_flag("--why", options.shows_why, "The whole explanation of every failure");
  test->add_flag("--coverage", options.shows_coverage,
                 "What of the rules was never true, never false or never asked");
  test->add_flag("--json", options.json, "One JSON object with all results and the coverage");
  add_worker_options(*test, options.node, options.worker_script);
  return test;
}

CLI::App* add_backup(CLI::App& app, backup::BackupOptions& options) {
  CLI::App* backup = app.add_subcommand("backup", "Copy the data of a running or stopped server, as of one moment");
  backup->add_option("TARGET", options.target, "New directory, new file NAME.tar, or - for an archive on standard output")
      ->required();
  add_data_option(*backup, options.data_directory);
  backup->add_flag("--without-keys", options.without_keys, "Leave out secret.key and admin.json");
  return backup;
}

CLI::App* add_restore(CLI::App& app, backup::RestoreOptions& options) {
  CLI::App* restore = app.add_subcommand("restore", "Put a backup into a data directory, after checking every byte of it");
  restore->add_option("SOURCE", options.source, "Directory or archive of a backup, or - for an archive on standard input")
      ->required();
  add_data_option(*restore, options.data_directory);
  restore->add_flag("--replace", options.replace, "Give up what the directory holds");
  return restore;
}

CLI::App* add_import_users(CLI::App& users, ImportUsersOptions& options) {
  CLI::App* import = users.add_subcommand(
      "import", "Bring users from elsewhere, with their ids and password hashes, into an app of a running server");
  import->add_option("FILE", options.file, "One user a line, in JSON; - for standard input")->required();
  import->add_option("--app", options.app, "Client app id")->required();
  add_data_option(*import, options.data_directory);
  return import;
}

CLI::App* add_rotate_key(CLI::App& keys, RotateKeyOptions& options) {
  CLI::App* rotate =
      keys.add_subcommand("rotate", "Sign an app's tokens with a new key; nobody is logged out");
  rotate->add_option("--app", options.app, "Client app id")->required();
  rotate->add_flag("--forget-former", options.forget_former,
                   "Void everything that the former keys signed: all users sign in again");
  add_data_option(*rotate, options.data_directory);
  return rotate;
}

// "NAME=VALUE" taken apart.
std::pair<std::string, std::string> split_setting(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
    throw CLI::ValidationError(option, "needs NAME=VALUE");  // the text may hold a password
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

datasource::Kind kind_of(const std::string& text) {
  if (text == "cluster") return datasource::Kind::kCluster;
  if (text == "serverless") return datasource::Kind::kServerless;
  if (text == "federated") return datasource::Kind::kFederated;
  throw CLI::ValidationError("--cluster-kind", "'" + text + "' is none of cluster, serverless, federated");
}

std::vector<datasource::ClusterBinding> cluster_bindings(const RawServe& raw) {
  std::vector<datasource::ClusterBinding> bindings;
  const auto find = [&bindings](const std::string& name) {
    return std::find_if(bindings.begin(), bindings.end(), [&name](const auto& binding) { return binding.name == name; });
  };
  for (const std::string& text : raw.clusters) {
    auto [name, uri] = split_setting("--cluster", text);
    if (find(name) != bindings.end()) throw CLI::ValidationError("--cluster", "names '" + name + "' twice");
    bindings.push_back({std::move(name), std::move(uri), datasource::Kind::kCluster});
  }
  for (const std::string& text : raw.cluster_kinds) {
    const auto [name, kind] = split_setting("--cluster-kind", text);
    const auto binding = find(name);
    if (binding == bindings.end()) throw CLI::ValidationError("--cluster-kind", "no --cluster is named '" + name + "'");
    binding->kind = kind_of(kind);
  }
  return bindings;
}

net::AddressSet address_set(const std::string& option, const std::vector<std::string>& texts) {
  net::AddressSet set;
  for (const std::string& text : texts) {
    if (const Status added = set.add(text); !added) throw CLI::ValidationError(option, added.error().message());
  }
  return set;
}

// "20/600", or "0".
auth::AttemptRate attempt_rate(const std::string& text) {
  auth::AttemptRate rate;
  const char* const end = text.data() + text.size();
  const auto count = std::from_chars(text.data(), end, rate.count);
  if (count.ec == std::errc() && count.ptr == end && rate.count == 0) return rate;
  const bool has_time = count.ec == std::errc() && count.ptr != end && *count.ptr == '/';
  const auto seconds = has_time ? std::from_chars(count.ptr + 1, end, rate.seconds) : count;
  const bool is_rate = has_time && seconds.ec == std::errc() && seconds.ptr == end;
  if (!is_rate || rate.count < 1 || rate.count > 1'000'000 || rate.seconds < 1 || rate.seconds > 86'400) {
    throw CLI::ValidationError("--attempt-limit", "'" + text + "' is neither COUNT/SECONDS nor 0");
  }
  return rate;
}

auth::AttemptRates attempt_rates(const std::vector<std::string>& texts) {
  auth::AttemptRates rates;
  const std::map<std::string, auth::AttemptRate*> by_name{
      {"sign-in-account", &rates.sign_in_account},   {"sign-in-address", &rates.sign_in_address},
      {"register-address", &rates.register_address}, {"message-account", &rates.message_account},
      {"message-address", &rates.message_address}};
  for (const std::string& text : texts) {
    const auto [name, value] = split_setting("--attempt-limit", text);
    const auto found = by_name.find(name);
    if (found == by_name.end()) throw CLI::ValidationError("--attempt-limit", "'" + name + "' is no limit's name");
    *found->second = attempt_rate(value);
  }
  return rates;
}

void replace_identity_providers(const RawServe& raw, auth::IdentityEndpoints& endpoints) {
  for (const std::string& text : raw.identity_providers) {
    const auto [name, url] = split_setting("--identity-provider", text);
    if (name == "google") {
      endpoints.google_authorize = url + "/o/oauth2/v2/auth";
      endpoints.google_token = url + "/token";
      endpoints.google_userinfo = url + "/oauth2/v3/userinfo";
      endpoints.google_keys = url + "/oauth2/v3/certs";
    } else if (name == "facebook") {
      endpoints.facebook_dialog = url + "/dialog/oauth";
      endpoints.facebook_graph = url;
    } else if (name == "apple") {
      endpoints.apple_authorize = url + "/auth/authorize";
      endpoints.apple_token = url + "/auth/token";
      endpoints.apple_keys = url + "/auth/keys";
    } else {
      throw CLI::ValidationError("--identity-provider", "'" + name + "' is none of google, facebook, apple");
    }
  }
}

void set_function_options(const RawServe& raw, ServeOptions& options) {
  options.function_limits.run_time = std::chrono::seconds(raw.function_seconds);
  for (const std::string& text : raw.service_gateways) {
    auto [name, url] = split_setting("--service-gateway", text);
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
      throw CLI::ValidationError("--service-gateway", "needs NAME=URL with http or https");
    }
    options.service_gateways[std::move(name)] = std::move(url);
  }
  if (options.inspect.empty()) return;
  const auto address = parse_host_port(options.inspect);
  if (!address) throw CLI::ValidationError("--inspect", address.error().message());
}

}  // namespace

Result<HostPort> parse_host_port(const std::string& text) {
  const Error invalid(ErrorCode::kInvalidArgument, "'" + text + "' is not of the form HOST:PORT");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return invalid;
  HostPort result;
  result.host = text.substr(0, colon);
  if (result.host.front() == '[' && result.host.back() == ']') result.host = result.host.substr(1, result.host.size() - 2);
  if (result.host == "localhost") result.host = "127.0.0.1";
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(begin, end, result.port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return invalid;
  return result;
}

ParsedCommandLine parse_command_line(int argc, char** argv) {
  CLI::App app("Restitch: a self-hosted server for apps of Atlas App Services and the Realm SDKs", "restitch");
  app.set_version_flag("--version", "restitch " RESTITCH_VERSION);
  app.require_subcommand(1);
  app.set_config("--config", "", "YAML file with the serve options, by their long names")->envname("RESTITCH_CONFIG");
  app.config_formatter(std::make_shared<YamlConfig>());
  app.fallthrough();

  ServeOptions serve_options;
  RawServe raw;
  CLI::App* serve = app.add_subcommand("serve", "Run the server");
  add_serve_options(*serve, serve_options, raw);

  CheckOptions check_options;
  CLI::App* check = app.add_subcommand("check", "Check a configuration directory as a deployment would; exit code 1 "
                                                "when it would be refused");
  check->add_option("APPDIR", check_options.directory, "App Services configuration directory")->required();
  check->add_option("--types", check_options.types_file,
                    "Write TypeScript declarations of what functions find, for editors, e.g. APPDIR/functions/context.d.ts");
  add_worker_options(*check, check_options.node, check_options.worker_script);

  backup::BackupOptions backup_options;
  const CLI::App* backup = add_backup(app, backup_options);
  backup::RestoreOptions restore_options;
  const CLI::App* restore = add_restore(app, restore_options);
  ValidateOptions validate_options;
  CLI::App* validate = app.add_subcommand(
      "validate", "Check every document and index entry of a stopped server's data; exit code 1 when something is wrong");
  add_data_option(*validate, validate_options.data_directory);

  CLI::App* users = app.add_subcommand("users", "Users of apps");
  users->require_subcommand(1);
  ImportUsersOptions import_options;
  const CLI::App* import_users = add_import_users(*users, import_options);
  CLI::App* keys = app.add_subcommand("signing-key", "Keys that sign the tokens of an app");
  keys->require_subcommand(1);
  RotateKeyOptions rotate_options;
  const CLI::App* rotate_key = add_rotate_key(*keys, rotate_options);
  RulesTestOptions rules_test_options;
  const CLI::App* rules_test = add_rules_test(app, rules_test_options);

  ParsedCommandLine parsed;
  cli::add_commands(app, parsed.command.client);
  try {
    app.parse(argc, argv);
    if (serve->parsed()) {
      auto listen = parse_host_port(raw.listen);
      if (!listen) throw CLI::ValidationError("--listen", listen.error().message());
      serve_options.listen = *listen;
      serve_options.clusters = cluster_bindings(raw);
      serve_options.trusted_proxies = address_set("--trusted-proxy", raw.trusted_proxies);
      serve_options.attempt_rates = attempt_rates(raw.attempt_limits);
      replace_identity_providers(raw, serve_options.identity_endpoints);
      set_function_options(raw, serve_options);
      if (!raw.wire.empty()) {
        auto wire = parse_host_port(raw.wire);
        if (!wire) throw CLI::ValidationError("--wire", wire.error().message());
        serve_options.wire = *wire;
      }
      parsed.command.serve = std::move(serve_options);
    } else if (check->parsed()) {
      parsed.command.check = std::move(check_options);
    } else if (backup->parsed()) {
      parsed.command.backup = std::move(backup_options);
    } else if (restore->parsed()) {
      parsed.command.restore = std::move(restore_options);
    } else if (validate->parsed()) {
      parsed.command.validate = std::move(validate_options);
    } else if (import_users->parsed()) {
      parsed.command.import_users = std::move(import_options);
    } else if (rotate_key->parsed()) {
      parsed.command.rotate_key = std::move(rotate_options);
    } else if (rules_test->parsed()) {
      parsed.command.rules_test = std::move(rules_test_options);
    }
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error, std::cout, std::cerr);
  }
  return parsed;
}

}  // namespace restitch::server
