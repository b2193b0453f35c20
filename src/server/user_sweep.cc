#include "server/user_sweep.h"

#include <boost/asio/post.hpp>
#include <chrono>

#include "base/log.h"

namespace restitch::server {
namespace {

constexpr std::chrono::hours kPause{1};

}  // namespace

UserSweep::UserSweep(runtime::IoThreads& threads, const deployment::AppRegistry& apps,
                     auth::AuthService& auth)
    : threads_(threads),
      apps_(apps),
      auth_(auth),
      gate_(threads.context(0).get_executor()),
      timer_(threads.context(0)) {}

void UserSweep::start() {
  boost::asio::post(threads_.context(0), [this] { gate_.spawn(run()); });
}

asio::awaitable<void> UserSweep::stop() {
  timer_.cancel();
  co_await gate_.close();
}

asio::awaitable<void> UserSweep::run() {
  while (!gate_.is_closing()) {
    co_await sweep();
    if (gate_.is_closing()) co_return;
    timer_.expires_after(kPause);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<void> UserSweep::sweep() {
  const std::vector<deployment::DeployedAppPtr> apps = apps_.all();
  for (const deployment::DeployedAppPtr& app : apps) {
    while (!gate_.is_closing()) {
      const auto deleted = co_await auth_.delete_idle_anonymous(app->auth);
      if (!deleted) {
        RESTITCH_LOG(kWarning, kAuth, 3320, "Idle anonymous users not deleted",
                     {"app", app->client_app_id}, {"error", deleted.error().message()});
        break;
      }
      if (*deleted == 0) break;
      RESTITCH_LOG(kInfo, kAuth, 3321, "Idle anonymous users deleted", {"app", app->client_app_id},
                   {"users", *deleted});
    }
  }
}

}  // namespace restitch::server
