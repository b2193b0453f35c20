#include "deployment/log_forwarding.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

namespace restitch::deployment {

LogForwarding::LogForwarding(runtime::IoThreads& threads, LogForwarder::Report report)
    : threads_(threads), report_(std::move(report)) {}

void LogForwarding::deploy(const DeployedAppPtr& app) {
  std::vector<LogForwarderConfig> wanted = log_forwarders_of(*app);
  const std::unique_lock lock(mutex_);
  const auto known = apps_.find(app->id);
  const Forwarders former = known == apps_.end() ? Forwarders() : std::move(known->second);
  Forwarders now;
  for (LogForwarderConfig& config : wanted) {
    const auto same = std::find_if(former.begin(), former.end(), [&](const LogForwarderPtr& one) {
      return one->config().fingerprint == config.fingerprint;
    });
    if (same != former.end()) {
      (*same)->use(app);
      now.push_back(*same);
      continue;
    }
    now.push_back(std::make_shared<LogForwarder>(threads_.next().get_executor(), std::move(config),
                                                 app, report_));
  }
  for (const LogForwarderPtr& one : former) {
    if (std::find(now.begin(), now.end(), one) == now.end()) one->close();
  }
  if (now.empty()) {
    apps_.erase(app->id);
  } else {
    apps_[app->id] = std::move(now);
  }
}

void LogForwarding::remove(const bson::ObjectId& app_id) {
  const std::unique_lock lock(mutex_);
  const auto known = apps_.find(app_id);
  if (known == apps_.end()) return;
  for (const LogForwarderPtr& one : known->second) one->close();
  apps_.erase(known);
}

void LogForwarding::offer(const bson::ObjectId& app_id, const bson::Document& entry) {
  const std::shared_lock lock(mutex_);
  const auto known = apps_.find(app_id);
  if (known == apps_.end()) return;
  const std::string_view type = forwarded_type(entry["type"].as_string().value_or(""));
  if (type.empty()) return;
  const auto shared = std::make_shared<const bson::Document>(entry);
  const bool has_failed = entry.view().contains("error");
  for (const LogForwarderPtr& one : known->second) one->offer(type, has_failed, shared);
}

LogForwarderPtr LogForwarding::find(const bson::ObjectId& app_id, const std::string& name) const {
  const std::shared_lock lock(mutex_);
  const auto known = apps_.find(app_id);
  if (known == apps_.end()) return nullptr;
  for (const LogForwarderPtr& one : known->second) {
    if (one->config().name == name) return one;
  }
  return nullptr;
}

bool LogForwarding::is_suspended(const bson::ObjectId& app_id, const std::string& name) const {
  const LogForwarderPtr found = find(app_id, name);
  return found && found->is_suspended();
}

void LogForwarding::resume(const bson::ObjectId& app_id, const std::string& name) {
  if (const LogForwarderPtr found = find(app_id, name)) found->resume();
}

asio::awaitable<void> LogForwarding::stop(std::chrono::milliseconds grace) {
  constexpr std::chrono::milliseconds kLook{20};
  Forwarders all;
  {
    const std::unique_lock lock(mutex_);
    for (auto& [app, forwarders] : apps_) all.insert(all.end(), forwarders.begin(), forwarders.end());
    apps_.clear();
  }
  for (const LogForwarderPtr& one : all) one->close();
  const auto deadline = std::chrono::steady_clock::now() + grace;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (std::chrono::steady_clock::now() < deadline &&
         !std::all_of(all.begin(), all.end(), [](const auto& one) { return one->is_over(); })) {
    timer.expires_after(kLook);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace restitch::deployment
