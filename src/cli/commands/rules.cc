#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct ExplainOptions {
  std::string app, operation, collection, source = "mongodb-atlas", user;
  std::string query, projection, sort, update, pipeline, key, operations;
  std::vector<std::string> documents;
  int limit = 0, first = 20;
  bool upsert = false, unordered = false;
};

// A member of the request that was given as JSON.
Status set_json(Members& body, const char* name, const std::string& option,
                const std::string& text) {
  if (text.empty()) return {};
  bson::Value value = parse_plain(text);
  if (value.is_missing()) return setup_error(option + " is no JSON: " + text);
  body.set(name, std::move(value));
  return {};
}

Status set_namespace(Members& body, const std::string& text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
    return setup_error("'" + text + "' is not of the form DATABASE.COLLECTION");
  }
  body.set("database", bson::Value::of(text.substr(0, dot)));
  body.set("collection", bson::Value::of(text.substr(dot + 1)));
  return {};
}

Status set_documents(Members& body, const std::vector<std::string>& documents) {
  if (documents.empty()) return {};
  if (documents.size() == 1) return set_json(body, "document", "--document", documents.front());
  std::vector<bson::Value> list;
  for (const std::string& text : documents) {
    list.push_back(parse_plain(text));
    if (list.back().is_missing()) return setup_error("--document is no JSON: " + text);
  }
  body.set("documents", app::array_of(list));
  return {};
}

Result<Members> request_of(const ExplainOptions& options) {
  Members body;
  body.set("operation", bson::Value::of(options.operation));
  body.set("data_source", bson::Value::of(options.source));
  RESTITCH_CHECK(set_namespace(body, options.collection));
  if (options.user.starts_with('{')) {
    RESTITCH_CHECK(set_json(body, "user", "--user", options.user));
  } else {
    body.set("user", bson::Value::of(options.user));
  }
  RESTITCH_CHECK(set_json(body, "query", "--query", options.query));
  RESTITCH_CHECK(set_json(body, "projection", "--projection", options.projection));
  RESTITCH_CHECK(set_json(body, "sort", "--sort", options.sort));
  RESTITCH_CHECK(set_json(body, "update", "--update", options.update));
  RESTITCH_CHECK(set_json(body, "pipeline", "--pipeline", options.pipeline));
  if (!options.key.empty()) body.set("key", bson::Value::of(options.key));
  RESTITCH_CHECK(set_json(body, "operations", "--operations", options.operations));
  if (options.unordered) body.set("ordered", bson::Value::of(false));
  RESTITCH_CHECK(set_documents(body, options.documents));
  if (options.limit > 0) body.set("limit", bson::Value::of(std::int32_t{options.limit}));
  if (options.upsert) body.set("upsert", bson::Value::of(true));
  body.set("first", bson::Value::of(std::int32_t{options.first}));
  return body;
}

Status explain(Session& session, const ExplainOptions& options) {
  RESTITCH_TRY(const Members body, request_of(options));
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer,
               api->call("POST", app.path() + "/rules/explain", to_text(body)));
  Terminal& terminal = session.terminal();
  if (terminal.is_json()) {
    terminal.document("Explanation", answer);
    return {};
  }
  for (const bson::Value& line : app::elements_of(Members(answer)["text"])) {
    terminal.say(line.view().as_string().value_or(""));
  }
  return {};
}

}  // namespace

void add_rule_commands(Registry& registry) {
  CLI::App* group = registry.group("rules", "Rules of data access");
  const auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = registry.command(
      group, "explain",
      "Say what the rules of the running app make of an operation, and why; nothing is written",
      "rules explain", [options](Session& session) { return explain(session, *options); });
  command
      ->add_option("OPERATION", options->operation,
                   "find, findOne, count, distinct, aggregate, insert, update, delete, bulkWrite, or "
                   "another action, e.g. updateOne")
      ->required();
  command->add_option("NAMESPACE", options->collection, "DATABASE.COLLECTION")->required();
  command
      ->add_option("--user", options->user,
                   "Id of the user, or a user as JSON ({\"id\": …, \"data\": …, \"custom_data\": "
                   "…}), or system")
      ->required();
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  command->add_option("--source", options->source, "Name of the data source")
      ->capture_default_str();
  command->add_option("--query", options->query, "Query as Extended JSON");
  command->add_option("--projection", options->projection, "Projection of a find");
  command->add_option("--sort", options->sort, "Order in which the documents are looked at");
  command->add_option("--limit", options->limit, "Limit of a find")->check(CLI::PositiveNumber);
  command->add_option("--document", options->documents, "Document to insert (repeatable)");
  command->add_option("--update", options->update, "Update: operators, replacement or pipeline");
  command->add_flag("--upsert", options->upsert, "Of an update");
  command->add_option("--pipeline", options->pipeline, "Stages of an aggregate");
  command->add_option("--key", options->key, "Field of a distinct");
  command->add_option("--operations", options->operations,
                      "Operations of a bulkWrite: [{\"updateOne\": {\"filter\": …, \"update\": "
                      "…}}, …]");
  command->add_flag("--unordered", options->unordered, "Of a bulkWrite: goes on after a refusal");
  command
      ->add_option("--first", options->first,
                   "How many of the documents are explained, at most 100")
      ->capture_default_str();
}

}  // namespace restitch::cli
