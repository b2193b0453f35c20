#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/config.h"
#include "bson/document.h"
#include "datasource/watch.h"
#include "query/projection.h"
#include "triggers/trigger_store.h"

namespace restitch::triggers {

// The stream of changes that a database trigger listens to: its stages, its options.
datasource::WatchOptions watch_options(const app::TriggerConfig& config, const Place& place);

// What the function gets of an event: `project` of the configuration.
class EventShape {
 public:
  // kInvalidArgument with the text of the query language when `project` is no projection.
  static Result<EventShape> compile(const app::TriggerConfig& config);

  Result<bson::Document> apply(bson::Document event) const;

 private:
  // What a projection refers to must stay where it is.
  std::shared_ptr<const query::CommandContext> context_;
  std::optional<query::Projection> projection_;
};

// The place from which everything that happens from now on is seen. Errors are the source's.
Task<Place> place_now(datasource::DataSource& source, const app::TriggerConfig& config);

// Whether a source's error says that the stream's place is no longer in its log.
bool is_place_lost(const Error& error);

// Has the source keep the former states of the collection's documents, if it does not yet.
Task<void> keep_former_states(datasource::DataSource& source, const app::TriggerConfig& config);

}  // namespace restitch::triggers
