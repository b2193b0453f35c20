#include "storage/maintenance.h"

#include <pthread.h>

#include <chrono>

#include "base/kill_point.h"
#include "base/log.h"

namespace restitch::storage {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);

}  // namespace

Maintenance::Maintenance(Parts parts) : parts_(std::move(parts)) {}

void Maintenance::start() {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "storage-maint");
}

void Maintenance::run() {
  log::set_thread_context("storage-maintenance");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    run_once();
    lock.lock();
    wake_.wait_for(lock, kInterval, [this] { return stopping_; });
  }
}

void Maintenance::run_once() {
  const std::lock_guard lock(round_mutex_);
  if (parts_.writer.needs_repair() && !parts_.writer.repair()) return;
  trim();
  if (parts_.reclaimer.has_jobs()) parts_.reclaimer.run(cancelled_);
}

void Maintenance::trim() {
  auto batch = std::make_unique<rocksdb::WriteBatch>();
  Result<bool> planned = parts_.change_log.plan_trim(*batch, parts_.clock.wall_seconds());
  if (planned && !*planned) return;
  kill_point::reach("trim.planned");
  Status done = planned ? parts_.queue.write_internal(std::move(batch)) : Status(planned.error());
  if (!done) {
    log::write(log::Severity::kWarning, log::Component::kStorage, 3107,
               "Change log was not trimmed", {{"error", done.error().message()}});
    return;
  }
  kill_point::reach("trim.written");
  parts_.change_log.drop_files();
}

void Maintenance::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  cancelled_.store(true);
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace restitch::storage
