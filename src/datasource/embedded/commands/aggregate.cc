#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/distinct_values.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/pipeline_stream.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::int64_t kDefaultBatch = 101;

Status check_stages_in_transaction(View stages) {
  static constexpr std::string_view kForbidden[] = {
      "$out",        "$merge",        "$changeStream",   "$collStats",        "$currentOp",
      "$indexStats", "$listSessions", "$planCacheStats", "$listLocalSessions"};
  for (const bson::Element& element : stages) {
    const auto stage = element.value.as_object();
    if (!stage || stage->empty()) continue;
    const std::string_view name = stage->begin()->name;
    for (const std::string_view forbidden : kForbidden) {
      if (name != forbidden) continue;
      return mongo_error(
          code::kNotInTransaction,
          "Operation not permitted in transaction :: caused by :: Aggregation stage " +
              std::string(name) + " cannot run within a multi-document transaction.");
    }
  }
  return {};
}

// $out and $merge are the last stage.
Status check_read_concern_of_writes(const Operation& operation, View stages) {
  const auto concern = operation.command["readConcern"].as_object();
  if (!concern || (*concern)["level"].as_string() != "linearizable") return {};
  std::string_view last;
  for (const bson::Element& element : stages) {
    const auto stage = element.value.as_object();
    if (stage && !stage->empty()) last = stage->begin()->name;
  }
  return mongo_error(
      code::kInvalidOptions,
      std::string(last) + " cannot be used with a 'linearizable' read concern level");
}

Result<View> pipeline_of(const Operation& operation) {
  const bson::ValueView pipeline = operation.command["pipeline"];
  if (pipeline.is_missing()) return operation.fields().missing("pipeline");
  if (const auto array = pipeline.as_array()) return *array;
  return mongo_error(code::kTypeMismatch, "'pipeline' option must be specified as an array");
}

Result<Namespace> aggregate_namespace(const Operation& operation) {
  if (operation.target().is_number()) {
    if (operation.target().as_integer() != 1) {
      return mongo_error(code::kFailedToParse,
                         "Invalid command format: the 'aggregate' field must specify a collection "
                         "name or 1");
    }
    return Namespace{operation.database, ""};
  }
  return operation.target_namespace();
}

Result<Document> reply_of(Operation& operation, std::unique_ptr<PipelineStream> stream,
                          std::string ns, std::optional<std::int64_t> batch_size) {
  const bool writes = stream->writes();
  const storage::CollectionId collection = stream->collection();
  attach_stream(operation, *stream);
  auto cursor = make_cursor(operation, std::move(ns), std::move(stream));
  cursor->collection = collection;
  BatchOptions options;
  options.batch_size = batch_size;
  if (writes) options.batch_size.reset();
  options.summary = &operation.summary;
  auto reply = open_cursor_reply(operation.services.cursors, std::move(cursor), options);
  if (!reply) return with_prefix(std::move(reply).error(), kAggregatePrefix);
  return reply;
}

// Runs `stages` over a view in place of another command and gives the stream.
Result<std::unique_ptr<PipelineStream>> stream_on_view(Operation& operation,
                                                       const CollectionPtr& view, View stages) {
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, view.get()));
  PipelineRequest request;
  request.ns = view->ns;
  request.stages = stages;
  request.hint = operation.command["hint"];
  request.read_time = operation.reader().cluster_time();
  request.catalog = operation.catalog_view();
  request.tier = operation.tier;
  request.reader = &operation.reader();
  return PipelineStream::make(operation.services, request, std::move(context));
}

class StageList {
 public:
  StageList() { builder_.open_array("s"); }

  void add(std::string_view name, View argument) {
    builder_.push_object().append(name, argument).close();
  }
  void add(std::string_view name, std::int64_t argument) {
    builder_.push_object().append(name, argument).close();
  }
  Document finish() && {
    builder_.close();
    const Document holder = std::move(builder_).finish();
    return Document(holder.view().begin()->value.get_document());
  }

 private:
  Builder builder_;
};

}  // namespace

Result<Document> run_aggregate(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const Namespace ns, aggregate_namespace(operation));
  RESTITCH_TRY(const View stages, pipeline_of(operation));
  ++operation.services.queries;
  if (operation.in_transaction()) RESTITCH_CHECK(check_stages_in_transaction(stages));
  RESTITCH_TRY(const bool explains, fields.boolean("explain"));
  if (explains) return explain_pipeline(operation);
  if (!fields.has("cursor")) {
    return mongo_error(code::kFailedToParse,
                       "The 'cursor' option is required, except for aggregate with the explain "
                       "argument");
  }
  RESTITCH_TRY(const View cursor, fields.required_object("cursor"));
  RESTITCH_TRY(const auto batch_size, Fields(cursor, "cursor").non_negative("batchSize"));
  if (first_stage(stages) == "$changeStream") {
    return run_change_stream(operation, ns, stages, batch_size.value_or(kDefaultBatch));
  }
  operation.reader();
  CollectionPtr collection;
  if (!ns.collection.empty()) {
    RESTITCH_TRY(collection, operation.find_collection(ns.database, ns.collection));
  }
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  PipelineRequest request;
  request.ns = ns;
  request.stages = stages;
  request.hint = fields["hint"];
  request.read_time = operation.reader().cluster_time();
  request.catalog = operation.catalog_view();
  request.tier = operation.tier;
  request.reader = &operation.reader();
  RESTITCH_TRY(request.bypasses_validation, fields.boolean("bypassDocumentValidation"));
  request.error_extra = &operation.error_extra;
  RESTITCH_TRY(auto stream, PipelineStream::make(operation.services, request, std::move(context)));
  if (stream->writes()) RESTITCH_CHECK(check_read_concern_of_writes(operation, stages));
  if (stream->writes() && operation.tier == storage::ReadTier::kCacheOnly) {
    return Error(ErrorCode::kWouldBlock, "the pipeline writes");
  }
  std::string reply_ns = ns.collection.empty() ? ns.database + ".$cmd.aggregate" : ns.full();
  return reply_of(operation, std::move(stream), std::move(reply_ns),
                  batch_size.value_or(kDefaultBatch));
}

Result<Document> run_find_on_view(Operation& operation, const CollectionPtr& view) {
  RESTITCH_TRY(const ParsedFind parsed, parse_find(operation));
  if (!parsed.request.min.empty() || !parsed.request.max.empty() || parsed.request.returns_key ||
      parsed.request.shows_record_id) {
    return mongo_error(167, "Option not supported on a view");
  }
  StageList stages;
  if (!parsed.request.filter.empty()) stages.add("$match", parsed.request.filter);
  if (!parsed.request.sort.empty()) stages.add("$sort", parsed.request.sort);
  if (parsed.request.skip > 0) stages.add("$skip", parsed.request.skip);
  if (parsed.request.limit) stages.add("$limit", *parsed.request.limit);
  if (!parsed.request.projection.empty()) stages.add("$project", parsed.request.projection);
  const Document list = std::move(stages).finish();
  RESTITCH_TRY(auto stream, stream_on_view(operation, view, list));
  attach_stream(operation, *stream);
  auto cursor = make_cursor(operation, view->full_name, std::move(stream));
  BatchOptions options;
  options.batch_size = parsed.batch_size.value_or(kDefaultBatch);
  options.is_single = parsed.is_single_batch;
  return open_cursor_reply(operation.services.cursors, std::move(cursor), options);
}

Result<Document> run_count_on_view(Operation& operation, const CollectionPtr& view) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View query, fields.object("query"));
  RESTITCH_TRY(const auto limit, fields.integer("limit"));
  RESTITCH_TRY(const auto skip, fields.non_negative("skip"));
  StageList stages;
  if (!query.empty()) stages.add("$match", query);
  if (skip && *skip > 0) stages.add("$skip", *skip);
  if (limit && *limit != 0) stages.add("$limit", *limit < 0 ? -*limit : *limit);
  const Document list = std::move(stages).finish();
  RESTITCH_TRY(auto stream, stream_on_view(operation, view, list));
  attach_stream(operation, *stream);
  std::int32_t count = 0;
  for (;;) {
    RESTITCH_TRY(const bool found, stream->next());
    if (!found) break;
    ++count;
  }
  return bson::make_document("n", count);
}

Result<Document> run_distinct_on_view(Operation& operation, const CollectionPtr& view) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const std::string_view key, fields.required_string("key"));
  RESTITCH_TRY(const View query, fields.object("query"));
  StageList stages;
  if (!query.empty()) stages.add("$match", query);
  const Document list = std::move(stages).finish();
  RESTITCH_TRY(auto stream, stream_on_view(operation, view, list));
  attach_stream(operation, *stream);
  RESTITCH_TRY(const query::Comparator comparator,
               comparator_of(operation.command["collation"], view.get()));
  DistinctValues values(key, comparator);
  for (;;) {
    RESTITCH_TRY(const bool found, stream->next());
    if (!found) return values.reply();
    RESTITCH_CHECK(values.add(stream->document()));
  }
}

std::span<const CommandSpec> read_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "find",
       .flags = kSnapshotRead | kInTransaction,
       .read = run_find,
       .fields = "filter projection sort hint skip limit batchSize singleBatch min max returnKey "
                 "showRecordId tailable awaitData noCursorTimeout allowPartialResults collation "
                 "allowDiskUse let oplogReplay snapshot ntoreturn",
       .parser_name = "FindCommandRequest"},
      {.name = "getMore",
       .flags = kInTransaction,
       .async = run_get_more,
       .fields = "collection batchSize term lastKnownCommittedOpTime"},
      {.name = "killCursors",
       .flags = kInTransaction,
       .read = run_kill_cursors,
       .fields = "cursors"},
      {.name = "count",
       .read = run_count,
       .fields = "query limit skip hint collation fields"},
      {.name = "distinct",
       .flags = kInTransaction | kSnapshotRead,
       .read = run_distinct,
       .fields = "key query collation hint"},
      {.name = "aggregate",
       .flags = kSnapshotRead | kInTransaction,
       .read = run_aggregate,
       .fields = "pipeline cursor explain allowDiskUse bypassDocumentValidation collation hint let "
                 "needsMerge fromMongos exchange isMapReduceCommand collectionUUID "
                 "passthroughToShard"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
