#include "deployment/config_store.h"

#include "auth/state_queries.h"
#include "deployment/announcement.h"

namespace restitch::deployment {
namespace {

using auth::collection;
using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::size_t kMaxConfigBytes = 15U << 20U;
constexpr std::int64_t kPrecedenceSeconds = 10;

Document one_of(const ObjectId& app, const ObjectId& id) {
  Builder filter;
  filter.append("_id", id).append("app", app);
  return std::move(filter).finish();
}

Status check_size(const Document& config) {
  if (config.bytes().size() <= kMaxConfigBytes) return {};
  return Error(ErrorCode::kInvalidArgument, "the configuration is larger than " +
                                                std::to_string(kMaxConfigBytes >> 20U) + " MiB");
}

Document to_bson(const Deployment& deployment, const Document& config) {
  Builder out;
  out.append("_id", deployment.id).append("app", deployment.app).append("name", deployment.name);
  out.append("administrator", deployment.administrator).append("origin", deployment.origin);
  out.append("commit", deployment.commit).append("deployed_at", deployment.deployed_at);
  if (deployment.draft) out.append("draft", *deployment.draft);
  out.append("status", static_cast<std::int32_t>(deployment.status));
  out.append("error", deployment.error).append("config", config);
  return std::move(out).finish();
}

Result<Deployment> deployment_from(bson::View document) {
  const auto id = document["_id"].as_object_id();
  const auto app = document["app"].as_object_id();
  const auto status = document["status"].as_integer();
  if (!id || !app || !status || *status < 0 || *status > 3) {
    return Error(ErrorCode::kCorrupt, "a stored deployment is incomplete");
  }
  const auto text = [&document](std::string_view member) {
    return std::string(document[member].as_string().value_or(""));
  };
  Deployment deployment;
  deployment.id = *id;
  deployment.app = *app;
  deployment.name = text("name");
  deployment.administrator = text("administrator");
  deployment.origin = text("origin");
  deployment.commit = text("commit");
  deployment.draft = document["draft"].as_object_id();
  deployment.deployed_at = document["deployed_at"].as_integer().value_or(0);
  deployment.status = static_cast<DeploymentStatus>(*status);
  deployment.error = text("error");
  return deployment;
}

// What is stored with that revision. Servers of earlier versions stored none.
Document of_revision(const ObjectId& id, std::int64_t revision) {
  Builder filter;
  filter.append("_id", id);
  if (revision > 0) {
    filter.append("revision", revision);
  } else {
    filter.open_object("revision").append("$exists", false).close();
  }
  return std::move(filter).finish();
}

std::int64_t revision_of(bson::View document) {
  return document["revision"].as_integer().value_or(0);
}

// Replaces the document of that revision; the first one is added.
Task<void> replace_revision(const datasource::Collection& collection, ObjectId id,
                            std::int64_t revision, const Document& replacement,
                            datasource::CallOptions options) {
  const Document filter = of_revision(id, revision);
  datasource::UpdateOptions update;
  update.upsert = revision == 0;
  auto replaced = co_await collection.replace_one(filter, replacement, update, options);
  const bool is_taken = !replaced && replaced.error().code() == ErrorCode::kDuplicateKey;
  if (is_taken || (replaced && replaced->matched == 0 && !replaced->upserted_id)) {
    co_return Error(ErrorCode::kWriteConflict, "another node has changed the configuration");
  }
  if (!replaced) co_return std::move(replaced).error();
  co_return Status();
}

Result<std::optional<StoredConfig>> config_of(const std::optional<Document>& found) {
  if (!found) return std::optional<StoredConfig>();
  RESTITCH_TRY(StoredConfig config,
               StoredConfig::from_bson((*found)["config"].as_object().value_or(bson::View())));
  return std::optional<StoredConfig>(std::move(config));
}

datasource::FindOptions newest_first() {
  datasource::FindOptions options;
  options.sort = bson::make_document("_id", std::int32_t{-1});
  options.projection = bson::make_document("config", std::int32_t{0});
  return options;
}

}  // namespace

std::string_view name_of(DeploymentStatus status) {
  switch (status) {
    case DeploymentStatus::kCreated:
      return "created";
    case DeploymentStatus::kPending:
      return "pending";
    case DeploymentStatus::kSuccessful:
      return "successful";
    case DeploymentStatus::kFailed:
      return "failed";
  }
  return "";
}

ConfigStore::ConfigStore(std::shared_ptr<datasource::DataSource> state, ObjectId node)
    : state_(std::move(state)),
      node_(node),
      apps_(collection(*state_, "apps")),
      configs_(collection(*state_, "app_configs")),
      drafts_(collection(*state_, "app_drafts")),
      deployments_(collection(*state_, "deployments")) {}

Task<void> ConfigStore::prepare() {
  Builder keys;
  keys.append("app", std::int32_t{1}).append("_id", std::int32_t{-1});
  const Document by_app = std::move(keys).finish();
  RESTITCH_CO_CHECK(co_await deployments_.ensure_index(by_app));
  const Document drafts_by_app = bson::make_document("app", std::int32_t{1});
  RESTITCH_CO_CHECK(co_await drafts_.ensure_index(drafts_by_app));
  RESTITCH_CO_CHECK(co_await configs_.ensure_index(drafts_by_app));
  co_return Status();
}

Task<std::optional<RunningConfig>> ConfigStore::load(ObjectId app) const {
  const Document filter = bson::make_document("_id", app);
  RESTITCH_CO_TRY(const auto found, co_await configs_.find_one(filter));
  RESTITCH_CO_TRY(auto config, config_of(found));
  if (!config) co_return std::optional<RunningConfig>();
  co_return std::optional(RunningConfig{std::move(*config), revision_of(*found)});
}

Task<std::optional<Revisions>> ConfigStore::revisions(ObjectId app) const {
  datasource::FindOptions only;
  only.projection = bson::make_document("revision", std::int32_t{1});
  const Document filter = bson::make_document("_id", app);
  RESTITCH_CO_TRY(const auto running, co_await configs_.find_one(filter, only));
  if (!running) co_return std::optional<Revisions>();
  Revisions revisions;
  revisions.running = revision_of(*running);
  const Document by_app = bson::make_document("app", app);
  RESTITCH_CO_TRY(const auto drafts, co_await drafts_.find(by_app, only));
  for (const Document& draft : drafts) {
    const auto id = draft["_id"].as_object_id();
    if (id) revisions.drafts[*id] = revision_of(draft);
  }
  co_return std::optional(std::move(revisions));
}

Task<std::int64_t> ConfigStore::deploy(ObjectId app, std::int64_t revision,
                                       std::shared_ptr<const StoredConfig> config,
                                       std::optional<Deployment> deployment) const {
  const Document content = config->to_bson();
  RESTITCH_CO_CHECK(check_size(content));
  Builder running;
  running.append("_id", app).append("app", app).append("revision", revision + 1);
  running.append("config", content);
  const Document replacement = std::move(running).finish();
  const Document noted = deployment ? to_bson(*deployment, content) : Document();
  const Document draft =
      deployment && deployment->draft ? one_of(app, *deployment->draft) : Document();
  const Document who = bson::make_document("_id", app);
  const std::int64_t modified = deployment ? deployment->deployed_at : now_in_seconds();
  const Document news = announcement(node_, "modified", bson::Value::of(modified));
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_CHECK(co_await replace_revision(configs_, app, revision, replacement, options));
    RESTITCH_CO_CHECK(co_await apps_.update_one(who, news.view(), {}, options));
    if (!noted.empty()) {
      RESTITCH_CO_CHECK(co_await deployments_.insert_one(noted, options));
    }
    if (!draft.empty()) {
      RESTITCH_CO_CHECK(co_await drafts_.delete_one(draft, options));
    }
    co_return Status();
  };
  RESTITCH_CO_CHECK(co_await datasource::with_transaction(*state_, body));
  if (deployment) {
    RESTITCH_CO_CHECK(co_await forget_old(app));
  }
  co_return revision + 1;
}

Task<void> ConfigStore::ask_for_precedence(ObjectId app) const {
  const Document filter = bson::make_document("_id", app);
  Builder update;
  update.open_object("$set").open_object("precedence").append("node", node_);
  update.append("until", now_in_seconds() + kPrecedenceSeconds).close().close();
  const Document set = std::move(update).finish();
  RESTITCH_CO_CHECK(co_await apps_.update_one(filter, set.view()));
  co_return Status();
}

Task<void> ConfigStore::give_up_precedence(ObjectId app) const {
  Builder filter;
  filter.append("_id", app).append("precedence.node", node_);
  const Document own = std::move(filter).finish();
  const Document unset = bson::make_document("$unset", bson::make_document("precedence", true));
  RESTITCH_CO_CHECK(co_await apps_.update_one(own, unset.view()));
  co_return Status();
}

Task<bool> ConfigStore::must_wait(ObjectId app) const {
  const Document filter = bson::make_document("_id", app);
  datasource::FindOptions only;
  only.projection = bson::make_document("precedence", std::int32_t{1});
  RESTITCH_CO_TRY(const auto found, co_await apps_.find_one(filter, only));
  const auto asked = found ? (*found)["precedence"].as_object() : std::nullopt;
  if (!asked) co_return false;
  const bool is_over = (*asked)["until"].as_integer().value_or(0) < now_in_seconds();
  co_return !is_over && (*asked)["node"].as_object_id() != node_;
}

Task<void> ConfigStore::note(Deployment deployment,
                             std::shared_ptr<const StoredConfig> config) const {
  const Document content = config->to_bson();
  RESTITCH_CO_CHECK(check_size(content));
  const Document document = to_bson(deployment, content);
  RESTITCH_CO_CHECK(co_await deployments_.insert_one(document));
  co_return co_await forget_old(deployment.app);
}

Task<void> ConfigStore::forget_old(ObjectId app) const {
  const Document by_app = bson::make_document("app", app);
  datasource::FindOptions options = newest_first();
  options.skip = static_cast<std::int64_t>(kKeptDeployments);
  options.limit = 1;
  RESTITCH_CO_TRY(const auto oldest, co_await deployments_.find(by_app, options));
  if (oldest.empty()) co_return Status();
  Builder filter;
  filter.append("app", app).open_object("_id");
  filter.append("$lte", oldest.front()["_id"]).close();
  const Document old = std::move(filter).finish();
  RESTITCH_CO_CHECK(co_await deployments_.delete_many(old));
  co_return Status();
}

Task<std::vector<Draft>> ConfigStore::drafts(ObjectId app) const {
  const Document by_app = bson::make_document("app", app);
  RESTITCH_CO_TRY(const auto found, co_await drafts_.find(by_app));
  std::vector<Draft> drafts;
  for (const Document& document : found) {
    RESTITCH_CO_TRY(auto config, config_of(document));
    Draft draft;
    draft.id = document["_id"].as_object_id().value_or(ObjectId{});
    draft.app = app;
    draft.administrator = std::string(document["administrator"].as_string().value_or(""));
    draft.config = std::make_shared<const StoredConfig>(std::move(*config));
    draft.revision = revision_of(document);
    drafts.push_back(std::move(draft));
  }
  co_return drafts;
}

Task<std::int64_t> ConfigStore::put_draft(Draft draft) const {
  const Document content = draft.config->to_bson();
  RESTITCH_CO_CHECK(check_size(content));
  Builder out;
  out.append("_id", draft.id).append("app", draft.app).append("administrator", draft.administrator);
  out.append("revision", draft.revision + 1).append("config", content);
  const Document document = std::move(out).finish();
  RESTITCH_CO_CHECK(co_await replace_revision(drafts_, draft.id, draft.revision, document, {}));
  co_return draft.revision + 1;
}

Task<void> ConfigStore::remove_draft(ObjectId app, ObjectId id) const {
  const Document filter = one_of(app, id);
  RESTITCH_CO_CHECK(co_await drafts_.delete_one(filter));
  co_return Status();
}

Task<std::vector<Deployment>> ConfigStore::deployments(ObjectId app) const {
  const Document by_app = bson::make_document("app", app);
  datasource::FindOptions options = newest_first();
  options.limit = static_cast<std::int64_t>(kKeptDeployments);
  RESTITCH_CO_TRY(const auto found, co_await deployments_.find(by_app, options));
  std::vector<Deployment> list;
  for (const Document& document : found) {
    RESTITCH_CO_TRY(Deployment deployment, deployment_from(document));
    list.push_back(std::move(deployment));
  }
  co_return list;
}

Task<std::optional<Deployment>> ConfigStore::deployment(ObjectId app, ObjectId id) const {
  const Document filter = one_of(app, id);
  RESTITCH_CO_TRY(const auto found, co_await deployments_.find_one(filter, newest_first()));
  if (!found) co_return std::optional<Deployment>();
  RESTITCH_CO_TRY(Deployment deployment, deployment_from(*found));
  co_return std::optional<Deployment>(std::move(deployment));
}

Task<std::optional<StoredConfig>> ConfigStore::snapshot(ObjectId app, ObjectId id) const {
  const Document filter = one_of(app, id);
  RESTITCH_CO_TRY(const auto found, co_await deployments_.find_one(filter));
  co_return config_of(found);
}

}  // namespace restitch::deployment
