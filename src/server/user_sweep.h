#pragma once

#include "auth/auth_service.h"
#include "deployment/app_registry.h"
#include "runtime/gate.h"
#include "runtime/io_threads.h"

namespace restitch::server {

// Deletes anonymous users that have been idle for long (spec: client-api §4.2): once at the start
// and then every hour, in batches, one after the other.
class UserSweep {
 public:
  UserSweep(runtime::IoThreads& threads, const deployment::AppRegistry& apps,
            auth::AuthService& auth);

  void start();
  // On the sweep's thread: threads.context(0).
  asio::awaitable<void> stop();

 private:
  asio::awaitable<void> run();
  asio::awaitable<void> sweep();

  runtime::IoThreads& threads_;
  const deployment::AppRegistry& apps_;
  auth::AuthService& auth_;
  runtime::Gate gate_;
  asio::steady_timer timer_;
};

}  // namespace restitch::server
