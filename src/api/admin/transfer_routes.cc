#include <ctime>

#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "app/names.h"
#include "app/root.h"
#include "app/writing/archive.h"
#include "app/writing/files.h"
#include "app/writing/import_document.h"
#include "app/writing/layouts.h"
#include "app/writing/normal_form.h"
#include "bson/extended_json.h"
#include "deployment/config_tree.h"

namespace restitch::api::admin {
namespace {

constexpr Family kTransfers{"deployment", "DeploymentNotFound", ""};

Result<deployment::ImportStrategy> strategy_of(const AdminRequest& request) {
  const std::string name = request.query_value("strategy").value_or("merge");
  if (name == "merge" || name.empty()) return deployment::ImportStrategy::kMerge;
  if (name == "replace") return deployment::ImportStrategy::kReplace;
  if (name == "replace-by-name") return deployment::ImportStrategy::kReplaceByName;
  return Error(ErrorCode::kInvalidArgument,
               "unknown strategy '" + name + "', must be one of merge, replace, replace-by-name");
}

AdminReply list_of(const std::vector<std::string>& lines) {
  bson::Builder out;
  out.open_array("list");
  for (const std::string& line : lines) out.push(line);
  out.close();
  const bson::Document document = std::move(out).finish();
  return {200, bson::to_json(document["list"], bson::JsonMode::kRelaxed)};
}

Task<AdminReply> import(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::ImportStrategy strategy, strategy_of(request));
  RESTITCH_CO_TRY(bson::Document document, object_body(request.http));
  if (request.query_value("diff") == "true") {
    RESTITCH_CO_TRY(const auto diffs,
                    co_await api.apps().diff_import(request.app, request.actor, std::move(document),
                                                    strategy, request.findings));
    co_return list_of(diffs);
  }
  RESTITCH_CO_CHECK(co_await api.apps().import(request.app, request.actor, std::move(document),
                                               strategy, request.findings));
  co_return AdminReply::empty();
}

// The flat object of the newer command line becomes an import document by way of its files.
Task<AdminReply> push(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  const app::Tree tree = app::from_push_document(sent, request.findings);
  bson::Document document = app::to_import_document(tree);
  RESTITCH_CO_CHECK(co_await api.apps().import(request.app, request.actor, std::move(document),
                                               deployment::ImportStrategy::kReplaceByName,
                                               request.findings));
  co_return AdminReply::empty();
}

struct ExportOptions {
  int version = app::kVersion2021;
  bool source_control = false, is_template = false;
};

Result<ExportOptions> export_options(const AdminRequest& request) {
  ExportOptions options;
  options.source_control = request.query_value("source_control") == "true";
  options.is_template = request.query_value("template") == "true";
  if (options.source_control && options.is_template) {
    return Error(ErrorCode::kBadRequest, "source_control and template exclude each other");
  }
  const std::string version = request.query_value("version").value_or("");
  if (version.empty()) return options;
  for (const int known :
       {app::kVersion2018, app::kVersion2020, app::kVersion2021, app::kVersion2023}) {
    if (version == std::to_string(known)) {
      options.version = known;
      return options;
    }
  }
  return Error(ErrorCode::kInvalidArgument,
               "unsupported config version, use one of [20180301, 20200603, 20210101] instead");
}

app::Tree export_tree(const StoredConfig& config, const AdminRequest& request,
                      const ExportOptions& options) {
  deployment::TreeOptions parts;
  parts.with_ids = !options.source_control && !options.is_template;
  parts.with_identity = !options.is_template;
  app::Tree tree = deployment::to_tree(config, request.app->identity(), parts);
  app::NormalForm form;
  form.keep_ids = parts.with_ids;
  app::complete(tree);
  app::normalise(tree, form);
  app::Findings told;
  app::Tree out = options.version == tree.config_version
                      ? std::move(tree)
                      : app::to_layout(tree, options.version, told);
  return out;
}

std::string meta_text(AdminApi& api, const AdminRequest& request, int version) {
  const deployment::AppIdentity& identity = request.app->identity();
  bson::Builder out;
  out.append("config_version", std::int32_t{version}).append("app_id", identity.id.to_hex());
  out.append("group_id", api.apps().group_id());
  if (version == app::kVersion2023) out.append("client_app_id", identity.client_app_id);
  return app::json_text(bson::Value::of(std::move(out).finish()).view());
}

std::string archive_name(const std::string& app) {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  const std::size_t size = std::strftime(text, sizeof(text), "%Y%m%d%H%M%S", &parts);
  return app + "_" + std::string(text, size) + ".zip";
}

Task<AdminReply> zip_reply(AdminApi& api, AdminRequest& request, const StoredConfig& config,
                           ExportOptions options) {
  const app::Tree tree = export_tree(config, request, options);
  app::Files files = app::to_files(tree);
  if (!options.is_template) {
    const bool is_newest = options.version == app::kVersion2023;
    files.contents[is_newest ? ".mdb/meta.json" : ".mdb/app_meta.json"] =
        meta_text(api, request, options.version);
  }
  files.directories.insert("values");
  files.directories.insert("graphql/custom_resolvers");
  RESTITCH_CO_TRY(std::string zip, app::to_zip(files));
  AdminReply reply{200, std::move(zip), "application/zip"};
  reply.headers.emplace_back(
      "Content-Disposition",
      "attachment; filename=\"" + archive_name(request.app->identity().name) + "\"");
  co_return reply;
}

Task<AdminReply> export_app(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const ExportOptions options, export_options(request));
  auto config = request.config();
  if (const auto wanted = request.query_value("deployment"); wanted && !wanted->empty()) {
    const auto id = bson::ObjectId::from_hex(*wanted);
    const bson::ObjectId app = request.app->identity().id;
    RESTITCH_CO_TRY(auto snapshot,
                    co_await api.apps().history().snapshot(app, id.value_or(bson::ObjectId{})));
    if (!snapshot) co_return Error(ErrorCode::kNotFound, "deployment not found");
    config = std::make_shared<const StoredConfig>(std::move(*snapshot));
  }
  co_return co_await zip_reply(api, request, *config, options);
}

Task<AdminReply> pull(AdminApi& api, AdminRequest& request) {
  ExportOptions options;
  options.version = app::kVersion2023;
  options.source_control = true;
  const auto config = request.config();
  const std::string_view accepted = request.http.header("Accept");
  if (accepted.find("zip") != std::string_view::npos) {
    co_return co_await zip_reply(api, request, *config, options);
  }
  const app::Tree tree = export_tree(*config, request, options);
  co_return AdminReply::of(app::to_push_document(tree));
}

}  // namespace

std::vector<Route> transfer_routes() {
  return {
      app_route("POST", "/import", kTransfers, &import),
      app_route("GET", "/export", kTransfers, &export_app),
      app_route("GET", "/pull", kTransfers, &pull),
      app_route("PATCH", "/push", kTransfers, &push),
  };
}

}  // namespace restitch::api::admin
