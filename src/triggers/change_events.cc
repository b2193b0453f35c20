#include "triggers/change_events.h"

#include <array>
#include <utility>

#include "auth/store.h"
#include "datasource/client.h"

namespace restitch::triggers {
namespace {

using bson::Builder;
using bson::Document;

struct OperationName {
  std::string_view configured, event;
  bool is_expanded;  // told of by streams with showExpandedEvents only
};

constexpr std::array kOperations{
    OperationName{"INSERT", "insert", false},
    OperationName{"UPDATE", "update", false},
    OperationName{"REPLACE", "replace", false},
    OperationName{"DELETE", "delete", false},
    OperationName{"CREATE_COLLECTION", "create", true},
    OperationName{"MODIFY_COLLECTION", "modify", true},
    OperationName{"RENAME_COLLECTION", "rename", false},
    OperationName{"SHARD_COLLECTION", "shardCollection", true},
    OperationName{"DROP_COLLECTION", "drop", false},
    OperationName{"RESHARD_COLLECTION", "reshardCollection", true},
    OperationName{"REFINE_COLLECTION_SHARD_KEY", "refineCollectionShardKey", true},
    OperationName{"CREATE_INDEXES", "createIndexes", true},
    OperationName{"DROP_INDEXES", "dropIndexes", true},
    OperationName{"DROP_DATABASE", "dropDatabase", false},
};

constexpr int kNamespaceNotFound = 26;
constexpr int kNamespaceExists = 48;

const OperationName* find_operation(std::string_view configured) {
  for (const OperationName& operation : kOperations) {
    if (operation.configured == configured) return &operation;
  }
  return nullptr;
}

// Databases of the server and of the source itself, whose changes are nobody's business.
void append_foreign_databases(Builder& match) {
  match.open_object("ns.db");
  match.open_array("$nin");
  for (const std::string_view name : {std::string_view("admin"), std::string_view("local"),
                                      std::string_view("config"), auth::kStateDatabase}) {
    match.push(name);
  }
  match.close();
  match.open_object("$not").append_regex("$regex", "^__realm_sync", "").close();
  match.close();
}

Document pipeline_of(const app::TriggerConfig& config) {
  Builder out;
  out.open_array("stages").push_object().open_object("$match");
  out.open_object("operationType").open_array("$in");
  for (const std::string& configured : config.operation_types) {
    if (const OperationName* operation = find_operation(configured)) out.push(operation->event);
  }
  out.push("invalidate").close().close();
  if (config.database.empty()) append_foreign_databases(out);
  out.close().close();
  if (!config.match.empty()) {
    out.push_object().open_object("$match").open_array("$or");
    out.push_object().append("operationType", "invalidate").close();
    out.push(config.match).close().close().close();
  }
  out.close();
  const Document built = std::move(out).finish();
  return Document(*built["stages"].as_array());
}

}  // namespace

datasource::WatchOptions watch_options(const app::TriggerConfig& config, const Place& place) {
  datasource::WatchOptions options;
  options.pipeline = pipeline_of(config);
  if (config.full_document) options.full_document = "updateLookup";
  if (config.full_document_before_change) options.full_document_before_change = "whenAvailable";
  // startAfter takes every token, that of an invalidate event too.
  options.start_after = place.token;
  if (place.token.empty()) options.start_at = place.start_at;
  for (const std::string& configured : config.operation_types) {
    const OperationName* operation = find_operation(configured);
    if (operation != nullptr && operation->is_expanded) options.shows_expanded_events = true;
  }
  return options;
}

Result<EventShape> EventShape::compile(const app::TriggerConfig& config) {
  EventShape shape;
  if (config.project.empty()) return shape;
  shape.context_ = std::make_shared<const query::CommandContext>();
  RESTITCH_TRY(shape.projection_,
               query::Projection::compile(config.project, query::ProjectionDialect::kAggregation,
                                          *shape.context_));
  return shape;
}

Result<Document> EventShape::apply(Document event) const {
  if (!projection_) return event;
  return projection_->apply(event);
}

Task<Place> place_now(datasource::DataSource& source, const app::TriggerConfig& config) {
  Document hello = bson::make_document("hello", std::int32_t{1});
  RESTITCH_CO_TRY(const Document reply, co_await source.run("admin", std::move(hello)));
  Place place;
  const bson::ValueView time = reply.view().find_path("lastWrite.opTime.ts");
  if (time.type() == bson::Type::kTimestamp) {
    const bson::Timestamp last = time.get_timestamp();
    place.start_at = bson::Timestamp{last.seconds, last.increment + 1};
    co_return place;
  }
  // A sharded cluster does not tell; a stream that has begun does.
  datasource::WatchOptions options;
  datasource::Watch watch(source, config.database, config.collection, std::move(options));
  RESTITCH_CO_CHECK(co_await watch.open());
  place.token = watch.resume_token();
  RESTITCH_CO_CHECK(co_await watch.close());
  co_return place;
}

bool is_place_lost(const Error& error) {
  // InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost, a token of another
  // version.
  constexpr std::array kCodes{260, 280, 286, 50811};
  for (const int code : kCodes) {
    if (error.mongo_code() == code) return true;
  }
  return false;
}

Task<void> keep_former_states(datasource::DataSource& source, const app::TriggerConfig& config) {
  const auto command = [&config](std::string_view name) {
    Builder out;
    out.append(name, config.collection);
    out.open_object("changeStreamPreAndPostImages").append("enabled", true).close();
    return out;
  };
  auto modified = co_await datasource::run_command(source, config.database, command("collMod"));
  if (modified || modified.error().mongo_code() != kNamespaceNotFound) {
    if (!modified) co_return std::move(modified).error();
    co_return Status();
  }
  auto created = co_await datasource::run_command(source, config.database, command("create"));
  if (!created && created.error().mongo_code() == kNamespaceExists) {
    created = co_await datasource::run_command(source, config.database, command("collMod"));
  }
  if (!created) co_return std::move(created).error();
  co_return Status();
}

}  // namespace restitch::triggers
