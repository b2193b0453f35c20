#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "datasource/change_hub.h"
#include "deployment/deployed_app.h"
#include "deployment/log_store.h"
#include "runtime/io_threads.h"
#include "runtime/task.h"

namespace restitch::triggers {

enum class TriggerState : std::uint8_t {
  kRunning,
  kDisabled,   // by its configuration
  kSuspended,  // by what went wrong; the next deployment tries again
  kPaused,     // by an administrator
};
std::string_view name_of(TriggerState state);

// A stretch of changes that a trigger could not see, because the place where it stood is no longer
// in the source's log.
struct Gap {
  std::optional<bson::Timestamp> from;  // the last change that it saw
  bson::Date found_at;
  std::string reason;
};

struct TriggerStatus {
  bson::ObjectId id;
  std::string name, type;  // DATABASE, AUTHENTICATION, SCHEDULED
  TriggerState state = TriggerState::kRunning;
  std::string reason;  // why it does not run, or the last failure of its stream
  std::string node;    // that runs it; "" = none
  std::optional<bson::Timestamp> cluster_time;  // of the last change processed
  std::optional<bson::Date> completed_at;       // when that was
  std::optional<bson::Date> heartbeat;          // the node's last sign of life
  std::optional<bson::Date> next_run;           // of a schedule
  std::int64_t delivered = 0, failed = 0;       // events; failed ones are among the delivered
  std::int64_t dead_letters = 0;
  std::optional<Gap> gap;  // the newest
};

// An event whose function or event bus failed.
struct DeadLetter {
  bson::ObjectId id;
  bson::Date created;
  std::string error, error_code, co_id;
  std::int32_t attempts = 1;
  bson::Document event;
};

struct ReplayResult {
  std::int64_t succeeded = 0, failed = 0;
  bool has_more = false;
};

struct TriggerServiceOptions {
  std::string node;  // the same over restarts of a node, another one for each node
  std::chrono::milliseconds lease_time{15000};
  std::string event_bridge_gateway;  // URL that puts events on buses of AWS EventBridge; "" = none
};

// Runs the triggers of all deployed apps (spec: functions §11). Each event is delivered at least
// once. Where nodes share a state store, each trigger runs on one of them; another takes over when
// it dies. Thread-safe. `trigger` below is a trigger's name or id; errors: kNotFound.
class TriggerService {
 public:
  static std::unique_ptr<TriggerService> create(std::shared_ptr<datasource::DataSource> state,
                                                datasource::ChangeHubs& hubs,
                                                deployment::LogStore& logs,
                                                runtime::IoThreads& threads,
                                                TriggerServiceOptions options);
  virtual ~TriggerService() = default;

  // Makes the store ready. Once, first.
  virtual Task<void> prepare() = 0;

  // Brings the running triggers in line with the app, in place of its former snapshot. What happens
  // after it has returned is seen by every trigger. Suspended triggers are tried again, except at
  // the first deployment of an unchanged one since the start.
  virtual Task<void> deploy(deployment::DeployedAppPtr app) = 0;
  // Ends the app's triggers and forgets their state.
  virtual Task<void> remove_app(bson::ObjectId app_id) = 0;

  virtual Task<std::vector<TriggerStatus>> list(bson::ObjectId app_id) = 0;
  virtual Task<TriggerStatus> status(bson::ObjectId app_id, std::string trigger) = 0;
  virtual Task<void> pause(bson::ObjectId app_id, std::string trigger) = 0;
  // `disable_token`: begins with what happens from now on instead of where it stopped.
  virtual Task<void> resume(bson::ObjectId app_id, std::string trigger, bool disable_token) = 0;

  // Newest first, at most `limit`.
  virtual Task<std::vector<DeadLetter>> dead_letters(bson::ObjectId app_id, std::string trigger,
                                                     std::int64_t limit) = 0;
  // Gives events to the trigger's processor again, one dead letter or all (at most 1,000 at a time,
  // oldest first). What succeeds is removed.
  virtual Task<ReplayResult> replay(bson::ObjectId app_id, std::string trigger,
                                    std::optional<bson::ObjectId> letter) = 0;

  // Begins nothing new and waits for the functions that run, at most `grace`. The functions may be
  // ended then.
  virtual asio::awaitable<void> drain(std::chrono::milliseconds grace) = 0;
  // After drain() and the end of all functions.
  virtual asio::awaitable<void> stop() = 0;
};

}  // namespace restitch::triggers
