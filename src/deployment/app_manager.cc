#include "deployment/app_manager.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>

#include "app/loader.h"
#include "app/writing/import_document.h"
#include "app/writing/layouts.h"
#include "app/writing/members.h"
#include "app/writing/normal_form.h"
#include "base/log.h"
#include "deployment/config_diff.h"
#include "deployment/config_tree.h"

namespace restitch::deployment {
namespace {

using bson::ObjectId;

constexpr int kLayout = 20210101;

Error refused(const app::Findings& findings) {
  return Error(ErrorCode::kInvalidArgument, describe(findings));
}

Deployment new_deployment(const ManagedApp& app, const Actor& actor) {
  Deployment deployment;
  deployment.id = ObjectId::generate();
  deployment.app = app.identity().id;
  deployment.administrator = actor.administrator;
  deployment.origin = actor.origin;
  deployment.commit = actor.commit;
  deployment.deployed_at = now_in_seconds();
  return deployment;
}

bool has_same_functions(const StoredConfig& a, const StoredConfig& b) {
  const auto sources = [](const StoredConfig& config) {
    std::map<std::string, std::string_view> out;
    for (const Entity& entity : config.entities) {
      if (entity.kind == EntityKind::kFunction || entity.kind == EntityKind::kWebhook) {
        out[entity.service.to_hex() + entity.name] = entity.source;
      }
    }
    return out;
  };
  return sources(a) == sources(b);
}

bool is_same(const StoredConfig& a, const StoredConfig& b) {
  return std::equal(a.entities.begin(), a.entities.end(), b.entities.begin(), b.entities.end(),
                    [](const Entity& x, const Entity& y) {
                      return x.id == y.id && x.name == y.name && x.source == y.source &&
                             x.path == y.path && x.body.view().raw() == y.body.view().raw();
                    });
}

// The ids that providers, triggers and log forwarders have in the configuration.
void take_ids(const StoredConfig& config, BuildRequest& request) {
  for (const Entity& entity : config.entities) {
    if (entity.kind == EntityKind::kAuthProvider) request.identity.provider_ids[entity.name] = entity.id;
    if (entity.kind == EntityKind::kTrigger) request.trigger_ids[entity.name] = entity.id;
    if (entity.kind == EntityKind::kLogForwarder) request.forwarder_ids[entity.name] = entity.id;
  }
}

std::set<std::string> trigger_names(const StoredConfig& config) {
  std::set<std::string> names;
  for (const Entity& entity : config.entities) {
    if (entity.kind == EntityKind::kTrigger) names.insert(entity.name);
  }
  return names;
}

// Names that a document gives twice. By itself it may lack what is stored already, but of these merging would keep the last.
void find_duplicate_names(const app::Tree& tree, app::Findings& findings) {
  app::Findings alone;
  app::assemble(tree, alone);
  for (const app::Finding& finding : alone.list()) {
    if (!finding.code.ends_with("DuplicateName")) continue;
    findings.error(finding.file, finding.pointer, finding.code, finding.message);
  }
}

}  // namespace

std::int64_t ManagedApp::modified() const {
  const std::lock_guard lock(mutex_);
  return std::max(modified_, identity_.modified);
}

std::shared_ptr<const StoredConfig> ManagedApp::deployed() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

std::shared_ptr<const StoredConfig> ManagedApp::config_for(const std::string& administrator) const {
  const auto draft = draft_of(administrator);
  return draft ? draft->config : deployed();
}

std::optional<Draft> ManagedApp::draft_of(const std::string& administrator) const {
  const std::lock_guard lock(mutex_);
  for (const Draft& draft : drafts_) {
    if (draft.administrator == administrator) return draft;
  }
  return std::nullopt;
}

bool ManagedApp::has_draft() const {
  const std::lock_guard lock(mutex_);
  return !drafts_.empty();
}

AppManager::AppManager(AppRegistry& registry, AppStore& apps, ConfigStore& configs,
                       FileStore& files, Deployer& deployer, std::string uploads,
                       bool shares_state)
    : registry_(registry),
      apps_(apps),
      configs_(configs),
      files_(files),
      deployer_(deployer),
      uploads_(std::move(uploads)),
      shares_state_(shares_state) {}

ManagedAppPtr AppManager::keep(AppIdentity identity) {
  const std::lock_guard lock(mutex_);
  ManagedAppPtr& app = by_id_[identity.id];
  if (!app) app = std::make_shared<ManagedApp>(std::move(identity));
  return app;
}

std::vector<ManagedAppPtr> AppManager::apps() const {
  const std::lock_guard lock(mutex_);
  std::vector<ManagedAppPtr> list;
  for (const auto& [id, app] : by_id_) list.push_back(app);
  return list;
}

ManagedAppPtr AppManager::find(std::string_view hex) const {
  const auto id = ObjectId::from_hex(hex);
  if (!id) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(*id);
  return found == by_id_.end() ? nullptr : found->second;
}

DeployedAppPtr AppManager::running(const ManagedApp& app) const {
  return registry_.find(app.identity().client_app_id);
}

Task<ManagedAppPtr> AppManager::find_current(std::string hex) {
  const ManagedAppPtr known = find(hex);
  const auto id = ObjectId::from_hex(hex);
  if (!shares_state_ || !id) co_return known;
  RESTITCH_CO_TRY(const auto stored, co_await configs_.revisions(*id));
  const bool is_gone = !stored && !known;
  if (is_gone || (stored && known && is_current(*known, *stored))) co_return known;
  RESTITCH_CO_CHECK(co_await load(*id));
  co_return find(hex);
}

bool AppManager::is_current(const ManagedApp& app, const Revisions& stored) const {
  const std::lock_guard lock(app.mutex_);
  Revisions known;
  known.running = app.revision_;
  for (const Draft& draft : app.drafts_) known.drafts[draft.id] = draft.revision;
  return known == stored;
}

Task<void> AppManager::load_all() {
  RESTITCH_CO_TRY(const auto identities, co_await apps_.all());
  std::set<ObjectId> stored;
  for (const AppIdentity& identity : identities) {
    stored.insert(identity.id);
    auto loaded = co_await load_stored(identity);
    if (loaded) continue;
    RESTITCH_LOG(kError, kApp, 2006, "Stored app does not start", {"app", identity.client_app_id},
                 {"error", loaded.error().message()});
  }
  const std::vector<ManagedAppPtr> known = apps();
  for (const ManagedAppPtr& app : known) {
    if (stored.contains(app->identity().id)) continue;
    RESTITCH_CO_CHECK(co_await load(app->identity().id));
  }
  co_return Status();
}

// Otherwise a busy node would always be faster than one with a single change.
Task<void> AppManager::after_loss(ManagedAppPtr app, int attempt) {
  constexpr int kBearableLosses = 2;
  if (attempt == kBearableLosses) {
    RESTITCH_CO_CHECK(co_await configs_.ask_for_precedence(app->identity().id));
  }
  co_return co_await read_stored(app);
}

Task<void> AppManager::let_others_pass(ManagedAppPtr app) {
  constexpr std::chrono::milliseconds kLook{20};
  constexpr int kMostLooks = 500;  // whatever the other node's clock says
  bool has_waited = false;
  for (int look = 0; shares_state_ && look < kMostLooks; ++look) {
    RESTITCH_CO_TRY(const bool must_wait, co_await configs_.must_wait(app->identity().id));
    if (!must_wait) break;
    has_waited = true;
    asio::steady_timer timer(co_await asio::this_coro::executor, kLook);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (has_waited) co_return co_await read_stored(app);
  co_return Status();
}

Task<void> AppManager::load(ObjectId id) {
  auto identity = co_await apps_.find(id);
  if (!identity && identity.error().code() != ErrorCode::kAppNotFound) {
    co_return std::move(identity).error();
  }
  if (identity) co_return co_await load_stored(std::move(*identity));
  const ManagedAppPtr app = find(id.to_hex());
  if (!app) co_return Status();
  auto turn = co_await app->turns_.take();
  co_return co_await forget(app);
}

Task<void> AppManager::load_stored(AppIdentity identity) {
  const ManagedAppPtr app = keep(std::move(identity));
  auto turn = co_await app->turns_.take();
  co_return co_await reload(app);
}

Task<void> AppManager::reload(ManagedAppPtr app) {
  RESTITCH_CO_CHECK(co_await read_stored(app));
  const auto config = app->deployed();
  if (config->entities.empty()) co_return Status();  // its directory has still to be deployed
  app::Findings findings;
  RESTITCH_CO_TRY(DeployedAppPtr built, co_await build(app, *config, false, true, findings));
  co_await deployer_.run(std::move(built));
  co_return Status();
}

Task<void> AppManager::read_stored(ManagedAppPtr app) {
  RESTITCH_CO_TRY(auto stored, co_await configs_.load(app->identity().id));
  if (!stored) co_return Status();
  RESTITCH_CO_TRY(auto drafts, co_await configs_.drafts(app->identity().id));
  RESTITCH_CO_TRY(const bson::Value dependencies,
                  co_await apps_.extra(app->identity().id, "packages"));
  const std::lock_guard lock(app->mutex_);
  app->config_ = std::make_shared<const StoredConfig>(std::move(stored->config));
  app->revision_ = stored->revision;
  app->drafts_ = std::move(drafts);
  app->packages_ = std::string(dependencies.view().as_string().value_or(""));
  co_return Status();
}

Task<DeployedAppPtr> AppManager::build(ManagedAppPtr app, const StoredConfig& config,
                                       bool checks_sources, bool tolerates_missing_secrets,
                                       app::Findings& findings) {
  app::Config loaded = app::assemble(to_tree(config, app->identity()), findings);
  if (findings.has_errors()) co_return refused(findings);
  const DeployedAppPtr former = running(*app);
  BuildRequest request;
  request.config = std::make_shared<const app::Config>(std::move(loaded));
  RESTITCH_CO_TRY(request.identity, co_await apps_.find(app->identity().id));
  take_ids(config, request);
  request.checks_sources = checks_sources;
  request.tolerates_missing_secrets = tolerates_missing_secrets;
  request.former = former ? former->config.get() : nullptr;
  request.stored_triggers = trigger_names(*app->deployed());
  RESTITCH_CO_TRY(request.packages, co_await packages_folder(app));
  co_return co_await deployer_.build(std::move(request), findings);
}

Task<ManagedAppPtr> AppManager::create(NewApp wanted, ConfigEdit initial, app::Findings& findings) {
  StoredConfig first = new_config();
  RESTITCH_CO_CHECK(initial(first));
  RESTITCH_CO_TRY(AppIdentity identity, co_await apps_.create(std::move(wanted)));
  const ManagedAppPtr app = std::make_shared<ManagedApp>(identity);
  const auto config = std::make_shared<const StoredConfig>(std::move(first));
  app->config_ = config;
  auto built = co_await build(app, *config, false, false, findings);
  if (!built) {
    RESTITCH_CO_CHECK(co_await apps_.remove(identity.id));
    co_return std::move(built).error();
  }
  RESTITCH_CO_TRY(app->revision_, co_await configs_.deploy(identity.id, 0, config, std::nullopt));
  co_await deployer_.run(std::move(*built));
  const std::lock_guard lock(mutex_);
  by_id_[identity.id] = app;
  co_return app;
}

Task<void> AppManager::remove(ManagedAppPtr app) {
  auto turn = co_await app->turns_.take();
  DeployedAppPtr former = running(*app);
  if (former) co_await deployer_.end(std::move(former));
  RESTITCH_CO_CHECK(co_await apps_.remove(app->identity().id));
  co_return co_await forget(app);
}

// What this node has of an app that is not stored any more. In the app's turn.
Task<void> AppManager::forget(ManagedAppPtr app) {
  DeployedAppPtr former = running(*app);
  if (former) co_await deployer_.end(std::move(former));
  const auto forget_packages = [folder = packages_of(*app)]() -> Status {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return {};
  };
  RESTITCH_CO_CHECK(co_await deployer_.packages_pool().run(forget_packages));
  const std::lock_guard lock(mutex_);
  by_id_.erase(app->identity().id);
  co_return Status();
}

Task<std::map<std::string, std::string>> AppManager::secret_names_by_id(ObjectId app) {
  RESTITCH_CO_TRY(const auto names, co_await apps_.secret_names(app));
  std::map<std::string, std::string> out;
  for (const SecretName& secret : names) out.emplace(secret.id.to_hex(), secret.name);
  co_return out;
}

Task<void> AppManager::edit(ManagedAppPtr app, Actor actor, ConfigEdit edit,
                            app::Findings& findings) {
  const auto change = [&]() -> Task<void> {
    StoredConfig changed = *app->config_for(actor.administrator);
    RESTITCH_CO_CHECK(edit(changed));
    RESTITCH_CO_TRY(const auto secrets, co_await secret_names_by_id(app->identity().id));
    put_names_for_ids(changed, secrets);
    co_return co_await apply(app, actor, std::move(changed), {}, findings);
  };
  co_return co_await in_turn(app, change);
}

Task<void> AppManager::apply(ManagedAppPtr app, const Actor& actor, StoredConfig changed,
                             std::map<std::string, std::string> secrets, app::Findings& findings) {
  const auto base = app->config_for(actor.administrator);
  const auto draft = app->draft_of(actor.administrator);
  std::optional<ObjectId> foreign;
  {
    const std::lock_guard lock(app->mutex_);
    for (const Draft& other : app->drafts_) {
      if (other.administrator != actor.administrator) foreign = other.id;
    }
  }
  if (foreign) {
    co_return Error(ErrorCode::kDuplicateKey,
                    "another administrator has a draft open: " + foreign->to_hex());
  }
  if (is_same(*base, changed) && secrets.empty()) co_return Status();
  if (!secrets.empty()) {
    RESTITCH_CO_CHECK(co_await apps_.put_secrets(app->identity().id, std::move(secrets)));
  }
  const bool checks_sources = !has_same_functions(*base, changed);
  auto config = std::make_shared<const StoredConfig>(std::move(changed));
  if (!draft) {
    Deployment deployment = new_deployment(*app, actor);
    co_return co_await deploy(app, std::move(config), std::move(deployment), checks_sources,
                              findings);
  }
  RESTITCH_CO_TRY(const DeployedAppPtr checked,
                  co_await build(app, *config, checks_sources, false, findings));
  co_await checked->functions->stop();
  Draft next = *draft;
  next.config = config;
  RESTITCH_CO_TRY(next.revision, co_await configs_.put_draft(next));
  const std::lock_guard lock(app->mutex_);
  for (Draft& kept : app->drafts_) {
    if (kept.id == next.id) kept = next;
  }
  co_return Status();
}

Task<void> AppManager::deploy(ManagedAppPtr app, std::shared_ptr<const StoredConfig> config,
                              Deployment deployment, bool checks_sources, app::Findings& findings) {
  RESTITCH_CO_TRY(DeployedAppPtr built,
                  co_await build(app, *config, checks_sources, false, findings));
  const std::int64_t now = deployment.deployed_at;
  const std::optional<ObjectId> draft = deployment.draft;
  auto stored = co_await configs_.deploy(app->identity().id, app->revision_, config,
                                         std::move(deployment));
  if (!stored) {
    co_await built->functions->stop();
    co_return std::move(stored).error();
  }
  {
    const std::lock_guard lock(app->mutex_);
    app->config_ = std::move(config);
    app->revision_ = *stored;
    app->modified_ = now;
    if (draft) std::erase_if(app->drafts_, [&](const Draft& one) { return one.id == *draft; });
  }
  co_await deployer_.run(std::move(built));
  co_return Status();
}

Task<void> AppManager::rebuild(ManagedAppPtr app) {
  auto turn = co_await app->turns_.take();
  const auto config = app->deployed();
  app::Findings findings;
  RESTITCH_CO_TRY(DeployedAppPtr built, co_await build(app, *config, false, true, findings));
  co_await deployer_.run(std::move(built));
  co_return Status();
}

Task<void> AppManager::edit_access_list(ManagedAppPtr app, AccessListEdit edit) {
  constexpr int kAttempts = 20;
  auto turn = co_await app->turns_.take();
  for (int attempt = 1;; ++attempt) {
    RESTITCH_CO_TRY(AppIdentity stored, co_await apps_.find(app->identity().id));
    RESTITCH_CO_CHECK(edit(stored.access_list));
    Status changed = co_await deployer_.set_access_list(stored.client_app_id,
                                                        stored.access_list_revision,
                                                        std::move(stored.access_list));
    const bool was_late = !changed && changed.error().code() == ErrorCode::kWriteConflict;
    if (!was_late || attempt == kAttempts) co_return changed;
  }
}

Task<void> AppManager::rename_secret(ManagedAppPtr app, Actor actor, std::string from,
                                     std::string to) {
  app::Findings findings;
  const ConfigEdit follow = [&](StoredConfig& config) {
    rename_references(config, Referred::kSecret, from, to);
    return Status();
  };
  co_return co_await edit(app, std::move(actor), follow, findings);
}

Task<Draft> AppManager::create_draft(ManagedAppPtr app, Actor actor) {
  auto turn = co_await app->turns_.take();
  if (app->draft_of(actor.administrator)) {
    co_return Error(ErrorCode::kDuplicateKey, "a draft already exists");
  }
  Draft draft;
  draft.id = ObjectId::generate();
  draft.app = app->identity().id;
  draft.administrator = actor.administrator;
  draft.config = app->deployed();
  RESTITCH_CO_TRY(draft.revision, co_await configs_.put_draft(draft));
  const std::lock_guard lock(app->mutex_);
  app->drafts_.push_back(draft);
  co_return draft;
}

Task<void> AppManager::discard_draft(ManagedAppPtr app, ObjectId id) {
  auto turn = co_await app->turns_.take();
  bool existed = false;
  {
    const std::lock_guard lock(app->mutex_);
    existed = std::erase_if(app->drafts_, [&](const Draft& one) { return one.id == id; }) > 0;
  }
  if (!existed) co_return Error(ErrorCode::kNotFound, "draft not found");
  co_return co_await configs_.remove_draft(app->identity().id, id);
}

Task<Deployment> AppManager::deploy_draft(ManagedAppPtr app, Actor actor, ObjectId id,
                                          std::string name) {
  const auto change = [&]() -> Task<Deployment> {
    const auto draft = app->draft_of(actor.administrator);
    if (!draft || draft->id != id) co_return Error(ErrorCode::kNotFound, "draft not found");
    Deployment deployment = new_deployment(*app, actor);
    deployment.name = name;
    deployment.draft = id;
    const bool checks_sources = !has_same_functions(*app->deployed(), *draft->config);
    app::Findings findings;
    auto deployed = co_await deploy(app, draft->config, deployment, checks_sources, findings);
    if (deployed) co_return deployment;
    if (deployed.error().code() == ErrorCode::kWriteConflict) co_return std::move(deployed).error();
    deployment.status = DeploymentStatus::kFailed;
    deployment.error = deployed.error().message();
    RESTITCH_CO_CHECK(co_await configs_.note(deployment, draft->config));
    co_return deployment;
  };
  co_return co_await in_turn(app, change);
}

Task<Deployment> AppManager::redeploy(ManagedAppPtr app, Actor actor, ObjectId id) {
  const auto change = [&]() -> Task<Deployment> {
    RESTITCH_CO_TRY(auto snapshot, co_await configs_.snapshot(app->identity().id, id));
    if (!snapshot) co_return Error(ErrorCode::kNotFound, "deployment not found");
    auto config = std::make_shared<const StoredConfig>(std::move(*snapshot));
    Deployment deployment = new_deployment(*app, actor);
    app::Findings findings;
    RESTITCH_CO_CHECK(co_await deploy(app, std::move(config), deployment, true, findings));
    co_return deployment;
  };
  co_return co_await in_turn(app, change);
}

Task<AppManager::Prepared> AppManager::prepare_import(ManagedAppPtr app, const StoredConfig& base,
                                                      bson::Document document,
                                                      ImportStrategy strategy,
                                                      app::Findings& findings) {
  app::Tree sent = app::from_import_document(document, findings);
  find_duplicate_names(sent, findings);
  app::Tree tree = app::to_layout(sent, kLayout, findings);
  RESTITCH_CO_TRY(StoredConfig merged, import_into(base, from_tree(tree), strategy));
  RESTITCH_CO_TRY(const auto secrets, co_await secret_names_by_id(app->identity().id));
  put_names_for_ids(merged, secrets);
  app::Tree whole = to_tree(merged, app->identity());
  const bson::ValueView given = tree.as_written("secrets.json");
  if (!given.is_nullish()) whole.put("secrets.json", bson::Value(given));
  const app::Config config = app::assemble(whole, findings);
  if (findings.has_errors()) co_return refused(findings);
  Prepared prepared;
  prepared.secrets = config.secrets;
  if (!given.is_nullish()) {
    app::adopt_secret_names(whole, config);
    RESTITCH_CO_TRY(merged, import_into(merged, from_tree(whole), ImportStrategy::kReplaceByName));
  }
  prepared.config = std::move(merged);
  co_return prepared;
}

Task<void> AppManager::import(ManagedAppPtr app, Actor actor, bson::Document document,
                              ImportStrategy strategy, app::Findings& findings) {
  const auto change = [&]() -> Task<void> {
    const auto base = app->config_for(actor.administrator);
    RESTITCH_CO_TRY(Prepared prepared,
                    co_await prepare_import(app, *base, document, strategy, findings));
    co_return co_await apply(app, actor, std::move(prepared.config), std::move(prepared.secrets),
                             findings);
  };
  co_return co_await in_turn(app, change);
}

Task<void> AppManager::deploy_commit(ManagedAppPtr app, Actor actor, app::Tree tree,
                                     app::Findings& findings) {
  const app::Members root(tree.find(tree.root_file));
  const std::string name = root.text("name");
  Status deployed;
  if (!name.empty() && name != app->identity().name) {
    deployed = Error(ErrorCode::kInvalidArgument, "cannot change name of app from source control");
  } else {
    deployed = co_await import(app, actor, app::to_import_document(tree),
                               ImportStrategy::kReplaceByName, findings);
  }
  if (!deployed && deployed.error().code() == ErrorCode::kInvalidArgument) {
    RESTITCH_CO_CHECK(co_await note_failure(app, std::move(actor), deployed.error().message()));
  }
  co_return deployed;
}

Task<void> AppManager::note_failure(ManagedAppPtr app, Actor actor, std::string reason) {
  Deployment deployment = new_deployment(*app, actor);
  deployment.status = DeploymentStatus::kFailed;
  deployment.error = std::move(reason);
  co_return co_await configs_.note(std::move(deployment), app->deployed());
}

Task<std::vector<std::string>> AppManager::diff_import(ManagedAppPtr app, Actor actor,
                                                       bson::Document document,
                                                       ImportStrategy strategy,
                                                       app::Findings& findings) {
  auto turn = co_await app->turns_.take();
  const auto base = app->config_for(actor.administrator);
  RESTITCH_CO_TRY(Prepared prepared,
                  co_await prepare_import(app, *base, std::move(document), strategy, findings));
  if (!prepared.secrets.empty() || !is_same(*base, prepared.config)) {
    const bool checks_sources = !has_same_functions(*base, prepared.config);
    const bool brings_secrets = !prepared.secrets.empty();
    RESTITCH_CO_TRY(const DeployedAppPtr checked,
                    co_await build(app, prepared.config, checks_sources, brings_secrets, findings));
    co_await checked->functions->stop();
  }
  co_return diff_of(to_tree(*base, app->identity()), to_tree(prepared.config, app->identity()));
}

std::vector<std::string> AppManager::diff_draft(const ManagedApp& app, const Draft& draft) const {
  return diff_of(to_tree(*app.deployed(), app.identity()), to_tree(*draft.config, app.identity()));
}

Task<std::string> AppManager::deploy_directory(std::string path, app::Findings& findings) {
  RESTITCH_CO_TRY(const std::string root, app::find_app_root(path));
  RESTITCH_CO_TRY(app::Tree tree, app::read_tree(root, findings));
  app::Config loaded = app::assemble(tree, findings);
  const auto config = std::make_shared<const app::Config>(std::move(loaded));
  if (findings.has_errors()) {
    // The build refuses it too, after it has told what is wrong with the sources.
    BuildRequest unusable;
    unusable.config = config;
    const auto built = co_await deployer_.build(std::move(unusable), findings);
    co_return refused(findings);
  }
  RESTITCH_CO_TRY(AppIdentity identity,
                  co_await apps_.find_or_create(config->client_app_id, config->name));
  const ManagedAppPtr app = keep(std::move(identity));
  const auto change = [&]() -> Task<void> {
    co_return co_await deploy_tree(app, root, tree, config, findings);
  };
  RESTITCH_CO_CHECK(co_await in_turn(app, change));
  co_return app->identity().client_app_id;
}

Task<void> AppManager::deploy_tree(ManagedAppPtr app, std::string root, app::Tree tree,
                                   std::shared_ptr<const app::Config> config,
                                   app::Findings& findings) {
  RESTITCH_CO_CHECK(co_await apps_.put_secrets(app->identity().id, config->secrets));
  RESTITCH_CO_TRY(const StoredConfig next, co_await stored_form(app, std::move(tree), *config));
  BuildRequest request;
  request.config = config;
  RESTITCH_CO_TRY(request.identity, co_await apps_.find(app->identity().id));
  take_ids(next, request);
  request.packages = root;
  request.stored_triggers = trigger_names(*app->deployed());
  RESTITCH_CO_TRY(DeployedAppPtr built, co_await deployer_.build(std::move(request), findings));
  auto stored = co_await store_directory(app, root, next);
  if (!stored) {
    co_await built->functions->stop();
    co_return std::move(stored).error();
  }
  co_await deployer_.run(std::move(built));
  co_return Status();
}

// What the directory makes of the app's configuration; providers keep the ids that users'
// identities name.
Task<StoredConfig> AppManager::stored_form(ManagedAppPtr app, app::Tree tree,
                                           const app::Config& config) {
  app::Findings told;
  app::adopt_secret_names(tree, config);
  const app::Tree modern = app::to_layout(tree, kLayout, told);
  const auto former = app->deployed();
  const StoredConfig base = former->entities.empty() ? new_config() : *former;
  RESTITCH_CO_TRY(StoredConfig next,
                  import_into(base, from_tree(modern), ImportStrategy::kReplaceByName));
  for (Entity& entity : next.entities) {
    const auto known = app->identity().provider_ids.find(entity.name);
    const bool is_known = known != app->identity().provider_ids.end();
    if (former->entities.empty() && entity.kind == EntityKind::kAuthProvider && is_known) {
      entity.id = known->second;
    }
  }
  RESTITCH_CO_TRY(const auto secrets, co_await secret_names_by_id(app->identity().id));
  put_names_for_ids(next, secrets);
  co_return next;
}

// Keeps it; a deployment is noted if it changes the configuration.
Task<void> AppManager::store_directory(ManagedAppPtr app, std::string root, StoredConfig next) {
  const auto former = app->deployed();
  const bson::ObjectId id = app->identity().id;
  if (app->packages_ != root) {
    RESTITCH_CO_CHECK(co_await apps_.set_extra(id, "packages", bson::Value::of(root)));
    const std::lock_guard lock(app->mutex_);
    app->packages_ = std::move(root);
  }
  if (is_same(*former, next)) co_return Status();
  const Actor actor{"", "CLI"};
  Deployment deployment = new_deployment(*app, actor);
  const std::int64_t now = deployment.deployed_at;
  const auto kept = std::make_shared<const StoredConfig>(std::move(next));
  RESTITCH_CO_TRY(const std::int64_t revision,
                  co_await configs_.deploy(id, app->revision_, kept, std::move(deployment)));
  const std::lock_guard lock(app->mutex_);
  app->config_ = kept;
  app->revision_ = revision;
  app->modified_ = now;
  co_return Status();
}

}  // namespace restitch::deployment
