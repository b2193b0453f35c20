#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::rules {

// The data access actions of clients and functions (spec: client-api §12.2, functions §7.2).
enum class Action : std::uint8_t {
  kFind,
  kFindOne,
  kFindOneAndUpdate,
  kFindOneAndReplace,
  kFindOneAndDelete,
  kAggregate,
  kCount,
  kDistinct,
  kInsertOne,
  kInsertMany,
  kDeleteOne,
  kDeleteMany,
  kUpdateOne,
  kUpdateMany,
  kReplaceOne,
  kBulkWrite,
};

std::optional<Action> action_from_name(std::string_view name);
std::string_view name_of(Action action);
bool is_write(Action action);
// Of updates and deletions: of all documents that match.
bool is_multi(Action action);

// One request for data. Members that an action does not use stay empty.
struct Operation {
  Action action = Action::kFind;
  std::string source, database, collection;
  bson::Document filter;
  bson::Document projection;
  bson::Document sort;
  std::int64_t skip = 0, limit = 0;  // 0 = none
  bson::Value update;                // operators or replacement (object), or pipeline (array)
  bool upsert = false;
  bool return_new = false;
  bson::Document array_filters;           // array
  std::vector<bson::Document> documents;  // inserts
  bool ordered = true;
  bson::Document pipeline;  // array
  std::string distinct_key;
  bson::Document bulk;     // array of bulkWrite models
  bson::Document options;  // further options of system functions (hint, collation, allowDiskUse, …)
};

// Reads the argument object of a client's service call ({"database", "collection", "query", …})
// with the option names that the action uses. Errors: kMissingParameter, kInvalidArgument with the
// documented texts. `schema_name` alone is left in `title` for the caller to resolve.
Result<Operation> parse_client_operation(Action action, std::string_view source,
                                         bson::View argument, std::string* title);

// What a client asks to watch (spec: client-api §12.3).
struct WatchRequest {
  std::string source, database, collection;
  std::optional<bson::Document> ids;  // an array: documents of these _ids only
  bson::Document filter;              // a query over the event as the user sees it
};

// Reads {"database", "collection", "ids"?, "filter"?}. `title` as in parse_client_operation().
Result<WatchRequest> parse_watch(std::string_view source, bson::View argument, std::string* title);

}  // namespace restitch::rules
