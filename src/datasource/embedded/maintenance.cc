#include "datasource/embedded/maintenance.h"

#include "base/log.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/internal_command.h"

namespace restitch::datasource::embedded {

namespace {
constexpr std::chrono::seconds kTick{1};
constexpr int kCounterTicks = 5;
}  // namespace

Maintenance::Maintenance(Services& services, std::chrono::seconds expiry_interval)
    : services_(services), expiry_interval_(expiry_interval), thread_([this]() { run(); }) {}

void Maintenance::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Maintenance::run() {
  for (int tick = 1;; ++tick) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kTick, [this]() { return is_stopping_; })) return;
    }
    const auto now = std::chrono::steady_clock::now();
    services_.cursors.expire(
        now, std::chrono::milliseconds(services_.parameters.cursor_timeout_millis.load()));
    services_.snapshots.expire(
        now, std::chrono::seconds(services_.parameters.snapshot_history_seconds.load()));
    end_transactions(now);
    if (tick % kCounterTicks == 0) {
      if (Status saved = services_.catalog->save_counters(); !saved) {
        RESTITCH_LOG(kWarning, kSource, 5104, "Storing collection counters failed",
                     {"error", saved.error().message()});
      }
    }
    if (tick % expiry_interval_.count() == 0 && services_.parameters.runs_ttl)
      delete_expired(services_, wall_clock());
  }
}

void Maintenance::end_transactions(std::chrono::steady_clock::time_point now) {
  const std::chrono::seconds lifetime(services_.parameters.transaction_lifetime_seconds.load());
  for (const SessionTable::Expired& expired : services_.sessions.expire(now, lifetime)) {
    services_.cursors.kill_of_transaction(expired.session, expired.txn_number);
    if (expired.unit) ++services_.transactions.aborted;
  }
  for (const std::string& session : services_.sessions.overdue(now, lifetime)) {
    const auto is_it = [&](std::string_view id) { return id == session; };
    services_.operations.interrupt_sessions(is_it, code::kTransactionTooLong, nullptr);
  }
}

namespace {

// What has expired by the index. A partial index expires only what it holds.
bson::Document expiry_query(const Index& index, bson::Date now) {
  bson::Builder query;
  query.open_array("$and");
  query.push_object().open_object(index.fields.front().path);
  query.append("$lte", bson::Date{now.millis - *index.expire_after_seconds * 1000});
  query.close().close();
  if (index.partial) query.push(index.partial->spec);
  query.close();
  return std::move(query).finish();
}

}  // namespace

std::int64_t delete_expired(Services& services, bson::Date now) {
  std::int64_t deleted = 0;
  const CatalogStatePtr state = services.catalog->state();
  for (const auto& [name, collection] : state->collections) {
    for (const IndexPtr& index : collection->indexes) {
      if (!index->expire_after_seconds || index->is_building) continue;
      bson::Builder command;
      command.append("delete", collection->ns.collection);
      command.open_array("deletes").push_object();
      command.append("q", expiry_query(*index, now));
      command.append("limit", std::int32_t{0});
      command.close().close();
      auto reply = run_internal(services, collection->ns.database, std::move(command).finish());
      if (reply) {
        deleted += (*reply)["n"].as_integer().value_or(0);
      } else {
        RESTITCH_LOG(kWarning, kSource, 5105, "Deleting expired documents failed",
                     {"namespace", name}, {"error", reply.error().message()});
      }
    }
  }
  return deleted;
}

}  // namespace restitch::datasource::embedded
