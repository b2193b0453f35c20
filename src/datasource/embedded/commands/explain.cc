#include "datasource/embedded/explain.h"

#include <unistd.h>

#include "base/encoding.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/pipeline_stream.h"

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
    subject.request.skip = skip.value_or(0);
  } else if (name != "distinct") {
    RESTITCH_TRY(subject.request.sort, fields.object("sort"));
    subject.request.limit = 1;
    subject.write_stage = fields["remove"].truthy() ? "DELETE" : "UPDATE";
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
  return subject;
}

void append_planner(Builder& reply, const Namespace& ns, View filter, const Document& plan) {
  reply.open_object("queryPlanner");
  reply.append("namespace", ns.full()).append("indexFilterSet", false);
  reply.append("parsedQuery", filter);
  reply.append("maxIndexedOrSolutionsReached", false);
  reply.append("maxIndexedAndSolutionsReached", false);
  reply.append("maxScansToExplodeReached", false);
  reply.append("winningPlan", plan);
  reply.open_array("rejectedPlans").close();
  reply.close();
}

void append_execution(Builder& reply, const Counted& counted, std::string_view write_stage,
                      const Document& plan) {
  reply.open_object("executionStats");
  reply.append("executionSuccess", true);
  reply.append("nReturned", static_cast<std::int32_t>(write_stage.empty() ? counted.returned : 0));
  reply.append("executionTimeMillis", static_cast<std::int32_t>(counted.millis));
  reply.append("totalKeysExamined", static_cast<std::int32_t>(counted.keys));
  reply.append("totalDocsExamined", static_cast<std::int32_t>(counted.documents));
  reply.open_object("executionStages");
  reply.append_all(plan);
  reply.append("nReturned", static_cast<std::int32_t>(write_stage.empty() ? counted.returned : 0));
  if (write_stage == "UPDATE") {
    reply.append("nMatched", static_cast<std::int32_t>(counted.returned));
    reply.append("nWouldModify", static_cast<std::int32_t>(counted.returned));
  } else if (write_stage == "DELETE") {
    reply.append("nWouldDelete", static_cast<std::int32_t>(counted.returned));
  }
  reply.close();
  reply.close();
}

Result<Counted> run_to_end(Operation& operation, FindStream& stream) {
  const auto begin = std::chrono::steady_clock::now();
  attach_stream(operation, stream);
  Counted counted;
  for (;;) {
    RESTITCH_TRY(const bool found, stream.next());
    if (!found) break;
    ++counted.returned;
  }
  counted.keys = stream.executor().keys_examined();
  counted.documents = stream.executor().documents_examined();
  counted.millis = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now() - begin)
                       .count();
  return counted;
}

Document plan_of(const FindStream& stream, const Subject& subject) {
  PlanDescription description;
  description.plan = &stream.plan();
  description.collection = stream.collection().get();
  description.filter = subject.request.filter;
  description.sort = subject.request.sort;
  description.projection = subject.request.projection;
  if (stream.projection() != nullptr) {
    description.is_simple_projection =
        stream.projection()->dependencies().has_value() || !stream.projection()->is_inclusive();
  }
  description.skip = subject.request.skip;
  description.limit = subject.request.limit;
  description.is_count = subject.is_count;
  description.write_stage = subject.write_stage;
  return winning_plan(description);
}

void append_tail(Builder& reply, View command) {
  reply.append("command", command);
  char host[256] = "localhost";
  static_cast<void>(gethostname(host, sizeof host - 1));
  reply.open_object("serverInfo");
  reply.append("host", host).append("port", std::int32_t{27017});
  reply.append("version", "7.0.14").append("gitVersion", "restitch");
  reply.close();
}

Result<Document> explain_subject(Operation& operation, const Subject& subject, View command,
                                 bool executes) {
  const CollectionPtr collection =
      operation.services.catalog->find(subject.ns.database, subject.ns.collection);
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  RESTITCH_TRY(context->comparator, comparator_of(subject.collation, collection.get()));
  RESTITCH_TRY(auto stream, FindStream::make(collection, subject.request, std::move(context)));
  const Document plan = plan_of(*stream, subject);
  Builder reply;
  reply.append("explainVersion", "1");
  append_planner(reply, subject.ns, subject.request.filter, plan);
  if (executes) {
    RESTITCH_TRY(const Counted counted, run_to_end(operation, *stream));
    append_execution(reply, counted, subject.write_stage, plan);
  }
  append_tail(reply, command);
  return std::move(reply).finish();
}

Result<Document> explain_aggregate(Operation& operation, View command, bool executes) {
  const Fields fields(command, "aggregate");
  RESTITCH_TRY(const View stages, fields.required_array("pipeline"));
  PipelineRequest request;
  request.ns.database = operation.database;
  request.ns.collection = std::string(command.begin()->value.as_string().value_or(""));
  request.stages = stages;
  request.hint = fields["hint"];
  const CollectionPtr collection =
      operation.services.catalog->find(request.ns.database, request.ns.collection);
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  RESTITCH_TRY(context->comparator, comparator_of(fields["collation"], collection.get()));
  RESTITCH_TRY(auto stream, PipelineStream::make(operation.services, request, std::move(context)));
  Builder reply;
  reply.append("explainVersion", "1");
  Document plan;
  View filter;
  if (const FindStream* source = stream->source()) {
    PlanDescription description;
    description.plan = &source->plan();
    description.collection = source->collection().get();
    plan = winning_plan(description);
    if (first_stage(stages) == "$match") {
      filter = stages.begin()->value.get_document()["$match"].as_object().value_or(View());
      description.filter = filter;
      plan = winning_plan(description);
    }
  }
  if (stream->is_all_pushed_down() && stream->source() != nullptr) {
    append_planner(reply, request.ns, filter, plan);
    static_cast<void>(executes);
  } else {
    reply.open_array("stages");
    if (stream->source() != nullptr) {
      reply.push_object().open_object("$cursor");
      append_planner(reply, request.ns, filter, plan);
      reply.close().close();
    }
    for (const bson::Element& element : stages) reply.push(element.value);
    reply.close();
  }
  append_tail(reply, command);
  return std::move(reply).finish();
}

Result<Document> explain_command(Operation& operation, View command, std::string_view verbosity) {
  const bool executes = verbosity != "queryPlanner";
  const std::string_view name = command.empty() ? "" : command.begin()->name;
  operation.reader();
  if (name == "aggregate") return explain_aggregate(operation, command, executes);
  Result<Subject> subject = mongo_error(
      code::kCommandNotFound, "Explain failed due to unknown command: " + std::string(name));
  if (name == "find") subject = subject_of_find(operation, command);
  if (name == "count" || name == "distinct" || name == "findAndModify" || name == "findandmodify") {
    subject = subject_of_query(operation, command);
  }
  if (name == "update") subject = subject_of_batch(operation, command, "updates", "UPDATE");
  if (name == "delete") subject = subject_of_batch(operation, command, "deletes", "DELETE");
  if (!subject) return std::move(subject).error();
  return explain_subject(operation, *subject, command, executes);
}

Result<Document> run_explain(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View command, fields.required_object("explain"));
  RESTITCH_TRY(const auto verbosity, fields.string("verbosity", "allPlansExecution"));
  if (verbosity != "queryPlanner" && verbosity != "executionStats" &&
      verbosity != "allPlansExecution") {
    return mongo_error(code::kFailedToParse,
                       "verbosity string must be one of {'queryPlanner', "
                       "'executionStats', 'allPlansExecution'}");
  }
  return explain_command(operation, command, verbosity);
}

}  // namespace

Result<Document> explain_pipeline(Operation& operation) {
  return explain_aggregate(operation, operation.command, false);
}

std::span<const CommandSpec> explain_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "explain", .read = run_explain, .fields = "verbosity"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
