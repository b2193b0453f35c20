#include "deployment/deployer.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <filesystem>
#include <set>

#include "app/hosted_files.h"
#include "app/loader.h"
#include "app/secrets.h"
#include "base/log.h"
#include "deployment/function_info.h"
#include "deployment/name_lister.h"
#include "deployment/user_hooks.h"
#include "deployment/users.h"
#include "deployment/values.h"
#include "query/filter/filter.h"
#include "query/projection.h"
#include "rules/expression.h"

namespace restitch::deployment {
namespace {

constexpr std::size_t kMaxFindingLines = 50;
constexpr std::chrono::seconds kForwardingGrace{5};  // for log entries that wait to be forwarded

Error refused(const app::Findings& findings) {
  return Error(ErrorCode::kInvalidArgument, describe(findings));
}

// The stages of database triggers. A warning only: the source may know more than this server does.
void check_trigger_stages(const app::Config& config, app::Findings& findings) {
  const query::CommandContext context;
  for (const app::TriggerConfig& trigger : config.triggers) {
    const auto warn = [&](std::string pointer, const Error& error) {
      findings.warning(trigger.file, std::move(pointer), "InvalidParameter", error.message());
    };
    const auto match = query::Filter::compile(trigger.match, context);
    if (!match) warn("/config/match", match.error());
    if (trigger.project.empty()) continue;
    const auto project = query::Projection::compile(
        trigger.project, query::ProjectionDialect::kAggregation, context);
    if (!project) warn("/config/project", project.error());
  }
}

// Checks of the whole configuration that need the compilers of other layers.
std::shared_ptr<const rules::RuleSet> compile_all(const app::Config& config,
                                                  app::Findings& findings) {
  for (const app::FunctionConfig& function : config.functions) {
    if (!function.can_evaluate) continue;
    rules::Expression::compile(*function.can_evaluate, rules::Place::kFunction,
                               function.manifest_file, function.manifest_pointer + "/can_evaluate",
                               findings);
  }
  for (const app::WebhookConfig& webhook : config.webhooks) {
    if (!webhook.function.can_evaluate) continue;
    rules::Expression::compile(*webhook.function.can_evaluate, rules::Place::kFunction,
                               webhook.function.manifest_file, "/can_evaluate", findings);
  }
  check_trigger_stages(config, findings);
  return rules::RuleSet::compile(config, findings);
}

// The folder of the functions' npm packages, "" for none. What is wrong with them becomes a finding.
Task<std::string> provide_packages(runtime::BlockingPool& pool,
                                   functions::DependencySettings settings, std::string app,
                                   std::string root, app::Findings& findings) {
  if (root.empty()) co_return std::string();
  functions::DependencyProblem problem;
  auto work = [&settings, &app, &root, &problem] {
    return functions::provide_dependencies(settings, app, root + "/functions", problem);
  };
  auto provided = co_await pool.run(work);
  if (provided || provided.error().code() != ErrorCode::kInvalidArgument) co_return provided;
  findings.error("functions/" + problem.file, "", "InvalidParameter", problem.message);
  co_return std::string();
}

// Whether packages are to be installed, which a check does not do.
bool names_packages(const std::string& root) {
  const std::string folder = root + "/functions/";
  std::error_code ignored;
  for (const char* name : {"package.json", "node_modules.zip", "node_modules.tar", "node_modules.tgz",
                           "node_modules.tar.gz"}) {
    if (std::filesystem::exists(folder + name, ignored)) return true;
  }
  return false;
}

// Starts a worker, so that the sources are compiled before the app runs; syntax errors become
// findings.
Task<void> check_sources(functions::FunctionService& service, const app::Config& config,
                         app::Findings& findings) {
  if (config.functions.empty() && config.webhooks.empty()) co_return Status();
  RESTITCH_CO_TRY(const auto syntax_errors, co_await service.warm());
  const auto file_of = [&config](const std::string& name) {
    const app::FunctionConfig* function = config.find_function(name);
    for (const app::WebhookConfig& webhook : config.webhooks) {
      if (webhook.function.name == name) function = &webhook.function;
    }
    return function != nullptr ? function->file : "functions/" + name + ".js";
  };
  for (const auto& [name, message] : syntax_errors) {
    findings.error(file_of(name), "", "FunctionSyntaxError", message);
  }
  for (const auto& [name, message] : service.source_warnings()) {
    findings.warning(file_of(name), "", "FunctionInvalid", message);
  }
  co_return Status();
}

// The syntax errors of the sources, when other findings refuse the app before its functions start.
Task<void> check_sources_alone(const app::Config& config, functions::FunctionService::Options options,
                               app::Findings& findings) {
  functions::FunctionAppInfo info = function_info(config);
  for (app::FunctionConfig& function : info.functions) function.can_evaluate.reset();
  info.has_unknown_packages = true;
  RESTITCH_CO_TRY(const auto service, functions::FunctionService::create(
                                          std::move(info), nullptr, nullptr, nullptr, options));
  auto checked = co_await check_sources(*service, config, findings);
  co_await service->stop();
  co_return checked;
}

std::string config_file(const app::DataSourceConfig& source) { return source.directory + "/config.json"; }

const char* cluster_pointer(const app::DataSourceConfig& source) {
  return source.type == app::SourceType::kDataLake ? "/config/dataLakeName" : "/config/clusterName";
}

// The URI of a self-hosted source; "" when its secret is missing, which is reported with the other secrets.
std::string uri_of(const app::DataSourceConfig& source, const std::map<std::string, std::string>& secrets) {
  if (!source.uri.empty()) return source.uri;
  const auto secret = secrets.find(source.uri_secret);
  return secret == secrets.end() ? std::string() : secret->second;
}

// A bound name must be the kind of instance that the directory says (spec: app-config §5.1).
void check_kind(const app::DataSourceConfig& source, datasource::Kind kind, bool is_bound, app::Findings& findings) {
  const bool is_federated = kind == datasource::Kind::kFederated;
  const bool wants_federated = source.type == app::SourceType::kDataLake;
  if (!is_bound || is_federated == wants_federated) return;
  findings.error(config_file(source), cluster_pointer(source), "InvalidParameter",
                 "'" + source.cluster_name + "' is " + (is_federated ? "a federated instance" : "no federated instance") +
                     ", so the data source's type must " + (is_federated ? "" : "not ") + "be \"datalake\"");
}

// Whether the running app has the source already: then nobody waits for its deployment again.
bool is_known_source(const app::Config* former, const app::DataSourceConfig& source) {
  const app::DataSourceConfig* known =
      former == nullptr ? nullptr : former->find_data_source(source.name);
  return known != nullptr && known->uri == source.uri && known->uri_secret == source.uri_secret;
}

// A serverless instance has no change streams. A trigger that was there before stays, suspended: the operator may have said
// only now what kind of instance its source is.
void check_triggers(const BuildRequest& request, const rules::SourceMap& sources, app::Findings& findings) {
  for (const app::TriggerConfig& trigger : request.config->triggers) {
    if (trigger.type != app::TriggerType::kDatabase) continue;
    const auto source = sources.find(trigger.source);
    if (source == sources.end() || source->second->kind() != datasource::Kind::kServerless) continue;
    const char* const reason = "a serverless data source has no change streams";
    if (request.stored_triggers.contains(trigger.name)) {
      findings.warning(trigger.file, "/config/service_name", "InvalidParameter", reason);
    } else {
      findings.error(trigger.file, "/config/service_name", "InvalidParameter", reason);
    }
  }
}

// Waits until a deployment answers, or its time limit: whether it has transactions is known afterwards.
asio::awaitable<void> look_for(datasource::DataSource& source) {
  bson::Document ping = bson::make_document("ping", std::int32_t{1});
  auto answered = co_await source.run("admin", std::move(ping));
  static_cast<void>(answered);  // one that is down is found when it comes
}

std::string now_iso() {
  char text[40];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

Error app_not_found(const std::string& client_app_id) {
  return Error(ErrorCode::kAppNotFound, "cannot find app using Client App ID '" + client_app_id + "'");
}

// The host name that serves the app's hosted files; "" when only a path does, or nothing.
std::string hosting_uri(const DeployedApp& app, const std::string& domain) {
  if (!app.hosting.is_enabled) return {};
  return domain.empty() ? app.hosting.custom_domain : app.client_app_id + "." + domain;
}

std::vector<std::string> provider_types(const app::Config& config) {
  std::vector<std::string> types;
  for (const app::AuthProviderConfig& provider : config.auth_providers)
    types.push_back(provider.type);
  return types;
}

// The addresses of an IP access list. The entry of a new app stands for IPv6 as well.
Result<net::AddressSet> address_set(const std::vector<AllowedAddress>& entries) {
  net::AddressSet set;
  for (const AllowedAddress& entry : entries) {
    RESTITCH_CHECK(set.add(entry.address));
    if (entry.address != kAnyAddress) continue;
    RESTITCH_CHECK(set.add("::/0"));
  }
  return set;
}

// Lines of the references to secrets that are not there.
std::set<std::string> missing_secrets(const app::Config& config,
                                      const std::map<std::string, std::string>& secrets) {
  app::Findings findings;
  app::check_secret_references(config, secrets, findings);
  std::set<std::string> lines;
  for (const app::Finding& finding : findings.list()) lines.insert(app::to_line(finding));
  return lines;
}

}  // namespace

std::string describe(const app::Findings& findings) {
  std::string text;
  std::size_t lines = 0;
  std::size_t left_out = 0;
  for (const app::Finding& finding : findings.list()) {
    if (finding.severity != app::FindingSeverity::kError) continue;
    if (lines == kMaxFindingLines) {
      ++left_out;
      continue;
    }
    if (!text.empty()) text.push_back('\n');
    text.append(app::to_line(finding));
    ++lines;
  }
  if (left_out > 0) text.append("\n… and " + std::to_string(left_out) + " more");
  return text;
}

Deployer::Deployer(
    AppRegistry& registry, AppStore& store, LogStore& logs, auth::AuthService& auth,
    datasource::Clusters& clusters, DeployerOptions options)
    : registry_(registry),
      store_(store),
      logs_(logs),
      auth_(auth),
      clusters_(clusters),
      options_(std::move(options)),
      cluster_users_(options_.embedded) {}

asio::awaitable<void> Deployer::run(DeployedAppPtr app) {
  DeployedAppPtr former = registry_.replace(app);
  logs_.forwarding().deploy(app);
  Status followed;
  if (on_deployed_) followed = co_await on_deployed_(app);
  Status has_user = co_await cluster_users_.follow(app);
  if (followed) followed = std::move(has_user);
  if (!followed) {
    RESTITCH_LOG(kError, kApp, 2008, "What runs beside an app did not follow its deployment",
                 {"app", app->client_app_id}, {"error", followed.error().message()});
  }
  RESTITCH_LOG(kInfo, kApp, 2001, "App deployed", {"app", app->client_app_id}, {"name", app->name},
               {"functions", app->config->functions.size()},
               {"dataSources", app->config->data_sources.size()});
  if (former) {
    boost::asio::co_spawn(co_await asio::this_coro::executor, retire(std::move(former)),
                          [](std::exception_ptr) {});
  }
}

Task<void> Deployer::set_access_list(std::string client_app_id, std::int64_t revision,
                                     std::vector<AllowedAddress> entries) {
  const DeployedAppPtr app = registry_.find(client_app_id);
  if (!app) co_return app_not_found(client_app_id);
  RESTITCH_CO_TRY(net::AddressSet addresses, address_set(entries));
  RESTITCH_CO_CHECK(co_await store_.put_access_list(app->id, revision, std::move(entries)));
  auto changed = std::make_shared<DeployedApp>(*app);
  changed->access_list = std::move(addresses);
  registry_.replace(std::move(changed));
  co_return Status();
}

Task<void> Deployer::rotate_signing_key(std::string client_app_id, bool keep_former) {
  const DeployedAppPtr app = registry_.find(client_app_id);
  if (!app) co_return app_not_found(client_app_id);
  RESTITCH_CO_TRY(const SigningKeys keys, co_await store_.rotate_signing_key(app->id, keep_former));
  auto users = std::make_shared<auth::AppAuth>(*app->auth);
  users->realm.signing_key = keys.current;
  users->realm.former_keys = keys.former;
  auto changed = std::make_shared<DeployedApp>(*app);
  changed->auth = std::move(users);
  registry_.replace(std::move(changed));
  RESTITCH_LOG(kInfo, kApp, 2010, "Signing key rotated", {"app", client_app_id},
               {"former", keys.former.size()});
  co_return Status();
}

asio::awaitable<void> Deployer::end(DeployedAppPtr app) {
  registry_.remove(app->client_app_id);
  logs_.forwarding().remove(app->id);
  const Status removed = co_await cluster_users_.remove(app->client_app_id);
  if (!removed) {
    RESTITCH_LOG(kError, kApp, 2012, "The app's user of the cluster cannot be removed",
                 {"app", app->client_app_id}, {"error", removed.error().message()});
  }
  RESTITCH_LOG(kInfo, kApp, 2005, "App ended", {"app", app->client_app_id});
  boost::asio::co_spawn(co_await asio::this_coro::executor, retire(std::move(app)),
                        [](std::exception_ptr) {});
}

Task<DeployedAppPtr> Deployer::build(BuildRequest request, app::Findings& findings) {
  const app::Config& config = *request.config;
  const auto rule_set = compile_all(config, findings);
  if (findings.has_errors()) {
    RESTITCH_CO_CHECK(co_await check_sources_alone(config, options_.functions, findings));
    co_return refused(findings);
  }

  AppIdentity& identity = request.identity;
  RESTITCH_CO_CHECK(co_await store_.ensure_provider_ids(identity, provider_types(config)));
  RESTITCH_CO_TRY(const auto secrets, co_await store_.secrets(identity.id));

  auto app = std::make_shared<DeployedApp>();
  app->id = identity.id;
  app->client_app_id = identity.client_app_id;
  app->group_id = options_.group_id;
  app->name = identity.name;
  app->config = request.config;
  app->trigger_ids = request.trigger_ids;
  app->forwarder_ids = request.forwarder_ids;
  RESTITCH_CO_TRY(app->access_list, address_set(identity.access_list));
  RESTITCH_CO_CHECK(check_secrets(request, secrets, findings));
  RESTITCH_CO_TRY(rules::SourceMap sources, co_await resolve_sources(config, secrets, request.former, findings));
  check_triggers(request, sources, findings);
  app->values = resolve_values(config, secrets);
  app->hosting = hosting_settings(config);
  app->endpoints = std::make_shared<const EndpointTable>(config, secrets);
  app->environment_tag = config.environment;
  app->environment_values = environment_values(config);
  if (findings.has_errors()) co_return refused(findings);

  const functions::NameLister list_names = make_name_lister(sources);
  rules::DataAccessSettings settings;
  settings.hubs = options_.hubs;
  RESTITCH_CO_TRY(const bson::Value null_types, co_await store_.extra(identity.id, "null_types"));
  settings.validation.null_allowed_for_optional = null_types.view().as_bool().value_or(false);
  app->sources = sources;
  app->data = rules::DataAccess::create(rule_set, std::move(sources), settings);
  const auto app_auth = make_app_auth(config, identity, secrets);
  RESTITCH_CO_TRY(const bson::Value lifetime,
                  co_await store_.extra(identity.id, "refresh_token_seconds"));
  if (const auto seconds = lifetime.view().as_integer()) {
    app_auth->refresh_token_seconds = *seconds;
  }
  app->auth = app_auth;
  RESTITCH_CO_TRY(app->functions, co_await start_functions(request, *app, list_names, findings));
  if (findings.has_errors()) {
    co_await app->functions->stop();
    co_return refused(findings);
  }
  attach_user_hooks(*app_auth, config, app->data, app->functions);
  co_return DeployedAppPtr(std::move(app));
}

Status Deployer::check_secrets(const BuildRequest& request,
                               const std::map<std::string, std::string>& secrets,
                               app::Findings& findings) const {
  std::set<std::string> tolerated;
  if (request.former != nullptr) tolerated = missing_secrets(*request.former, secrets);
  app::Findings missing;
  app::check_secret_references(*request.config, secrets, missing);
  for (const app::Finding& finding : missing.list()) {
    if (request.tolerates_missing_secrets || tolerated.contains(app::to_line(finding))) {
      findings.warning(finding.file, finding.pointer, finding.code, finding.message);
    } else {
      findings.error(finding.file, finding.pointer, finding.code, finding.message);
    }
  }
  return {};
}

Task<rules::SourceMap> Deployer::resolve_sources(const app::Config& config,
                                                 const std::map<std::string, std::string>& secrets,
                                                 const app::Config* former,
                                                 app::Findings& findings) const {
  rules::SourceMap sources;
  for (const app::DataSourceConfig& source : config.data_sources) {
    const bool has_uri = source.type == app::SourceType::kSelfHosted && (!source.uri.empty() || !source.uri_secret.empty());
    if (!has_uri && options_.strict_clusters && !clusters_.is_bound(source.cluster_name)) {
      findings.error(config_file(source), cluster_pointer(source), "InvalidParameter",
                     "failed to find cluster '" + source.cluster_name + "'");
      continue;
    }
    const std::string uri = has_uri ? uri_of(source, secrets) : std::string();
    if (has_uri && uri.empty()) continue;  // its secret is missing, which is told already
    datasource::mongodb::ReadPreference preference;
    preference.mode = source.read_preference;
    preference.tag_sets = source.read_preference_tag_sets;
    auto resolved = has_uri ? clusters_.connect(source.name, uri, preference)
                            : clusters_.find(source.cluster_name, preference);
    if (!resolved) {
      findings.error(config_file(source), has_uri ? "/config/uri" : cluster_pointer(source), "InvalidParameter",
                     resolved.error().message());
      continue;
    }
    check_kind(source, (*resolved)->kind(), clusters_.is_bound(source.cluster_name), findings);
    if (has_uri && !is_known_source(former, source)) co_await look_for(**resolved);
    sources[source.name] = std::move(*resolved);
  }
  co_return sources;
}

Task<std::shared_ptr<functions::FunctionService>> Deployer::start_functions(
    const BuildRequest& request, const DeployedApp& app, functions::NameLister list_names,
    app::Findings& findings) const {
  functions::FunctionAppInfo info = function_info(*request.config);
  info.app_id = app.id.to_hex();
  RESTITCH_CO_TRY(info.dependencies_path,
                  co_await provide_packages(packages_pool_, options_.dependencies, info.app_id,
                                            request.packages, findings));
  info.client_app_id = app.client_app_id;
  info.name = app.name;
  info.project_id = app.group_id;
  info.last_deployed = now_iso();
  info.hosting_uri = hosting_uri(app, options_.hosting_domain);
  info.values = app.values;
  auto users = [&auth = auth_, app_auth = app.auth](std::string user_id) {
    return look_up_user(auth, app_auth, std::move(user_id));
  };
  auto log = [&logs = logs_, id = app.id, group = app.group_id](const functions::CallLog& call) {
    logs.add_function_call(id, group, call);
  };
  functions::FunctionService::Options options = options_.functions;
  options.list_names = std::move(list_names);
  options.push_registrations = [&auth = auth_, id = app.id](std::string push_service,
                                                            std::vector<std::string> user_ids) {
    return look_up_devices(auth, id, std::move(push_service), std::move(user_ids));
  };
  RESTITCH_CO_TRY(auto service, functions::FunctionService::create(std::move(info), app.data, users,
                                                                   log, options));
  if (request.checks_sources) {
    RESTITCH_CO_CHECK(co_await check_sources(*service, *request.config, findings));
  }
  co_return service;
}

// Requests in flight keep the snapshot they began with: its functions end after the last of them.
asio::awaitable<void> Deployer::retire(DeployedAppPtr app) const {
  constexpr auto kLook = std::chrono::milliseconds(50);
  constexpr int kAtMost = 6000;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int looks = 0; app.use_count() > 1 && looks < kAtMost; ++looks) {
    timer.expires_after(kLook);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_await app->functions->stop();
}

asio::awaitable<void> Deployer::stop() {
  co_await logs_.forwarding().stop(kForwardingGrace);
  for (const DeployedAppPtr& app : registry_.all()) co_await app->functions->stop();
}

Task<void> check_directory(std::string path, functions::FunctionService::Options options,
                           app::Findings& findings) {
  RESTITCH_CO_TRY(const std::string root, app::find_app_root(path));
  RESTITCH_CO_TRY(const app::Config config, app::load_directory(root, findings));
  const auto rule_set = compile_all(config, findings);
  app::check_secret_references(config, config.secrets, findings);
  app::check_hosted_files(root, findings);
  functions::FunctionAppInfo info = function_info(config);
  runtime::BlockingPool pool(1, 1);
  const functions::DependencySettings nothing_installed;
  const std::string no_app;
  RESTITCH_CO_TRY(info.dependencies_path,
                  co_await provide_packages(pool, nothing_installed, no_app, root, findings));
  info.has_unknown_packages = info.dependencies_path.empty() && names_packages(root);
  for (app::FunctionConfig& function : info.functions) function.can_evaluate.reset();
  RESTITCH_CO_TRY(const auto service, functions::FunctionService::create(
                                          std::move(info), nullptr, nullptr, nullptr, options));
  auto checked = co_await check_sources(*service, config, findings);
  co_await service->stop();
  co_return checked;
}

}  // namespace restitch::deployment
