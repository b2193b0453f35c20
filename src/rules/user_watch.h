#pragma once

#include <memory>
#include <optional>

#include "bson/document.h"
#include "datasource/change_hub.h"
#include "rules/user_request.h"

namespace restitch::rules {

// A change stream as one user may see it (spec: rules §7). One coroutine at a time; close() from any thread.
class UserWatch {
 public:
  virtual ~UserWatch() = default;

  // The next event that the user may see, redacted; an empty document is a sign of life (see ChangeSubscription); nothing at
  // the end. Errors are those of the subscription, of functions in rules and of a filter that fails.
  virtual Task<std::optional<bson::Document>> next() = 0;
  virtual void close() = 0;
};

// Opens the stream. `rules`, `settings`, `source` and `context` must outlive the watch.
Task<std::unique_ptr<UserWatch>> watch_as_user(WatchRequest request, const NamespaceRules& rules,
                                               const DataAccessSettings& settings, datasource::DataSource& source,
                                               std::shared_ptr<datasource::ChangeHub> hub,
                                               const EvaluationContext& context);

}  // namespace restitch::rules
