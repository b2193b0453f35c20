#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "app/config.h"
#include "deployment/deployed_app.h"
#include "runtime/gate.h"
#include "triggers/delivery.h"
#include "triggers/trigger_store.h"

namespace restitch::triggers {

// One trigger on this node: waits for its lease and its turn, serves, hands over. Lives on one
// executor; the public functions may be called from any thread.
class Runner : public std::enable_shared_from_this<Runner> {
 public:
  Runner(asio::any_io_executor executor, RunnerContext context, app::TriggerConfig config,
         deployment::DeployedAppPtr app, bson::ObjectId id);
  virtual ~Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void start();
  // Calls functions of this snapshot from now on; the trigger's configuration is the same.
  void use(deployment::DeployedAppPtr app);
  // Looks at once for what has changed: its record, or events that wait.
  void wake();
  // Begins nothing new; the calls under way go on.
  void end();
  // end(), then waits for everything to be over, the calls included.
  asio::awaitable<void> stop();
  bool is_over() const { return is_over_.load(); }

 protected:
  // Serves until is_interrupted(). Errors are tried again after a pause that grows.
  virtual Task<void> serve() = 0;
  // Ends what serve() waits for.
  virtual void interrupt() = 0;
  virtual void woken() {}

  // ---- For serve(), on the executor.

  bool is_interrupted() const { return is_ending_ || is_interrupted_; }
  const asio::any_io_executor& executor() const { return executor_; }
  const app::TriggerConfig& config() const { return config_; }
  const TriggerRecord& held() const { return held_; }
  const deployment::DeployedAppPtr& app() const { return app_; }
  const RunnerContext& context() const { return context_; }
  bool spawn(asio::awaitable<void> work) { return gate_.spawn(std::move(work)); }

  // Why the trigger's events can be given to nobody, "" when they can.
  std::string problem_of_processor() const;
  asio::awaitable<Delivered> deliver_event(bson::Document event);
  // Stores progress; interrupts when the lease or the record has changed.
  asio::awaitable<void> save(Progress progress);
  // Stops the trigger and tells why. `place` is where it goes on when it is resumed.
  asio::awaitable<void> suspend(std::string reason, std::optional<Place> place);
  // The same after deliver_event() has said so, with its reason.
  asio::awaitable<void> suspend_after_failure();
  // Notes a gap and begins anew at `place`.
  asio::awaitable<void> begin_anew(Gap gap, Place place);
  // The stream works again.
  asio::awaitable<void> note_success();
  void interrupt_serving();

 private:
  static asio::awaitable<void> run(std::shared_ptr<Runner> self);
  static asio::awaitable<void> keep_lease(std::shared_ptr<Runner> self, std::int64_t turn);
  static asio::awaitable<void> stop_here(std::shared_ptr<Runner> self);
  void end_here();
  asio::awaitable<void> serve_once();
  asio::awaitable<void> pause(std::chrono::milliseconds time);
  void log_event(std::string_view error);

  asio::any_io_executor executor_;
  RunnerContext context_;
  const app::TriggerConfig config_;
  deployment::DeployedAppPtr app_;
  const bson::ObjectId id_;

  runtime::Gate gate_;
  asio::steady_timer timer_;        // of run()
  asio::steady_timer lease_timer_;  // of keep_lease()
  TriggerRecord held_;              // as of the beginning of this turn
  std::string failure_;             // of the event that must suspend the trigger
  bool is_serving_ = false, is_interrupted_ = false, is_ending_ = false;
  std::atomic<bool> is_over_{false};
  std::int64_t wakes_ = 0, turn_ = 0;
  int failures_ = 0;  // of serve(), in a row
};

using RunnerPtr = std::shared_ptr<Runner>;

RunnerPtr make_database_runner(asio::any_io_executor executor, RunnerContext context,
                               app::TriggerConfig config, deployment::DeployedAppPtr app,
                               bson::ObjectId id, std::shared_ptr<datasource::DataSource> source);
RunnerPtr make_queue_runner(asio::any_io_executor executor, RunnerContext context,
                            app::TriggerConfig config, deployment::DeployedAppPtr app,
                            bson::ObjectId id);
RunnerPtr make_schedule_runner(asio::any_io_executor executor, RunnerContext context,
                               app::TriggerConfig config, deployment::DeployedAppPtr app,
                               bson::ObjectId id);

}  // namespace restitch::triggers
