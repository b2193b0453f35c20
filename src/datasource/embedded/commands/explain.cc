#include "datasource/embedded/explain.h"

#include <unistd.h>

#include "base/encoding.h"
#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/distinct_values.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/pipeline_stream.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// What is to be explained, brought to the form of a find.
struct Subject {
  Namespace ns;
  FindRequest request;
  bson::ValueView collation;
  bool is_count = false;
  std::string_view write_stage;
  bool would_upsert = false;
};

struct Counted {
  std::int64_t returned = 0;
  std::uint64_t keys = 0, documents = 0;
  std::int64_t millis = 0;
};

Result<Subject> subject_of_find(const Operation& operation, View command) {
  Subject subject;
  const Fields fields(command, "FindCommandRequest");
  subject.ns.database = operation.database;
  subject.ns.collection = std::string(command.begin()->value.as_string().value_or(""));
  RESTITCH_TRY(subject.request.filter, fields.object("filter"));
  RESTITCH_TRY(subject.request.projection, fields.object("projection"));
  RESTITCH_TRY(subject.request.sort, fields.object("sort"));
  RESTITCH_TRY(subject.request.min, fields.object("min"));
  RESTITCH_TRY(subject.request.max, fields.object("max"));
  RESTITCH_TRY(const auto skip, fields.non_negative("skip"));
  RESTITCH_TRY(const auto limit, fields.non_negative("limit"));
  subject.request.skip = skip.value_or(0);
  if (limit && *limit > 0) subject.request.limit = limit;
  subject.request.hint = fields["hint"];
  RESTITCH_TRY(subject.request.returns_key, fields.boolean("returnKey"));
  RESTITCH_TRY(subject.request.shows_record_id, fields.boolean("showRecordId"));
  subject.collation = fields["collation"];
  return subject;
}

Result<Subject> subject_of_query(const Operation& operation, View command) {
  Subject subject;
  const std::string_view name = command.begin()->name;
  const Fields fields(command, name);
  subject.ns.database = operation.database;
  subject.ns.collection = std::string(command.begin()->value.as_string().value_or(""));
  RESTITCH_TRY(subject.request.filter, fields.object("query"));
  subject.request.hint = fields["hint"];
  subject.collation = fields["collation"];
  if (name == "count") {
    subject.is_count = true;
    subject.request.counts_only = true;
    RESTITCH_TRY(const auto skip, fields.non_negative("skip"));
    RESTITCH_TRY(const auto limit, fields.integer("limit"));
    subject.request.skip = skip.value_or(0);
    if (limit && *limit != 0) subject.request.limit = *limit < 0 ? -*limit : *limit;
  } else if (name == "distinct") {
    RESTITCH_TRY(subject.request.distinct_key, fields.required_string("key"));
  } else {
    RESTITCH_TRY(subject.request.sort, fields.object("sort"));
    subject.request.limit = 1;
    subject.write_stage = fields["remove"].truthy() ? "DELETE" : "UPDATE";
    subject.would_upsert = fields["upsert"].truthy();
  }
  return subject;
}

Result<Subject> subject_of_batch(const Operation& operation, View command, const char* list_name,
                                 std::string_view stage) {
  Subject subject;
  const Fields fields(command, command.begin()->name);
  subject.ns.database = operation.database;
  subject.ns.collection = std::string(command.begin()->value.as_string().value_or(""));
  RESTITCH_TRY(const View list, fields.required_array(list_name));
  if (list.count() != 1 || !list.begin()->value.as_object()) {
    return mongo_error(code::kInvalidLength, "explained write batches must be of size 1");
  }
  const Fields statement(list.begin()->value.get_document(), list_name);
  RESTITCH_TRY(subject.request.filter, statement.object("q"));
  subject.request.hint = statement["hint"];
  subject.collation = statement["collation"];
  subject.write_stage = stage;
  const bool is_many =
      stage == "UPDATE" ? statement["multi"].truthy() : statement["limit"].as_integer() == 0;
  if (!is_many) subject.request.limit = 1;
  subject.would_upsert = statement["upsert"].truthy();
  return subject;
}

void append_count(Builder& reply, const char* name, std::int64_t value) {
  if (value <= INT32_MAX) {
    reply.append(name, static_cast<std::int32_t>(value));
  } else {
    reply.append(name, value);
  }
}

void append_totals(Builder& reply, const Counted& counted, std::int64_t returned) {
  append_count(reply, "nReturned", returned);
  append_count(reply, "executionTimeMillis", counted.millis);
  append_count(reply, "totalKeysExamined", static_cast<std::int64_t>(counted.keys));
  append_count(reply, "totalDocsExamined", static_cast<std::int64_t>(counted.documents));
}

void append_execution(Builder& reply, const Counted& counted, const PlanDescription& description,
                      const FindStream& stream, bool with_all_plans) {
  const bool counts_only = description.is_count || !description.write_stage.empty();
  reply.open_object("executionStats");
  reply.append("executionSuccess", true);
  append_totals(reply, counted, counts_only ? 0 : counted.returned);
  reply.append("executionStages",
               execution_stages(description, stream.executor(), counted.returned, counted.millis));
  if (with_all_plans) reply.open_array("allPlansExecution").close();
  reply.close();
}

Result<Counted> run_to_end(Operation& operation, FindStream& stream,
                           std::string_view distinct_key) {
  const auto begin = std::chrono::steady_clock::now();
  attach_stream(operation, stream);
  Counted counted;
  const std::size_t skipped =
      distinct_key.empty() ? 0 : distinct_scan_fields(stream.plan(), distinct_key);
  for (;;) {
    RESTITCH_TRY(const bool found, stream.next());
    if (!found) break;
    ++counted.returned;
    if (skipped > 0 && !stream.document().find_path(distinct_key).is_nullish()) {
      RESTITCH_CHECK(stream.executor().skip_equal(skipped));
    }
  }
  counted.keys = stream.executor().keys_examined();
  counted.documents = stream.executor().documents_examined();
  counted.millis = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now() - begin)
                       .count();
  return counted;
}

PlanDescription description_of(const FindStream& stream) {
  PlanDescription description;
  description.plan = &stream.plan();
  description.filter = &stream.filter();
  if (stream.projection() != nullptr) {
    description.is_simple_projection =
        stream.projection()->dependencies().has_value() || !stream.projection()->is_inclusive();
  }
  return description;
}

PlanDescription description_of(const FindStream& stream, const Subject& subject) {
  PlanDescription description = description_of(stream);
  description.sort = subject.request.sort;
  if (stream.projection() != nullptr) description.projection = subject.request.projection;
  description.shows_key = subject.request.returns_key;
  description.skip = subject.request.skip;
  description.limit = subject.request.limit;
  description.is_count = subject.is_count;
  description.is_distinct_scan =
      !subject.request.distinct_key.empty() &&
      distinct_scan_fields(stream.plan(), subject.request.distinct_key) > 0;
  description.write_stage = subject.write_stage;
  description.would_upsert = subject.would_upsert;
  return description;
}

void append_tail(Builder& reply, View command) {
  reply.append("command", command);
  char host[256] = "localhost";
  static_cast<void>(gethostname(host, sizeof host - 1));
  reply.open_object("serverInfo");
  reply.append("host", host).append("port", std::int32_t{27017});
  reply.append("version", "7.0.14").append("gitVersion", "restitch");
  reply.close();
  reply.open_object("serverParameters");
  reply.append("internalQueryFacetBufferSizeBytes", std::int32_t{104857600});
  reply.append("internalQueryFacetMaxOutputDocSizeBytes", std::int32_t{104857600});
  reply.append("internalLookupStageIntermediateDocumentMaxSizeBytes", std::int32_t{104857600});
  reply.append("internalDocumentSourceGroupMaxMemoryBytes", std::int32_t{104857600});
  reply.append("internalQueryMaxBlockingSortMemoryUsageBytes", std::int32_t{104857600});
  reply.append("internalQueryProhibitBlockingMergeOnMongoS", std::int32_t{0});
  reply.append("internalQueryMaxAddToSetBytes", std::int32_t{104857600});
  reply.append("internalDocumentSourceSetWindowFieldsMaxMemoryBytes", std::int32_t{104857600});
  reply.close();
}

enum class Verbosity : std::uint8_t { kQueryPlanner, kExecutionStats, kAllPlansExecution };

// The aggregation that stands for a read of a view.
Document pipeline_on_view(const Subject& subject) {
  const FindRequest& request = subject.request;
  Builder builder;
  builder.open_array("pipeline");
  const auto add = [&](const char* name, const auto& argument) {
    builder.push_object().append(name, argument).close();
  };
  if (!request.filter.empty()) add("$match", request.filter);
  if (!request.sort.empty()) add("$sort", request.sort);
  if (request.skip > 0) add("$skip", request.skip);
  if (request.limit) add("$limit", *request.limit);
  if (!request.projection.empty()) add("$project", request.projection);
  builder.close();
  return std::move(builder).finish();
}

Result<Document> explain_stages(Operation& operation, const Namespace& ns, View stages,
                                bson::ValueView hint, bson::ValueView collation, View command,
                                Verbosity verbosity);

Result<Document> explain_subject(Operation& operation, const Subject& subject, View command,
                                 Verbosity verbosity) {
  const CollectionPtr collection =
      operation.services.catalog->find(subject.ns.database, subject.ns.collection);
  if (collection && collection->is_view()) {
    if (!subject.write_stage.empty()) {
      return mongo_error(code::kViewError,
                         "Namespace " + subject.ns.full() + " is a view, not a collection");
    }
    const Document holder = pipeline_on_view(subject);
    return explain_stages(operation, subject.ns, *holder["pipeline"].as_array(),
                          subject.request.hint, subject.collation, command, verbosity);
  }
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  RESTITCH_TRY(context->comparator, comparator_of(subject.collation, collection.get()));
  FindRequest request = subject.request;
  read_from(operation, request);
  // All candidates are of interest, and an explanation is no use of a plan.
  request.uses_plan_cache = false;
  RESTITCH_TRY(auto stream, FindStream::make(collection, request, std::move(context)));
  const PlanDescription description = description_of(*stream, subject);
  Builder reply;
  reply.append("explainVersion", "1");
  append_query_planner(reply, subject.ns.full(), description, *stream);
  if (verbosity != Verbosity::kQueryPlanner) {
    RESTITCH_TRY(const Counted counted,
                 run_to_end(operation, *stream, subject.request.distinct_key));
    append_execution(reply, counted, description, *stream,
                     verbosity == Verbosity::kAllPlansExecution);
  }
  append_tail(reply, command);
  return std::move(reply).finish();
}

Result<Document> explain_aggregate(Operation& operation, View command, Verbosity verbosity) {
  const Fields fields(command, "aggregate");
  RESTITCH_TRY(const View stages, fields.required_array("pipeline"));
  Namespace ns;
  ns.database = operation.database;
  ns.collection = std::string(command.begin()->value.as_string().value_or(""));
  return explain_stages(operation, ns, stages, fields["hint"], fields["collation"], command,
                        verbosity);
}

Result<Document> explain_stages(Operation& operation, const Namespace& ns, View stages,
                                bson::ValueView hint, bson::ValueView collation, View command,
                                Verbosity verbosity) {
  PipelineRequest request;
  request.ns = ns;
  request.stages = stages;
  request.hint = hint;
  request.reader = &operation.reader();
  request.read_time = request.reader->cluster_time();
  request.tier = operation.tier;
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  RESTITCH_TRY(context->comparator, comparator_of(collation, collection.get()));
  RESTITCH_TRY(auto stream, PipelineStream::make(operation.services, request, std::move(context)));
  Builder reply;
  reply.append("explainVersion", "1");
  const FindStream* source = stream->source();
  Counted counted;
  const bool executes = verbosity != Verbosity::kQueryPlanner && !stream->writes();
  if (executes) {
    const auto begin = std::chrono::steady_clock::now();
    attach_stream(operation, *stream);
    for (;;) {
      RESTITCH_TRY(const bool found, stream->next());
      if (!found) break;
      ++counted.returned;
    }
    counted.millis = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::steady_clock::now() - begin)
                         .count();
    if (source != nullptr) {
      counted.keys = source->executor().keys_examined();
      counted.documents = source->executor().documents_examined();
    }
  }
  if (source == nullptr) {
    reply.open_array("stages");
    for (const bson::Element& element : stream->stages()) reply.push(element.value);
    reply.close();
    append_tail(reply, command);
    return std::move(reply).finish();
  }
  PlanDescription description = description_of(*source);
  const PipelineStream::Pushed& pushed = stream->pushed();
  description.sort = pushed.sort;
  description.skip = pushed.skip;
  description.limit = pushed.limit;
  const std::string full_name = source->collection() ? source->collection()->full_name : ns.full();
  const auto append_source = [&]() {
    append_query_planner(reply, full_name, description, *source);
    if (!executes) return;
    Counted of_source = counted;
    of_source.returned = source->given();
    append_execution(reply, of_source, description, *source,
                     verbosity == Verbosity::kAllPlansExecution);
  };
  if (stream->is_all_pushed_down()) {
    append_source();
  } else {
    reply.open_array("stages");
    reply.push_object().open_object("$cursor");
    append_source();
    reply.close();
    if (executes) append_count(reply, "nReturned", source->given());
    reply.close();
    const std::size_t pushed_count = stream->pushed_stages();
    std::size_t at = 0;
    const std::size_t all = stream->stages().count();
    for (const bson::Element& element : stream->stages()) {
      if (at++ < pushed_count) continue;
      reply.push_object();
      reply.append_all(element.value.get_document());
      if (executes && at == all) append_count(reply, "nReturned", counted.returned);
      reply.close();
    }
    reply.close();
  }
  append_tail(reply, command);
  return std::move(reply).finish();
}

Result<Document> explain_command(Operation& operation, View command, Verbosity verbosity) {
  const std::string_view name = command.empty() ? "" : command.begin()->name;
  operation.reader();
  if (name == "aggregate") return explain_aggregate(operation, command, verbosity);
  Result<Subject> subject = mongo_error(
      code::kCommandNotFound, "Explain failed due to unknown command: " + std::string(name));
  if (name == "find") subject = subject_of_find(operation, command);
  if (name == "count" || name == "distinct" || name == "findAndModify" || name == "findandmodify") {
    subject = subject_of_query(operation, command);
  }
  if (name == "update") subject = subject_of_batch(operation, command, "updates", "UPDATE");
  if (name == "delete") subject = subject_of_batch(operation, command, "deletes", "DELETE");
  if (!subject) return std::move(subject).error();
  return explain_subject(operation, *subject, command, verbosity);
}

Result<Document> run_explain(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View command, fields.required_object("explain"));
  RESTITCH_TRY(const auto verbosity, fields.string("verbosity", "allPlansExecution"));
  if (verbosity == "queryPlanner") {
    return explain_command(operation, command, Verbosity::kQueryPlanner);
  }
  if (verbosity == "executionStats") {
    return explain_command(operation, command, Verbosity::kExecutionStats);
  }
  if (verbosity == "allPlansExecution") {
    return explain_command(operation, command, Verbosity::kAllPlansExecution);
  }
  return mongo_error(code::kFailedToParse,
                     "verbosity string must be one of {'queryPlanner', 'executionStats', "
                     "'allPlansExecution'}");
}

}  // namespace

Result<Document> explain_pipeline(Operation& operation) {
  return explain_aggregate(operation, operation.command, Verbosity::kQueryPlanner);
}

std::span<const CommandSpec> explain_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "explain", .read = run_explain, .fields = "verbosity"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
