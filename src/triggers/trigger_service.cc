#include "triggers/trigger_service.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <map>
#include <set>

#include "app/cron.h"
#include "auth/crypto.h"
#include "auth/store.h"
#include "base/encoding.h"
#include "base/log.h"
#include "runtime/gate.h"
#include "runtime/metrics.h"
#include "triggers/change_events.h"
#include "triggers/delivery.h"
#include "triggers/runner.h"
#include "triggers/trigger_store.h"

namespace restitch::triggers {
namespace {

using bson::ObjectId;
using std::chrono::milliseconds;

constexpr std::int64_t kReplayBatch = 1000;
constexpr milliseconds kLook{20};
constexpr milliseconds kBeforeAnotherWatch{1000};

metrics::Gauge& running_triggers() {
  static metrics::Gauge gauge("restitch_triggers_deployed", "Enabled triggers of deployed apps");
  return gauge;
}

std::string_view type_name(app::TriggerType type) {
  if (type == app::TriggerType::kDatabase) return "DATABASE";
  return type == app::TriggerType::kScheduled ? "SCHEDULED" : "AUTHENTICATION";
}

std::int64_t now_minute() {
  return std::chrono::duration_cast<std::chrono::minutes>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void append_texts(bson::Builder& out, std::string_view name,
                  const std::vector<std::string>& texts) {
  out.open_array(name);
  for (const std::string& text : texts) out.push(text);
  out.close();
}

// Equal for equal configurations. A gateway that comes or goes changes what an event bus means.
std::string fingerprint_of(const app::TriggerConfig& config, const EventBridge& event_bridge) {
  bson::Builder out;
  out.append("type", type_name(config.type)).append("disabled", config.disabled);
  out.append("function", config.function).append("error_handler", config.error_handler);
  out.append("source", config.source).append("database", config.database);
  out.append("collection", config.collection);
  append_texts(out, "operation_types", config.operation_types);
  append_texts(out, "operations", config.operations);
  append_texts(out, "providers", config.providers);
  out.append("full_document", config.full_document);
  out.append("before", config.full_document_before_change);
  out.append("tolerate", config.tolerate_resume_errors).append("unordered", config.unordered);
  out.append("maximum_throughput", config.maximum_throughput);
  out.append("skip", config.skip_catchup_events).append("schedule", config.schedule);
  out.append("match", config.match).append("project", config.project);
  if (config.event_bus) {
    out.append("account", config.event_bus->account_id).append("region", config.event_bus->region);
    out.append("extended_json", config.event_bus->extended_json);
    out.append("gateway", event_bridge.has_gateway());
  }
  const bson::Document document = std::move(out).finish();
  return to_hex(auth::sha256(document.bytes()));
}

// What a place means something for.
std::string scope_of(const app::TriggerConfig& config) {
  if (config.type == app::TriggerType::kScheduled) return config.schedule;
  return config.source + "|" + config.database + "|" + config.collection;
}

asio::awaitable<void> wait(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

class Service final : public TriggerService {
 public:
  Service(std::shared_ptr<datasource::DataSource> state, datasource::ChangeHubs& hubs,
          deployment::LogStore& logs, runtime::IoThreads& threads, TriggerServiceOptions options)
      : state_(state),
        hubs_(hubs),
        threads_(threads),
        store_(std::move(state)),
        event_bridge_(options.event_bridge_gateway),
        context_{store_, logs, event_bridge_, std::move(options)},
        executor_(threads.context(0).get_executor()),
        gate_(executor_) {}

  Task<void> prepare() override { return store_.prepare(); }

  // Everything that looks at the table of triggers runs on one executor.
  Task<void> deploy(deployment::DeployedAppPtr app) override {
    return here(deploy_here(std::move(app)));
  }
  Task<void> remove_app(ObjectId app_id) override { return here(remove_app_here(app_id)); }
  Task<std::vector<TriggerStatus>> list(ObjectId app_id) override {
    return here(list_here(app_id));
  }
  Task<TriggerStatus> status(ObjectId app_id, std::string trigger) override {
    return here(status_here(app_id, std::move(trigger)));
  }
  Task<void> pause(ObjectId app_id, std::string trigger) override {
    return here(pause_here(app_id, std::move(trigger)));
  }
  Task<void> resume(ObjectId app_id, std::string trigger, bool disable_token) override {
    return here(resume_here(app_id, std::move(trigger), disable_token));
  }
  Task<std::vector<DeadLetter>> dead_letters(ObjectId app_id, std::string trigger,
                                             std::int64_t limit) override;
  Task<ReplayResult> replay(ObjectId app_id, std::string trigger,
                            std::optional<ObjectId> letter) override {
    return here(replay_here(app_id, std::move(trigger), letter));
  }
  asio::awaitable<void> drain(milliseconds grace) override {
    auto draining = drain_here(grace);
    co_await asio::co_spawn(executor_, std::move(draining), asio::use_awaitable);
  }
  asio::awaitable<void> stop() override {
    auto closing = gate_.close();
    co_await asio::co_spawn(executor_, std::move(closing), asio::use_awaitable);
    event_bridge_.stop();
  }

 private:
  struct Deployed {
    app::TriggerConfig config;
    std::string fingerprint;
    ObjectId id;
    RunnerPtr runner;                 // null while it is disabled
    std::vector<RunnerPtr> previous;  // that may still work on their last events
  };
  // Sources that did not answer in this deployment: they are not asked again and again.
  using SourceSet = std::set<const datasource::DataSource*>;
  struct AppTriggers {
    deployment::DeployedAppPtr app;
    std::map<std::string, Deployed> triggers;
  };

  template <typename T>
  Task<T> here(Task<T> work) {
    std::optional<Result<T>> outcome;
    auto running = run_into(std::move(work), &outcome);
    co_await asio::co_spawn(executor_, std::move(running), asio::use_awaitable);
    co_return std::move(*outcome);
  }
  template <typename T>
  static asio::awaitable<void> run_into(Task<T> work, std::optional<Result<T>>* outcome) {
    auto result = co_await std::move(work);
    outcome->emplace(std::move(result));
  }

  Task<void> deploy_here(deployment::DeployedAppPtr app);
  Task<void> deploy_one(AppTriggers& table, const app::TriggerConfig& config, bool is_first,
                        SourceSet& away);
  Task<TriggerRecord> bring_in_line(const deployment::DeployedApp& app,
                                    const app::TriggerConfig& config,
                                    const std::string& fingerprint, bool is_first, SourceSet& away);
  Task<void> remove_missing(AppTriggers& table);
  Task<void> remove_app_here(ObjectId app_id);
  Task<std::vector<TriggerStatus>> list_here(ObjectId app_id);
  Task<TriggerStatus> status_here(ObjectId app_id, std::string trigger);
  Task<void> pause_here(ObjectId app_id, std::string trigger);
  Task<void> resume_here(ObjectId app_id, std::string trigger, bool disable_token);
  Task<ReplayResult> replay_here(ObjectId app_id, std::string trigger,
                                 std::optional<ObjectId> letter);
  asio::awaitable<void> drain_here(milliseconds grace);

  static datasource::DataSource* source_of(const deployment::DeployedApp& app,
                                           const app::TriggerConfig& config);
  asio::awaitable<Place> fresh_place(const deployment::DeployedApp& app,
                                     const app::TriggerConfig& config, SourceSet& away);
  RunnerPtr make_runner(deployment::DeployedAppPtr app, const app::TriggerConfig& config,
                        ObjectId id);
  void replace_runner(Deployed& deployed, RunnerPtr runner);
  static asio::awaitable<void> change_over(std::vector<RunnerPtr> previous, RunnerPtr next);
  Task<TriggerStatus> status_of(TriggerRecord record);
  void wake(ObjectId app_id, const std::string& name);
  const Deployed* find(ObjectId app_id, const std::string& name) const;

  void watch_queue();
  asio::awaitable<void> follow_queue();

  std::shared_ptr<datasource::DataSource> state_;
  datasource::ChangeHubs& hubs_;
  runtime::IoThreads& threads_;
  TriggerStore store_;
  EventBridge event_bridge_;
  RunnerContext context_;
  asio::any_io_executor executor_;
  runtime::Gate gate_;
  std::map<ObjectId, AppTriggers> apps_;
  std::shared_ptr<datasource::ChangeSubscription> queue_;
  bool is_changing_ = false, is_draining_ = false, watches_queue_ = false;
};

// ---- Deployment

Task<void> Service::deploy_here(deployment::DeployedAppPtr app) {
  while (is_changing_) co_await wait(kLook);
  if (is_draining_) co_return Error(ErrorCode::kClosing, "the server is shutting down");
  is_changing_ = true;
  const bool is_first = !apps_.contains(app->id);
  AppTriggers& table = apps_[app->id];
  table.app = std::move(app);
  Status outcome;
  SourceSet away;
  for (const app::TriggerConfig& config : table.app->config->triggers) {
    auto deployed = co_await deploy_one(table, config, is_first, away);
    if (!deployed) outcome = std::move(deployed);
  }
  auto removed = co_await remove_missing(table);
  if (!removed) outcome = std::move(removed);
  std::size_t running = 0;
  for (const auto& [id, triggers] : apps_) {
    for (const auto& [name, trigger] : triggers.triggers) running += trigger.runner ? 1 : 0;
  }
  running_triggers().set(static_cast<double>(running));
  is_changing_ = false;
  co_return outcome;
}

Task<void> Service::deploy_one(AppTriggers& table, const app::TriggerConfig& config, bool is_first,
                               SourceSet& away) {
  const std::string fingerprint = fingerprint_of(config, event_bridge_);
  RESTITCH_CO_TRY(const TriggerRecord record,
                  co_await bring_in_line(*table.app, config, fingerprint, is_first, away));
  Deployed& deployed = table.triggers[config.name];
  const bool is_same = deployed.fingerprint == fingerprint && deployed.id == record.id &&
                       (deployed.runner != nullptr) == !config.disabled;
  deployed.config = config;
  deployed.fingerprint = fingerprint;
  deployed.id = record.id;
  if (is_same) {
    if (deployed.runner == nullptr) co_return Status();
    deployed.runner->use(table.app);
    deployed.runner->wake();
    co_return Status();
  }
  if (config.type == app::TriggerType::kAuthentication) watch_queue();
  replace_runner(deployed,
                 config.disabled ? RunnerPtr() : make_runner(table.app, config, record.id));
  co_return Status();
}

// The record as the configuration wants it.
Task<TriggerRecord> Service::bring_in_line(const deployment::DeployedApp& app,
                                           const app::TriggerConfig& config,
                                           const std::string& fingerprint, bool is_first,
                                           SourceSet& away) {
  auto found = co_await store_.find(app.id, config.name);
  if (!found && found.error().code() != ErrorCode::kNotFound) co_return std::move(found).error();
  if (!found) {
    TriggerRecord fresh;
    fresh.id = ObjectId::generate();
    fresh.app_id = app.id;
    fresh.name = config.name;
    fresh.type = type_name(config.type);
    fresh.state = config.disabled ? TriggerState::kDisabled : TriggerState::kRunning;
    fresh.configuration = fingerprint;
    fresh.scope = scope_of(config);
    Place place = co_await fresh_place(app, config, away);
    fresh.token = std::move(place.token);
    fresh.start_at = place.start_at;
    fresh.last_run = place.last_run;
    co_return co_await store_.find_or_create(std::move(fresh));
  }
  Change change;
  const bool is_changed = found->configuration != fingerprint;
  if (is_changed) change.configuration = fingerprint;
  bool begins_anew = found->scope != scope_of(config);
  if (begins_anew) change.scope = scope_of(config);
  if (config.disabled) {
    if (found->state != TriggerState::kDisabled) change.state = TriggerState::kDisabled;
  } else if (found->state == TriggerState::kDisabled) {
    change.state = TriggerState::kRunning;
    begins_anew = begins_anew || config.skip_catchup_events;
  } else if (found->state == TriggerState::kSuspended && (is_changed || !is_first)) {
    change.state = TriggerState::kRunning;
  }
  if (change.state) change.reason = "";
  if (begins_anew) change.place = co_await fresh_place(app, config, away);
  if (change.configuration || change.scope || change.state || change.place) {
    RESTITCH_CO_CHECK(co_await store_.change(found->id, std::move(change)));
  }
  co_return std::move(*found);
}

Task<void> Service::remove_missing(AppTriggers& table) {
  RESTITCH_CO_TRY(const std::vector<TriggerRecord> records, co_await store_.list(table.app->id));
  for (const TriggerRecord& record : records) {
    const auto& wanted = table.app->config->triggers;
    const bool is_there = std::any_of(wanted.begin(), wanted.end(),
                                      [&](const auto& one) { return one.name == record.name; });
    if (is_there) continue;
    const auto deployed = table.triggers.find(record.name);
    if (deployed != table.triggers.end()) {
      replace_runner(deployed->second, nullptr);
      table.triggers.erase(deployed);
    }
    RESTITCH_CO_CHECK(co_await store_.remove(record));
  }
  co_return Status();
}

Task<void> Service::remove_app_here(ObjectId app_id) {
  while (is_changing_) co_await wait(kLook);
  const auto found = apps_.find(app_id);
  if (found != apps_.end()) {
    for (auto& [name, trigger] : found->second.triggers) replace_runner(trigger, nullptr);
    apps_.erase(found);
  }
  RESTITCH_CO_TRY(const std::vector<TriggerRecord> records, co_await store_.list(app_id));
  for (const TriggerRecord& record : records) {
    RESTITCH_CO_CHECK(co_await store_.remove(record));
  }
  co_return Status();
}

datasource::DataSource* Service::source_of(const deployment::DeployedApp& app,
                                           const app::TriggerConfig& config) {
  const auto source = app.sources.find(config.source);
  return source == app.sources.end() ? nullptr : source->second.get();
}

// From now on. Empty when the source does not answer: then the stream's own beginning counts.
asio::awaitable<Place> Service::fresh_place(const deployment::DeployedApp& app,
                                            const app::TriggerConfig& config, SourceSet& away) {
  Place place;
  if (config.type == app::TriggerType::kScheduled) place.last_run = now_minute();
  datasource::DataSource* source = source_of(app, config);
  const bool is_stream = config.type == app::TriggerType::kDatabase && source != nullptr &&
                         source->kind() == datasource::Kind::kCluster;
  if (!is_stream || away.contains(source)) co_return place;
  auto found = co_await place_now(*source, config);
  if (found) co_return std::move(*found);
  away.insert(source);
  RESTITCH_LOG(kWarning, kApp, 2120, "Trigger begins when its source can be reached",
               {"trigger", config.name}, {"error", found.error().message()});
  co_return place;
}

RunnerPtr Service::make_runner(deployment::DeployedAppPtr app, const app::TriggerConfig& config,
                               ObjectId id) {
  const asio::any_io_executor executor = threads_.next().get_executor();
  if (config.type == app::TriggerType::kScheduled) {
    return make_schedule_runner(executor, context_, config, std::move(app), id);
  }
  if (config.type == app::TriggerType::kAuthentication) {
    return make_queue_runner(executor, context_, config, std::move(app), id);
  }
  const auto found = app->sources.find(config.source);
  auto source = found == app->sources.end() ? nullptr : found->second;
  return make_database_runner(executor, context_, config, std::move(app), id, std::move(source));
}

// The next one begins when all former ones have done with their events.
void Service::replace_runner(Deployed& deployed, RunnerPtr runner) {
  std::erase_if(deployed.previous, [](const RunnerPtr& one) { return one->is_over(); });
  if (deployed.runner) {
    deployed.runner->end();
    deployed.previous.push_back(std::move(deployed.runner));
  }
  deployed.runner = std::move(runner);
  gate_.spawn(change_over(deployed.previous, deployed.runner));
}

asio::awaitable<void> Service::change_over(std::vector<RunnerPtr> previous, RunnerPtr next) {
  for (const RunnerPtr& runner : previous) co_await runner->stop();
  if (next) next->start();
}

// ---- Administration

Task<TriggerStatus> Service::status_of(TriggerRecord record) {
  TriggerStatus status;
  status.id = record.id;
  status.name = record.name;
  status.type = record.type;
  status.state = record.state;
  status.reason = record.reason;
  status.node = record.node;
  status.cluster_time = record.cluster_time;
  status.completed_at = record.completed_at;
  status.heartbeat = record.heartbeat;
  status.delivered = record.delivered;
  status.failed = record.failed;
  status.gap = record.gap;
  const Deployed* deployed = find(record.app_id, record.name);
  const auto schedule = deployed == nullptr || record.type != "SCHEDULED"
                            ? std::nullopt
                            : app::Schedule::parse(deployed->config.schedule);
  if (schedule && record.state == TriggerState::kRunning) {
    const auto next = schedule->next_after(record.last_run.value_or(now_minute()));
    if (next) status.next_run = bson::Date{*next * 60'000};
  }
  RESTITCH_CO_TRY(status.dead_letters, co_await store_.count_dead_letters(std::move(record)));
  co_return status;
}

Task<std::vector<TriggerStatus>> Service::list_here(ObjectId app_id) {
  RESTITCH_CO_TRY(const std::vector<TriggerRecord> records, co_await store_.list(app_id));
  std::vector<TriggerStatus> statuses;
  for (const TriggerRecord& record : records) {
    RESTITCH_CO_TRY(TriggerStatus status, co_await status_of(record));
    statuses.push_back(std::move(status));
  }
  co_return statuses;
}

Task<TriggerStatus> Service::status_here(ObjectId app_id, std::string trigger) {
  RESTITCH_CO_TRY(TriggerRecord record, co_await store_.find(app_id, std::move(trigger)));
  co_return co_await status_of(std::move(record));
}

Task<void> Service::pause_here(ObjectId app_id, std::string trigger) {
  RESTITCH_CO_TRY(const TriggerRecord record, co_await store_.find(app_id, std::move(trigger)));
  if (record.state == TriggerState::kDisabled) {
    co_return Error(ErrorCode::kBadRequest, "the trigger is disabled by its configuration");
  }
  Change change;
  change.state = TriggerState::kPaused;
  change.reason = "paused by an administrator";
  RESTITCH_CO_CHECK(co_await store_.change(record.id, std::move(change)));
  wake(app_id, record.name);
  co_return Status();
}

Task<void> Service::resume_here(ObjectId app_id, std::string trigger, bool disable_token) {
  RESTITCH_CO_TRY(const TriggerRecord record, co_await store_.find(app_id, std::move(trigger)));
  if (record.state == TriggerState::kDisabled) {
    co_return Error(ErrorCode::kBadRequest, "the trigger is disabled by its configuration");
  }
  Change change;
  change.state = TriggerState::kRunning;
  change.reason = "";
  if (disable_token) {
    const auto app = apps_.find(app_id);
    const Deployed* deployed = find(app_id, record.name);
    if (deployed == nullptr) {
      change.place = Place{};
    } else {
      const deployment::DeployedAppPtr snapshot = app->second.app;
      const app::TriggerConfig config = deployed->config;
      SourceSet away;
      change.place = co_await fresh_place(*snapshot, config, away);
    }
  }
  RESTITCH_CO_CHECK(co_await store_.change(record.id, std::move(change)));
  wake(app_id, record.name);
  co_return Status();
}

Task<std::vector<DeadLetter>> Service::dead_letters(ObjectId app_id, std::string trigger,
                                                    std::int64_t limit) {
  RESTITCH_CO_TRY(TriggerRecord record, co_await store_.find(app_id, std::move(trigger)));
  co_return co_await store_.dead_letters(std::move(record), false, limit);
}

Task<ReplayResult> Service::replay_here(ObjectId app_id, std::string trigger,
                                        std::optional<ObjectId> letter) {
  RESTITCH_CO_TRY(const TriggerRecord record, co_await store_.find(app_id, std::move(trigger)));
  const Deployed* deployed = find(app_id, record.name);
  if (deployed == nullptr) {
    co_return Error(ErrorCode::kNotFound, "the trigger is not deployed on this server");
  }
  const deployment::DeployedAppPtr app = apps_.at(app_id).app;
  const app::TriggerConfig config = deployed->config;
  std::vector<DeadLetter> letters;
  if (letter) {
    RESTITCH_CO_TRY(auto one, co_await store_.dead_letter(record, *letter));
    if (!one) {
      co_return Error(ErrorCode::kNotFound, "failed event not found: '" + letter->to_hex() + "'");
    }
    letters.push_back(std::move(*one));
  } else {
    RESTITCH_CO_TRY(letters, co_await store_.dead_letters(record, true, kReplayBatch));
  }
  ReplayResult result;
  result.has_more = static_cast<std::int64_t>(letters.size()) == kReplayBatch;
  for (const DeadLetter& one : letters) {
    auto called = co_await give_once(context_, *app, record, config, one.event);
    if (called) {
      ++result.succeeded;
      RESTITCH_CO_CHECK(co_await store_.remove_dead_letter(one.id));
    } else {
      ++result.failed;
      RESTITCH_CO_CHECK(co_await store_.failed_again(one.id, called.error().message(),
                                                     std::string(name_of(called.error().code()))));
    }
  }
  co_return result;
}

void Service::wake(ObjectId app_id, const std::string& name) {
  const Deployed* deployed = find(app_id, name);
  if (deployed != nullptr && deployed->runner) deployed->runner->wake();
}

const Service::Deployed* Service::find(ObjectId app_id, const std::string& name) const {
  const auto app = apps_.find(app_id);
  if (app == apps_.end()) return nullptr;
  const auto trigger = app->second.triggers.find(name);
  return trigger == app->second.triggers.end() ? nullptr : &trigger->second;
}

// ---- The queue of authentication triggers

void Service::watch_queue() {
  if (std::exchange(watches_queue_, true)) return;
  gate_.spawn(follow_queue());
}

asio::awaitable<void> Service::follow_queue() {
  const std::shared_ptr<datasource::ChangeHub> hub = hubs_.of(state_);
  while (!is_draining_) {
    const std::string database(auth::kStateDatabase);
    auto subscription = co_await hub->subscribe(database, "trigger_events");
    if (!subscription) {
      co_await wait(kBeforeAnotherWatch);
      continue;
    }
    queue_ = *subscription;
    if (is_draining_) break;
    for (;;) {
      auto event = co_await queue_->next();
      if (!event || !*event) break;
      const bson::View document = (*event)->view();
      const auto app = document.find_path("fullDocument.app").as_object_id();
      const auto name = document.find_path("fullDocument.trigger").as_string();
      if (app && name) wake(*app, std::string(*name));
    }
  }
}

asio::awaitable<void> Service::drain_here(milliseconds grace) {
  is_draining_ = true;
  if (queue_) queue_->close();
  std::vector<RunnerPtr> runners;
  for (auto& [id, table] : apps_) {
    for (auto& [name, trigger] : table.triggers) {
      if (trigger.runner) runners.push_back(trigger.runner);
      replace_runner(trigger, nullptr);
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + grace;
  const auto is_over = [&runners] {
    return std::all_of(runners.begin(), runners.end(),
                       [](const RunnerPtr& runner) { return runner->is_over(); });
  };
  while (!is_over() && std::chrono::steady_clock::now() < deadline) co_await wait(kLook);
}

}  // namespace

std::string_view name_of(TriggerState state) {
  switch (state) {
    case TriggerState::kRunning:
      return "running";
    case TriggerState::kDisabled:
      return "disabled";
    case TriggerState::kSuspended:
      return "suspended";
    case TriggerState::kPaused:
      return "paused";
  }
  return "running";
}

std::unique_ptr<TriggerService> TriggerService::create(
    std::shared_ptr<datasource::DataSource> state, datasource::ChangeHubs& hubs,
    deployment::LogStore& logs, runtime::IoThreads& threads, TriggerServiceOptions options) {
  return std::make_unique<Service>(std::move(state), hubs, logs, threads, std::move(options));
}

}  // namespace restitch::triggers
