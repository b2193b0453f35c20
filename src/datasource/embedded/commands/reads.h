#pragma once

#include <memory>

#include "datasource/embedded/find_stream.h"
#include "datasource/embedded/operation.h"

namespace restitch::datasource::embedded {

// A find as its command describes it. The views point into the command.
struct ParsedFind {
  FindRequest request;
  std::optional<std::int64_t> batch_size;
  bool is_single_batch = false;
  bool has_no_timeout = false;
};
Result<ParsedFind> parse_find(Operation& operation);

// Gives an error of execution the prefix that its command has in MongoDB.
Error with_prefix(Error error, std::string_view prefix);
inline constexpr std::string_view kFindPrefix =
    "Executor error during find command :: caused by :: ";
inline constexpr std::string_view kGetMorePrefix = "Executor error during getMore :: caused by :: ";
inline constexpr std::string_view kAggregatePrefix =
    "PlanExecutor error during aggregation :: caused by :: ";

// A cursor to be opened by a command of this operation.
std::unique_ptr<ClientCursor> make_cursor(const Operation& operation, std::string ns,
                                          std::unique_ptr<ResultStream> stream);
// The state of the data that the operation reads, for planning.
void read_from(Operation& operation, FindRequest& request);
// Attaches the stream to what the operation reads.
void attach_stream(Operation& operation, ResultStream& stream);

Result<bson::Document> run_find(Operation& operation);
asio::awaitable<Result<bson::Document>> run_get_more(Operation& operation);
Result<bson::Document> run_kill_cursors(Operation& operation);
Result<bson::Document> run_count(Operation& operation);
Result<bson::Document> run_distinct(Operation& operation);
Result<bson::Document> run_aggregate(Operation& operation);
// aggregate whose first stage is $changeStream; `batch_size` as given.
Result<bson::Document> run_change_stream(Operation& operation, const Namespace& ns,
                                         bson::View stages, std::int64_t batch_size);

// aggregate with `explain: true`.
Result<bson::Document> explain_pipeline(Operation& operation);

// Aggregates over a view in place of a find, count or distinct on it.
Result<bson::Document> run_find_on_view(Operation& operation, const CollectionPtr& view);
Result<bson::Document> run_count_on_view(Operation& operation, const CollectionPtr& view);
Result<bson::Document> run_distinct_on_view(Operation& operation, const CollectionPtr& view);

}  // namespace restitch::datasource::embedded
