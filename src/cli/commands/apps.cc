#include <filesystem>

#include "app/loader.h"
#include "cli/local_app.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct DeleteOptions {
  std::vector<std::string> apps;
};

struct CreateOptions {
  std::string remote, local, name, location, deployment_model, environment, provider_region;
  std::string cluster, cluster_service_name = "mongodb-atlas";
  std::string federated, federated_service_name = "mongodb-datafederation";
  bool dry_run = false;
};

Status list_apps(Session& session) {
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<RemoteApp> apps, api->apps(session.options().project));
  if (apps.empty()) {
    session.terminal().say("No available apps to show");
    return {};
  }
  std::vector<std::string> lines;
  for (const RemoteApp& app : apps) lines.push_back(app.client_app_id + " (" + app.group_id + ")");
  session.terminal().list("Found " + std::to_string(apps.size()) + " apps", lines);
  return {};
}

Status describe(Session& session, const std::string& wanted) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(wanted));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value description, api->get(app.path() + "/description"));
  session.terminal().document("App description", description);
  return {};
}

Status delete_apps(Session& session, const DeleteOptions& options) {
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<RemoteApp> all, api->apps(session.options().project));
  if (options.apps.empty()) return setup_error("name the apps to delete with --app");
  std::vector<RemoteApp> chosen;
  for (const std::string& wanted : options.apps) {
    const std::size_t before = chosen.size();
    for (const RemoteApp& app : all) {
      if (app.client_app_id == wanted || app.name == wanted) chosen.push_back(app);
    }
    if (chosen.size() == before) return setup_error("failed to find app '" + wanted + "'");
  }
  std::vector<std::string> names;
  for (const RemoteApp& app : chosen) names.push_back(app.client_app_id);
  if (!session.terminal().says_yes()) {
    session.terminal().list("These apps, their users and their secrets will be deleted:", names);
    const auto agreed = session.terminal().confirm("Are you sure?");
    if (!agreed) return setup_error("confirm with --yes where nobody can be asked");
    if (!*agreed) return {};
  }
  std::vector<std::vector<std::string>> rows;
  std::size_t deleted = 0;
  for (const RemoteApp& app : chosen) {
    const auto gone = api->call("DELETE", app.path());
    deleted += gone ? 1 : 0;
    rows.push_back(
        {app.client_app_id, app.name, gone ? "true" : "false", gone ? "" : gone.error().message()});
  }
  session.terminal().table("Successfully deleted " + std::to_string(deleted) + "/" +
                               std::to_string(chosen.size()) + " app(s)",
                           {"ID", "Name", "Deleted", "Details"}, rows);
  if (deleted == chosen.size()) return {};
  return Error(ErrorCode::kInvalidArgument, "not every app was deleted");
}

Members creation(const CreateOptions& options) {
  Members body;
  body.set("name", bson::Value::of(options.name));
  const std::pair<const char*, const std::string*> members[] = {
      {"location", &options.location},
      {"deployment_model", &options.deployment_model},
      {"environment", &options.environment},
      {"provider_region", &options.provider_region}};
  for (const auto& [name, value] : members) {
    if (!value->empty()) body.set(name, bson::Value::of(*value));
  }
  const bool has_cluster = !options.cluster.empty();
  if (has_cluster || !options.federated.empty()) {
    Members config;
    Members source;
    source.set("name", bson::Value::of(has_cluster ? options.cluster_service_name
                                                   : options.federated_service_name));
    source.set("type", bson::Value::of(has_cluster ? "mongodb-atlas" : "datalake"));
    if (has_cluster) {
      config.set("clusterName", bson::Value::of(options.cluster));
      config.set("readPreference", bson::Value::of("primary"));
      config.set("wireProtocolEnabled", bson::Value::of(false));
    } else {
      config.set("dataLakeName", bson::Value::of(options.federated));
    }
    source.set("config", config.value());
    source.set("version", bson::Value::of(std::int32_t{1}));
    body.set("data_source", source.value());
  }
  return body;
}

Status create(Session& session, CreateOptions options) {
  RESTITCH_TRY(AdminApi * api, session.api());
  std::optional<RemoteApp> model;
  if (!options.remote.empty()) {
    RESTITCH_TRY(RemoteApp found, session.find_app(options.remote));
    model = std::move(found);
  }
  if (options.name.empty() && model) options.name = model->name;
  if (options.name.empty()) return setup_error("name the app with --name");
  const std::string directory = options.local.empty() ? options.name : options.local;
  if (std::filesystem::exists(directory + "/realm_config.json")) {
    return setup_error("'" + directory + "' holds an app already");
  }
  if (options.dry_run) {
    session.terminal().say("A minimal Realm app would be created at " + directory);
    session.terminal().say("To create this app, you must omit the 'dry-run' flag to proceed");
    return {};
  }
  std::string group = session.options().project;
  if (group.empty()) {
    RESTITCH_TRY(const std::vector<std::string> groups, api->groups());
    if (groups.empty()) return setup_error("this administrator has no project");
    group = groups.front();
  }
  RESTITCH_TRY(const bson::Value created,
               api->call("POST", "/groups/" + group + "/apps", to_text(creation(options))));
  RemoteApp app;
  app.all = Members(created);
  app.id = app.all.text("_id");
  app.group_id = group;
  app.client_app_id = app.all.text("client_app_id");
  app.name = app.all.text("name");
  if (model) RESTITCH_CHECK(import_copy(*api, *model, app));
  RESTITCH_CHECK(export_to(*api, app, directory, 0));
  Members shown;
  shown.set("client_app_id", bson::Value::of(app.client_app_id));
  shown.set("filepath", bson::Value::of(std::filesystem::absolute(directory).string()));
  shown.set("url", bson::Value::of(api->connection().url + app.path() + "/dashboard"));
  session.terminal().document("Successfully created app", shown.value());
  session.terminal().say("Check out your app: cd ./" + directory + " && restitch apps describe");
  return {};
}

}  // namespace

void add_app_commands(Registry& registry) {
  CLI::App* apps = registry.group("apps", "Apps of the server");
  apps->alias("app");
  registry.command(apps, "list", "List the apps", "app list", &list_apps)->alias("ls");

  const auto described = std::make_shared<std::string>();
  registry
      .command(apps, "describe", "Show the parts of an app and its URLs", "app describe",
               [described](Session& session) { return describe(session, *described); })
      ->add_option("-a,--app", *described,
                   "App: id, beginning of an id, or name (default: that of the directory)");

  const auto deleted = std::make_shared<DeleteOptions>();
  registry
      .command(apps, "delete", "Delete apps with their users and secrets", "app delete",
               [deleted](Session& session) { return delete_apps(session, *deleted); })
      ->add_option("-a,--app", deleted->apps, "App id or name (repeatable)");

  const auto options = std::make_shared<CreateOptions>();
  CLI::App* created = registry.command(
      apps, "create", "Create an app on the server and its directory here", "app create",
      [options](Session& session) { return create(session, *options); });
  created->add_option("-n,--name", options->name, "Name of the app");
  created->add_option("--local", options->local, "Directory to write (default: the name)");
  created->add_option("--remote", options->remote, "Existing app to copy");
  created->add_option("-l,--location", options->location,
                      "US-VA, US-OR, DE-FF, IE, AU, IN-MB, SG or BR-SP; kept, without effect");
  created->add_option("--provider-region", options->provider_region,
                      "The later form of --location");
  created->add_option("-d,--deployment-model", options->deployment_model,
                      "GLOBAL or LOCAL; kept, without effect");
  created->add_option("-e,--environment", options->environment,
                      "development, testing, qa or production");
  created->add_option("--cluster", options->cluster, "Cluster to link as a data source");
  created
      ->add_option("--cluster-service-name", options->cluster_service_name,
                   "Name of that data source")
      ->capture_default_str();
  created->add_option("--federated-database,--datalake", options->federated,
                      "Federated instance to link as a data source");
  created
      ->add_option("--federated-database-service-name,--datalake-service-name",
                   options->federated_service_name, "Name of that data source")
      ->capture_default_str();
  created->add_flag("-x,--dry-run", options->dry_run, "Say what would be created");
}

}  // namespace restitch::cli
