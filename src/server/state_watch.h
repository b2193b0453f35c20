#pragma once

#include <memory>

#include "auth/auth_service.h"
#include "datasource/watch.h"
#include "deployment/app_manager.h"
#include "runtime/gate.h"
#include "runtime/io_threads.h"
#include "triggers/trigger_service.h"

namespace restitch::server {

// Follows what other nodes change in the state store: apps that were deployed, changed or removed
// run here as they do there, and users that were disabled, changed or deleted are refused here too.
// When the store was away, everything is looked at anew.
class StateWatch {
 public:
  // `node` is this node's mark (deployment/announcement.h). All must outlive the watch.
  StateWatch(runtime::IoThreads& threads, std::shared_ptr<datasource::DataSource> state,
             deployment::AppManager& apps, triggers::TriggerService& triggers,
             auth::AuthService& auth, bson::ObjectId node);

  // Changes made after this has returned are followed. Before the apps are loaded.
  Task<void> open();
  // After the apps are loaded.
  void start();
  // On the watch's thread: threads.context(0).
  asio::awaitable<void> stop();

 private:
  asio::awaitable<void> run();
  Task<void> begin_anew();
  asio::awaitable<void> follow();
  asio::awaitable<void> take(const std::vector<bson::Document>& events);
  asio::awaitable<void> load(bson::ObjectId app);
  asio::awaitable<void> pause();

  runtime::IoThreads& threads_;
  std::shared_ptr<datasource::DataSource> state_;
  deployment::AppManager& apps_;
  triggers::TriggerService& triggers_;
  auth::AuthService& auth_;
  bson::ObjectId node_;
  runtime::Gate gate_;
  asio::steady_timer timer_;
  std::unique_ptr<datasource::Watch> watch_;
  bool is_stopping_ = false;
};

}  // namespace restitch::server
