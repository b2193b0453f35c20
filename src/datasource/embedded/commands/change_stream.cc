#include "datasource/embedded/change_stream/change_stream.h"

#include "bson/extended_json.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

// How long the first batch may be looked for.
constexpr std::chrono::milliseconds kFirstBatchTime{500};

Status check_read_concern(const Operation& operation) {
  RESTITCH_TRY(const View concern, operation.fields().object("readConcern"));
  const auto level = concern["level"].as_string();
  if (!level || *level == "majority") return {};
  return mongo_error(code::kInvalidOptions,
                     "$changeStream cannot run with a readConcern other than 'majority'. Current "
                     "readConcern: " +
                         bson::to_shell(concern));
}

}  // namespace

Result<Document> run_change_stream(Operation& operation, const Namespace& ns, View stages,
                                   std::int64_t batch_size) {
  RESTITCH_CHECK(check_read_concern(operation));
  const View stage = stages.begin()->value.get_document();
  RESTITCH_TRY(StreamOptions options, parse_stream_options(ns, stage.begin()->value));
  if (options.shows_expanded_events && operation.command["apiStrict"].truthy()) {
    return mongo_error(323,
                       "BSON field '$changeStream.showExpandedEvents' is not allowed with "
                       "apiStrict:true.");
  }
  const CollectionPtr collection =
      ns.collection.empty() ? nullptr
                            : operation.services.catalog->find(ns.database, ns.collection);
  if (collection && collection->is_view()) {
    return mongo_error(code::kViewError, "Namespace " + ns.full() + " is a view, not a collection");
  }
  if (operation.tier == storage::ReadTier::kCacheOnly) {
    return Error(ErrorCode::kWouldBlock, "the change log has to be read");
  }
  // Not the collection's collation: it may not exist, and events of others may pass.
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, nullptr));
  context->deadline = kNoDeadline;
  context->budget = nullptr;
  auto stream =
      ChangeStream::make(operation.services, std::move(options), stages, std::move(context));
  if (!stream) return std::move(stream).error();
  (*stream)->set_deadline(
      std::min(operation.deadline, std::chrono::steady_clock::now() + kFirstBatchTime));
  std::string reply_ns = ns.collection.empty() ? ns.database + ".$cmd.aggregate" : ns.full();
  auto cursor = make_cursor(operation, std::move(reply_ns), std::move(*stream));
  cursor->is_change_stream = true;
  cursor->wakeup = std::make_shared<Wakeup>();
  attach_stream(operation, *cursor->stream);
  BatchOptions batch;
  batch.batch_size = batch_size;
  auto reply = open_cursor_reply(operation.services.cursors, std::move(cursor), batch);
  if (!reply) return with_prefix(std::move(reply).error(), kAggregatePrefix);
  return reply;
}

}  // namespace restitch::datasource::embedded
