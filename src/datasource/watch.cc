#include "datasource/watch.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "datasource/client.h"

namespace restitch::datasource {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr int kCursorNotFound = 43;
constexpr int kMaxAttempts = 10;
constexpr std::chrono::milliseconds kShortestWait{10};
constexpr std::chrono::milliseconds kRest{50};

bool has_label(View reply, std::string_view label) {
  for (const bson::Element& element : reply["errorLabels"].as_array().value_or(View())) {
    if (element.value.as_string() == label) return true;
  }
  return false;
}

Error closed() { return Error(ErrorCode::kClosing, "the stream of changes is closed"); }

}  // namespace

bool lacks_change_streams(const Error& error) {
  constexpr std::array kCodes{
      59,     // CommandNotFound
      238,    // NotImplemented
      40324,  // unrecognized stage
      40573,  // only on replica sets
  };
  return error.code() == ErrorCode::kMongo &&
         std::find(kCodes.begin(), kCodes.end(), error.mongo_code()) != kCodes.end();
}

Watch::Watch(DataSource& source, std::string database, std::string collection, WatchOptions options)
    : source_(&source),
      database_(std::move(database)),
      collection_(std::move(collection)),
      options_(std::move(options)) {}

Document Watch::open_command() const {
  Builder command;
  if (collection_.empty()) {
    command.append("aggregate", std::int32_t{1});
  } else {
    command.append("aggregate", collection_);
  }
  command.open_array("pipeline").push_object().open_object("$changeStream");
  if (!options_.full_document.empty()) command.append("fullDocument", options_.full_document);
  if (!options_.full_document_before_change.empty()) {
    command.append("fullDocumentBeforeChange", options_.full_document_before_change);
  }
  if (options_.shows_expanded_events) command.append("showExpandedEvents", true);
  if (database_.empty()) command.append("allChangesForCluster", true);
  if (!token_.empty()) {
    // The token may still be that of an invalidate event, which only startAfter takes.
    const bool is_at_start = !has_given_ && !options_.start_after.empty();
    command.append(is_at_start ? "startAfter" : "resumeAfter", token_);
  } else if (!options_.resume_after.empty()) {
    command.append("resumeAfter", options_.resume_after);
  } else if (!options_.start_after.empty()) {
    command.append("startAfter", options_.start_after);
  } else if (options_.start_at) {
    command.append("startAtOperationTime", *options_.start_at);
  }
  command.close().close();
  for (const bson::Element& stage : options_.pipeline.view()) command.push(stage.value);
  command.close();
  command.open_object("cursor");
  if (options_.batch_size > 0) command.append("batchSize", options_.batch_size);
  command.close();
  return std::move(command).finish();
}

Document Watch::get_more_command() const {
  Builder command;
  command.append("getMore", id_);
  command.append("collection", collection_.empty() ? "$cmd.aggregate" : collection_);
  if (options_.batch_size > 0) command.append("batchSize", options_.batch_size);
  command.append("maxTimeMS", static_cast<std::int64_t>(options_.max_wait.count()));
  return std::move(command).finish();
}

std::vector<Document> Watch::take_events(View cursor, std::string_view batch_name) {
  std::vector<Document> events;
  for (const bson::Element& element : cursor[batch_name].as_array().value_or(View())) {
    events.emplace_back(element.value.get_document());
  }
  has_given_ = has_given_ || !events.empty();
  id_ = cursor["id"].as_integer().value_or(0);
  is_over_ = id_ == 0;
  if (const auto token = cursor["postBatchResumeToken"].as_object()) {
    token_ = Document(*token);
  } else if (!events.empty()) {
    if (const auto id = events.back()["_id"].as_object()) token_ = Document(*id);
  }
  return events;
}

// Runs an aggregate or getMore and takes what it brought.
Task<std::vector<Document>> Watch::run(Document command) {
  const bool opens = id_ == 0;
  const std::string database = database_.empty() ? "admin" : database_;
  auto reply = co_await source_->run(database, std::move(command));
  if (is_closed_) co_return closed();
  if (!reply) {
    can_resume_ = reply.error().code() == ErrorCode::kSourceUnavailable;
    co_return std::move(reply).error();
  }
  if (auto error = error_of_reply(*reply)) {
    can_resume_ =
        has_label(*reply, "ResumableChangeStreamError") || error->mongo_code() == kCursorNotFound;
    co_return std::move(*error);
  }
  const View cursor = (*reply)["cursor"].as_object().value_or(View());
  co_return take_events(cursor, opens ? "firstBatch" : "nextBatch");
}

// Some sources answer at once that there is nothing: they must not be asked without end.
Task<void> Watch::rest(std::chrono::steady_clock::time_point asked) const {
  const auto waited = std::chrono::steady_clock::now() - asked;
  if (waited >= std::min<std::chrono::steady_clock::duration>(kShortestWait, options_.max_wait / 2))
    co_return Status();
  asio::steady_timer timer(co_await asio::this_coro::executor, kRest);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return Status();
}

Task<void> Watch::open() {
  if (is_closed_) co_return closed();
  if (id_ != 0 || is_over_) co_return Status();
  for (int attempt = 1;; ++attempt) {
    Document command = open_command();
    auto events = co_await run(std::move(command));
    if (events) {
      first_ = std::move(*events);
      co_return Status();
    }
    if (is_closed_ || !can_resume_ || attempt == kMaxAttempts) co_return std::move(events).error();
    RESTITCH_CO_CHECK(co_await detail::wait_before_retry(attempt));
  }
}

Task<std::vector<Document>> Watch::next_batch() {
  for (int attempt = 1;; ++attempt) {
    RESTITCH_CO_CHECK(co_await open());
    if (!first_.empty()) co_return std::exchange(first_, {});
    if (is_over_) co_return std::vector<Document>();
    Document command = get_more_command();
    const auto asked = std::chrono::steady_clock::now();
    auto events = co_await run(std::move(command));
    if (events && events->empty() && !is_over_) {
      RESTITCH_CO_CHECK(co_await rest(asked));
    }
    if (events) co_return std::move(*events);
    id_ = 0;
    if (is_closed_ || !can_resume_ || attempt == kMaxAttempts) co_return std::move(events).error();
  }
}

Task<void> Watch::close() {
  if (std::exchange(is_closed_, true) || id_ == 0) co_return Status();
  Builder command;
  command.append("killCursors", collection_.empty() ? "$cmd.aggregate" : collection_);
  command.open_array("cursors").push(std::exchange(id_, 0)).close();
  const std::string database = database_.empty() ? "admin" : database_;
  Document kill = std::move(command).finish();
  auto reply = co_await source_->run(database, std::move(kill));
  if (!reply) co_return std::move(reply).error();
  co_return Status();
}

}  // namespace restitch::datasource
