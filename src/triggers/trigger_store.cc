#include "triggers/trigger_store.h"

#include "auth/state_queries.h"

namespace restitch::triggers {
namespace {

using auth::collection;
using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::int64_t kRetentionSeconds = 10LL * 24 * 3600;
const datasource::UpdateOptions no_options;

datasource::CallOptions relaxed() {
  datasource::CallOptions options;
  options.relaxed_durability = true;
  return options;
}

bson::Date now() {
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

std::string text(bson::View document, std::string_view name) {
  return std::string(document[name].as_string().value_or(""));
}

std::optional<bson::Date> date(bson::View document, std::string_view name) {
  const bson::ValueView value = document[name];
  return value.type() == bson::Type::kDate ? std::optional(value.get_date()) : std::nullopt;
}

std::optional<bson::Timestamp> timestamp(bson::View document, std::string_view name) {
  const bson::ValueView value = document[name];
  return value.type() == bson::Type::kTimestamp ? std::optional(value.get_timestamp())
                                                : std::nullopt;
}

std::optional<Gap> gap_from(bson::View record) {
  const auto stored = record["gap"].as_object();
  if (!stored) return std::nullopt;
  return Gap{timestamp(*stored, "from"), date(*stored, "found_at").value_or(bson::Date{}),
             text(*stored, "reason")};
}

TriggerState state_from(std::string_view name) {
  for (const TriggerState state :
       {TriggerState::kDisabled, TriggerState::kSuspended, TriggerState::kPaused}) {
    if (name == name_of(state)) return state;
  }
  return TriggerState::kRunning;
}

Result<TriggerRecord> record_from(bson::View document) {
  TriggerRecord record;
  const auto id = document["_id"].as_object_id();
  const auto app = document["app"].as_object_id();
  if (!id || !app) return Error(ErrorCode::kCorrupt, "a stored trigger is incomplete");
  record.id = *id;
  record.app_id = *app;
  record.name = text(document, "name");
  record.type = text(document, "type");
  record.state = state_from(text(document, "state"));
  record.reason = text(document, "reason");
  record.generation = document["generation"].as_integer().value_or(0);
  record.configuration = text(document, "configuration");
  record.scope = text(document, "scope");
  if (const auto token = document["token"].as_object()) record.token = Document(*token);
  record.start_at = timestamp(document, "start_at");
  record.last_run = document["last_run"].as_integer();
  if (const auto lease = document["lease"].as_object()) record.node = text(*lease, "node");
  record.cluster_time = timestamp(document, "cluster_time");
  record.completed_at = date(document, "completed_at");
  record.heartbeat = date(document, "heartbeat");
  record.delivered = document["delivered"].as_integer().value_or(0);
  record.failed = document["failed"].as_integer().value_or(0);
  record.gap = gap_from(document);
  return record;
}

void append_place(Builder& out, const Place& place) {
  out.append("token", place.token);
  if (place.start_at) {
    out.append("start_at", *place.start_at);
  } else {
    out.append("start_at", bson::Null{});
  }
  if (place.last_run) out.append("last_run", *place.last_run);
}

void append_gap(Builder& out, const Gap& gap) {
  out.open_object("gap");
  if (gap.from) out.append("from", *gap.from);
  out.append("found_at", gap.found_at).append("reason", gap.reason).close();
}

Document of_trigger(const TriggerRecord& record) {
  Builder filter;
  filter.append("app", record.app_id).append("trigger", record.name);
  return std::move(filter).finish();
}

DeadLetter letter_from(bson::View document) {
  DeadLetter letter;
  letter.id = document["_id"].as_object_id().value_or(ObjectId{});
  letter.created = date(document, "created").value_or(bson::Date{});
  letter.error = text(document, "error");
  letter.error_code = text(document, "error_code");
  letter.co_id = text(document, "co_id");
  letter.attempts = static_cast<std::int32_t>(document["attempts"].as_integer().value_or(1));
  if (const auto event = document["event"].as_object()) letter.event = Document(*event);
  return letter;
}

Document sorted_by_id(std::int32_t direction) { return bson::make_document("_id", direction); }

// {_id, and the lease is free, over, or the node's own}
Document free_for(ObjectId id, const std::string& node) {
  Builder filter;
  filter.append("_id", id).open_array("$or");
  filter.push_object().append("lease.node", node).close();
  filter.push_object().append("lease", bson::Null{}).close();
  filter.push_object().open_object("$expr").open_array("$lt");
  filter.push("$lease.until").push("$$NOW").close().close().close();
  return std::move(filter).finish();
}

}  // namespace

TriggerStore::TriggerStore(std::shared_ptr<datasource::DataSource> state)
    : state_(std::move(state)),
      triggers_(collection(*state_, "triggers")),
      events_(collection(*state_, "trigger_events")),
      letters_(collection(*state_, "trigger_failures")) {}

Task<void> TriggerStore::prepare() {
  datasource::IndexOptions unique;
  unique.unique = true;
  Builder names;
  names.append("app", std::int32_t{1}).append("name", std::int32_t{1});
  const Document by_name = std::move(names).finish();
  RESTITCH_CO_CHECK(co_await triggers_.ensure_index(by_name, unique));
  datasource::IndexOptions expiring;
  expiring.expire_after_seconds = kRetentionSeconds;
  const Document by_time = bson::make_document("created", std::int32_t{1});
  RESTITCH_CO_CHECK(co_await events_.ensure_index(by_time, expiring));
  RESTITCH_CO_CHECK(co_await letters_.ensure_index(by_time, expiring));
  Builder owners;
  owners.append("app", std::int32_t{1}).append("trigger", std::int32_t{1});
  owners.append("_id", std::int32_t{1});
  const Document by_owner = std::move(owners).finish();
  RESTITCH_CO_CHECK(co_await letters_.ensure_index(by_owner));
  co_return Status();
}

Task<TriggerRecord> TriggerStore::find_or_create(TriggerRecord fresh) {
  Builder filter_builder;
  filter_builder.append("app", fresh.app_id).append("name", fresh.name);
  const Document filter = std::move(filter_builder).finish();
  Builder update_builder;
  update_builder.open_object("$setOnInsert").append("_id", fresh.id);
  update_builder.append("generation", std::int64_t{1});
  update_builder.append("type", fresh.type).append("state", name_of(fresh.state));
  update_builder.append("reason", fresh.reason).append("configuration", fresh.configuration);
  update_builder.append("scope", fresh.scope);
  const Place place{fresh.token, fresh.start_at, fresh.last_run};
  append_place(update_builder, place);
  update_builder.close();
  const Document update = std::move(update_builder).finish();
  datasource::FindAndModifyOptions options;
  options.upsert = true;
  options.return_new = true;
  auto found = co_await triggers_.find_one_and_update(filter, update, options);
  if (!found && found.error().code() == ErrorCode::kDuplicateKey) {
    found = co_await triggers_.find_one(filter);  // another node was faster
  }
  if (!found) co_return std::move(found).error();
  if (!*found) co_return Error(ErrorCode::kInternal, "a trigger could not be stored");
  co_return record_from((*found)->view());
}

Task<std::vector<TriggerRecord>> TriggerStore::list(ObjectId app_id) {
  const Document filter = bson::make_document("app", app_id);
  datasource::FindOptions by_name;
  by_name.sort = bson::make_document("name", std::int32_t{1});
  RESTITCH_CO_TRY(const auto documents, co_await triggers_.find(filter, by_name));
  std::vector<TriggerRecord> records;
  for (const Document& document : documents) {
    auto record = record_from(document);
    if (!record) co_return std::move(record).error();
    records.push_back(std::move(*record));
  }
  co_return records;
}

Task<TriggerRecord> TriggerStore::find(ObjectId app_id, std::string name_or_id) {
  Builder filter_builder;
  filter_builder.append("app", app_id).open_array("$or");
  filter_builder.push_object().append("name", name_or_id).close();
  if (const auto id = ObjectId::from_hex(name_or_id)) {
    filter_builder.push_object().append("_id", *id).close();
  }
  filter_builder.close();
  const Document filter = std::move(filter_builder).finish();
  RESTITCH_CO_TRY(const auto found, co_await triggers_.find_one(filter));
  if (!found) co_return Error(ErrorCode::kNotFound, "trigger not found: '" + name_or_id + "'");
  co_return record_from(found->view());
}

Task<void> TriggerStore::remove(TriggerRecord record) {
  const Document by_id = bson::make_document("_id", record.id);
  RESTITCH_CO_CHECK(co_await triggers_.delete_one(by_id));
  const Document owned = of_trigger(record);
  RESTITCH_CO_CHECK(co_await events_.delete_many(owned));
  RESTITCH_CO_CHECK(co_await letters_.delete_many(owned));
  co_return Status();
}

Task<std::optional<TriggerRecord>> TriggerStore::acquire(ObjectId id, std::string node,
                                                         std::chrono::milliseconds lease_time) {
  Builder command;
  command.append("findAndModify", "triggers").append("query", free_for(id, node));
  command.open_array("update").push_object().open_object("$set").open_object("lease");
  command.open_object("node").append("$literal", node).close();
  command.open_object("until").open_array("$add");
  command.push("$$NOW").push(static_cast<std::int64_t>(lease_time.count()));
  command.close().close().close();
  command.append("heartbeat", "$$NOW").close().close().close().append("new", true);
  const datasource::CallOptions options = relaxed();
  RESTITCH_CO_TRY(
      const Document reply,
      co_await datasource::run_command(*state_, auth::kStateDatabase, std::move(command), options));
  const auto value = reply["value"].as_object();
  if (!value) co_return std::optional<TriggerRecord>();
  auto record = record_from(*value);
  if (!record) co_return std::move(record).error();
  co_return std::optional(std::move(*record));
}

Task<void> TriggerStore::release(ObjectId id, std::string node) {
  Builder filter_builder;
  filter_builder.append("_id", id).append("lease.node", node);
  const Document filter = std::move(filter_builder).finish();
  Builder update_builder;
  update_builder.open_object("$unset").append("lease", true).close();
  const Document update = std::move(update_builder).finish();
  RESTITCH_CO_CHECK(co_await triggers_.update_one(filter, update.view()));
  co_return Status();
}

Task<bool> TriggerStore::save_progress(TriggerRecord held, Progress progress) {
  Builder filter_builder;
  filter_builder.append("_id", held.id).append("lease.node", held.node);
  filter_builder.append("generation", held.generation);
  const Document filter = std::move(filter_builder).finish();
  Builder update_builder;
  update_builder.open_object("$set");
  update_builder.append("heartbeat", now());
  if (!progress.token.empty()) update_builder.append("token", progress.token);
  if (progress.last_run) update_builder.append("last_run", *progress.last_run);
  if (progress.cluster_time) update_builder.append("cluster_time", *progress.cluster_time);
  if (progress.delivered > 0) update_builder.append("completed_at", now());
  update_builder.close();
  if (progress.delivered > 0) {
    update_builder.open_object("$inc").append("delivered", progress.delivered);
    update_builder.append("failed", progress.failed).close();
  }
  const Document update = std::move(update_builder).finish();
  const datasource::CallOptions options = relaxed();
  RESTITCH_CO_TRY(const datasource::UpdateResult result,
                  co_await triggers_.update_one(filter, update.view(), no_options, options));
  co_return result.matched > 0;
}

Task<bool> TriggerStore::change(ObjectId id, Change change,
                                std::optional<std::int64_t> generation) {
  Builder filter_builder;
  filter_builder.append("_id", id);
  if (generation) filter_builder.append("generation", *generation);
  const Document filter = std::move(filter_builder).finish();
  Builder update_builder;
  update_builder.open_object("$inc").append("generation", std::int64_t{1}).close();
  update_builder.open_object("$set");
  if (change.state) update_builder.append("state", name_of(*change.state));
  if (change.reason) update_builder.append("reason", *change.reason);
  if (change.configuration) update_builder.append("configuration", *change.configuration);
  if (change.scope) update_builder.append("scope", *change.scope);
  if (change.place) append_place(update_builder, *change.place);
  if (change.gap) append_gap(update_builder, *change.gap);
  update_builder.append("changed_at", now()).close();
  const Document update = std::move(update_builder).finish();
  RESTITCH_CO_TRY(const datasource::UpdateResult result,
                  co_await triggers_.update_one(filter, update.view()));
  co_return result.matched > 0;
}

Task<void> TriggerStore::note(ObjectId id, std::string reason) {
  const Document filter = bson::make_document("_id", id);
  Builder update_builder;
  update_builder.open_object("$set").append("reason", reason).close();
  const Document update = std::move(update_builder).finish();
  const datasource::CallOptions options = relaxed();
  RESTITCH_CO_CHECK(co_await triggers_.update_one(filter, update.view(), no_options, options));
  co_return Status();
}

Task<std::vector<QueuedEvent>> TriggerStore::queued_events(TriggerRecord record,
                                                           std::int64_t limit) {
  const Document filter = of_trigger(record);
  datasource::FindOptions oldest;
  oldest.sort = sorted_by_id(1);
  oldest.limit = limit;
  RESTITCH_CO_TRY(const auto documents, co_await events_.find(filter, oldest));
  std::vector<QueuedEvent> events;
  for (const Document& document : documents) {
    const auto id = document["_id"].as_object_id();
    const auto event = document["event"].as_object();
    if (id && event) events.push_back({*id, Document(*event)});
  }
  co_return events;
}

Task<void> TriggerStore::remove_queued(ObjectId id) {
  const Document filter = bson::make_document("_id", id);
  RESTITCH_CO_CHECK(co_await events_.delete_one(filter));
  co_return Status();
}

Task<void> TriggerStore::add_dead_letter(TriggerRecord record, DeadLetter letter) {
  Builder out;
  out.append("_id", letter.id).append("app", record.app_id).append("trigger", record.name);
  out.append("created", letter.created).append("error", letter.error);
  out.append("error_code", letter.error_code).append("co_id", letter.co_id);
  out.append("attempts", letter.attempts).append("event", letter.event);
  const Document document = std::move(out).finish();
  RESTITCH_CO_CHECK(co_await letters_.insert_one(document));
  co_return Status();
}

Task<std::int64_t> TriggerStore::count_dead_letters(TriggerRecord record) {
  const Document filter = of_trigger(record);
  co_return co_await letters_.count(filter);
}

Task<std::vector<DeadLetter>> TriggerStore::dead_letters(TriggerRecord record, bool oldest_first,
                                                         std::int64_t limit) {
  const Document filter = of_trigger(record);
  datasource::FindOptions find;
  find.sort = sorted_by_id(oldest_first ? 1 : -1);
  find.limit = limit;
  RESTITCH_CO_TRY(const auto documents, co_await letters_.find(filter, find));
  std::vector<DeadLetter> letters;
  for (const Document& document : documents) letters.push_back(letter_from(document));
  co_return letters;
}

Task<std::optional<DeadLetter>> TriggerStore::dead_letter(TriggerRecord record, ObjectId id) {
  Builder filter_builder;
  filter_builder.append("_id", id).append("app", record.app_id).append("trigger", record.name);
  const Document filter = std::move(filter_builder).finish();
  RESTITCH_CO_TRY(const auto found, co_await letters_.find_one(filter));
  if (!found) co_return std::optional<DeadLetter>();
  co_return std::optional(letter_from(found->view()));
}

Task<void> TriggerStore::remove_dead_letter(ObjectId id) {
  const Document filter = bson::make_document("_id", id);
  RESTITCH_CO_CHECK(co_await letters_.delete_one(filter));
  co_return Status();
}

Task<void> TriggerStore::failed_again(ObjectId id, std::string error, std::string error_code) {
  const Document filter = bson::make_document("_id", id);
  Builder update_builder;
  update_builder.open_object("$set").append("error", error).append("error_code", error_code);
  update_builder.close().open_object("$inc").append("attempts", std::int32_t{1}).close();
  const Document update = std::move(update_builder).finish();
  RESTITCH_CO_CHECK(co_await letters_.update_one(filter, update.view()));
  co_return Status();
}

}  // namespace restitch::triggers
