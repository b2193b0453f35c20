#include "rules/user_watch.h"

#include "rules/event_sight.h"
#include "rules/user_limits.h"

namespace restitch::rules {
namespace {

// What the user asks for of the events that may be seen: the filter sees no hidden field.
bson::Document event_query(const WatchRequest& request) {
  if (!request.ids) return request.filter;
  bson::Builder ids;
  ids.open_object("documentKey._id").append_array("$in", *request.ids).close();
  return conjunction(std::move(ids).finish(), request.filter);
}

Operation operation_of(const WatchRequest& request) {
  Operation operation;
  operation.action = Action::kFind;
  operation.source = request.source;
  operation.database = request.database;
  operation.collection = request.collection;
  return operation;
}

class OpenWatch final : public UserWatch {
 public:
  OpenWatch(const NamespaceRules& rules, const DataAccessSettings& settings, datasource::DataSource& source,
            const EvaluationContext& context, Operation operation)
      : request_(rules, source, settings, context, std::move(operation), {}) {}

  Task<void> open(const WatchRequest& asked, datasource::ChangeHub& hub) {
    RESTITCH_CO_TRY(filter_, query::Filter::compile(event_query(asked), request_.command));
    RESTITCH_CO_TRY(sight_, co_await EventSight::create(request_));
    RESTITCH_CO_TRY(events_, co_await hub.subscribe(asked.database, asked.collection));
    co_return Status();
  }

  Task<std::optional<bson::Document>> next() override {
    for (;;) {
      RESTITCH_CO_TRY(const datasource::ChangeEvent event, co_await events_->next());
      if (!event) co_return std::optional<bson::Document>();
      if (event->empty()) co_return std::optional<bson::Document>(bson::Document());
      RESTITCH_CO_TRY(std::optional<bson::Document> seen, co_await sight_->look(*event));
      if (!seen) continue;
      RESTITCH_CO_TRY(const bool is_wanted, filter_->matches(*seen));
      if (is_wanted) co_return seen;
    }
  }

  void close() override { events_->close(); }

 private:
  UserRequest request_;
  std::optional<query::Filter> filter_;
  std::optional<EventSight> sight_;
  std::shared_ptr<datasource::ChangeSubscription> events_;
};

}  // namespace

Task<std::unique_ptr<UserWatch>> watch_as_user(WatchRequest request, const NamespaceRules& rules,
                                               const DataAccessSettings& settings, datasource::DataSource& source,
                                               std::shared_ptr<datasource::ChangeHub> hub,
                                               const EvaluationContext& context) {
  Operation filtered = operation_of(request);
  filtered.filter = request.filter;
  RESTITCH_CO_CHECK(check_user_operation(filtered, settings.allow_regex));
  auto watch = std::make_unique<OpenWatch>(rules, settings, source, context, operation_of(request));
  RESTITCH_CO_CHECK(co_await watch->open(request, *hub));
  co_return std::unique_ptr<UserWatch>(std::move(watch));
}

}  // namespace restitch::rules
