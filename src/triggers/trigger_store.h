#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "datasource/client.h"
#include "runtime/task.h"
#include "triggers/trigger_service.h"

namespace restitch::triggers {

// What the state store knows of a trigger (collection `triggers`).
struct TriggerRecord {
  bson::ObjectId id, app_id;
  std::string name, type;
  TriggerState state = TriggerState::kRunning;
  std::string reason;
  // Grows with every change that is not progress: who holds an older one starts over.
  std::int64_t generation = 0;
  std::string configuration;  // fingerprint of the configuration that was deployed last
  std::string scope;          // what it listens to; a place in another stream means nothing

  // Where it goes on: behind the token's event, else at the time; neither: from now on. A schedule:
  // behind that minute.
  bson::Document token;
  std::optional<bson::Timestamp> start_at;
  std::optional<std::int64_t> last_run;

  std::string node;  // holder of the lease
  std::optional<bson::Timestamp> cluster_time;
  std::optional<bson::Date> completed_at, heartbeat;
  std::int64_t delivered = 0, failed = 0;
  std::optional<Gap> gap;
};

// Where a trigger begins.
struct Place {
  bson::Document token;
  std::optional<bson::Timestamp> start_at;
  std::optional<std::int64_t> last_run;
};

// What is to be changed of a record.
struct Change {
  std::optional<TriggerState> state;
  std::optional<std::string> reason, configuration, scope;
  std::optional<Place> place;
  std::optional<Gap> gap;
};

// How far a trigger has come.
struct Progress {
  bson::Document token;
  std::optional<bson::Timestamp> cluster_time;  // of the last event; nothing when it was none
  std::optional<std::int64_t> last_run;
  std::int64_t delivered = 0, failed = 0;  // since the last progress
};

// An event that waits in the store for an authentication trigger (collection `trigger_events`).
struct QueuedEvent {
  bson::ObjectId id;
  bson::Document event;
};

// State, leases, queues and dead letters of triggers. Thread-safe.
class TriggerStore {
 public:
  explicit TriggerStore(std::shared_ptr<datasource::DataSource> state);

  Task<void> prepare();

  // The record of that name, made when there is none.
  Task<TriggerRecord> find_or_create(TriggerRecord fresh);
  Task<std::vector<TriggerRecord>> list(bson::ObjectId app_id);
  Task<TriggerRecord> find(bson::ObjectId app_id, std::string name_or_id);
  Task<void> remove(TriggerRecord record);

  // Takes or renews the lease; the record as it is then, or nothing when another node has it.
  Task<std::optional<TriggerRecord>> acquire(bson::ObjectId id, std::string node,
                                             std::chrono::milliseconds lease_time);
  Task<void> release(bson::ObjectId id, std::string node);
  // Whether it was stored: not when the lease or the generation is another's.
  Task<bool> save_progress(TriggerRecord held, Progress progress);

  // Changes members of the record; the generation grows. With `generation` only a record that still
  // has it. Whether there was one.
  Task<bool> change(bson::ObjectId id, Change change,
                    std::optional<std::int64_t> generation = std::nullopt);
  // Notes what went wrong with the stream, or "" when it runs again.
  Task<void> note(bson::ObjectId id, std::string reason);

  Task<std::vector<QueuedEvent>> queued_events(TriggerRecord record, std::int64_t limit);
  Task<void> remove_queued(bson::ObjectId id);

  Task<void> add_dead_letter(TriggerRecord record, DeadLetter letter);
  Task<std::int64_t> count_dead_letters(TriggerRecord record);
  Task<std::vector<DeadLetter>> dead_letters(TriggerRecord record, bool oldest_first,
                                             std::int64_t limit);
  Task<std::optional<DeadLetter>> dead_letter(TriggerRecord record, bson::ObjectId id);
  Task<void> remove_dead_letter(bson::ObjectId id);
  Task<void> failed_again(bson::ObjectId id, std::string error, std::string error_code);

 private:
  std::shared_ptr<datasource::DataSource> state_;
  datasource::Collection triggers_, events_, letters_;
};

}  // namespace restitch::triggers
