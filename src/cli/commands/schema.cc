#include <cctype>

#include "bson/extended_json.h"
#include "cli/local_app.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct SchemaOptions {
  std::string app, language;
  std::vector<std::string> names;
  bool flat = false, no_imports = false;
  std::string source = "mongodb-atlas", database, collection;
  int limit = 500;
};

const std::map<std::string, std::string>& languages() {
  static const std::map<std::string, std::string> names = {{"C_SHARP", "C_SHARP"},
                                                           {"CSHARP", "C_SHARP"},
                                                           {"C#", "C_SHARP"},
                                                           {"JAVA", "JAVA"},
                                                           {"JAVASCRIPT", "JAVA_SCRIPT"},
                                                           {"JAVA_SCRIPT", "JAVA_SCRIPT"},
                                                           {"JS", "JAVA_SCRIPT"},
                                                           {"KOTLIN", "KOTLIN"},
                                                           {"OBJECTIVE_C", "OBJECTIVE_C"},
                                                           {"OBJECTIVEC", "OBJECTIVE_C"},
                                                           {"SWIFT", "SWIFT"},
                                                           {"TYPESCRIPT", "TYPE_SCRIPT"},
                                                           {"TYPE_SCRIPT", "TYPE_SCRIPT"},
                                                           {"TS", "TYPE_SCRIPT"}};
  return names;
}

Status data_models(Session& session, const SchemaOptions& options) {
  std::string upper = options.language;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto language = languages().find(upper);
  if (language == languages().end()) {
    return setup_error(
        "'" + options.language +
        "' is none of C_SHARP, JAVA, JAVA_SCRIPT, KOTLIN, OBJECTIVE_C, SWIFT, TYPE_SCRIPT");
  }
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer,
               api->get(app.path() + "/sync/client_schemas/" + language->second));
  std::string text;
  std::string imports;
  for (const bson::Value& value : app::elements_of(answer)) {
    const Members schema(value);
    const Members metadata(schema["metadata"]);
    const std::string name =
        schema.text("name").empty() ? metadata.text("collection") : schema.text("name");
    const bool is_wanted =
        options.names.empty() ||
        std::find(options.names.begin(), options.names.end(), name) != options.names.end();
    if (!is_wanted || !schema.text("error").empty()) continue;
    if (!options.no_imports && imports.empty()) imports = schema.text("import_statements");
    const std::string statement =
        schema.text("schema").empty() ? schema.text("class") : schema.text("schema");
    text.append(statement).append(options.flat ? "\n" : "\n\n");
  }
  if (text.empty()) {
    session.terminal().say("No schemas to show");
    return {};
  }
  session.terminal().raw(imports.empty() ? text : imports + "\n\n" + text);
  return {};
}

Result<std::string> service_id(AdminApi& api, const RemoteApp& app, const std::string& name) {
  RESTITCH_TRY(const bson::Value services, api.get(app.path() + "/services"));
  for (const bson::Value& value : app::elements_of(services)) {
    const Members service(value);
    if (service.text("name") == name) return service.text("_id");
  }
  return setup_error("the app has no data source '" + name + "'");
}

Status generate(Session& session, const SchemaOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::string service, service_id(*api, app, options.source));
  Members body;
  body.set("database_name", bson::Value::of(options.database));
  body.set("collection_name", bson::Value::of(options.collection));
  body.set("limit", bson::Value::of(std::int32_t{options.limit}));
  RESTITCH_TRY(const bson::Value answer,
               api->call("POST", app.path() + "/services/" + service + "/commands/generate_schema",
                         to_text(body)));
  session.terminal().document("Generated schema", Members(answer)["schema"]);
  return {};
}

Status validate(Session& session, const SchemaOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::string service, service_id(*api, app, options.source));
  Members body;
  body.set("database_name", bson::Value::of(options.database));
  body.set("collection_name", bson::Value::of(options.collection));
  body.set("from_schema", bson::Value::of(true));
  body.set("limit", bson::Value::of(std::int32_t{options.limit}));
  RESTITCH_TRY(
      const bson::Value answer,
      api->call("POST", app.path() + "/services/" + service + "/commands/validate_documents",
                to_text(body)));
  session.terminal().document("Validation", answer);
  return {};
}

void add_collection(CLI::App* command, SchemaOptions& options) {
  command->add_option("-a,--app", options.app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  command->add_option("--datasource", options.source, "Data source")->capture_default_str();
  command->add_option("--database", options.database, "Database")->required();
  command->add_option("--collection", options.collection, "Collection")->required();
  command->add_option("--limit", options.limit, "Documents to look at")->capture_default_str();
}

}  // namespace

void add_schema_commands(Registry& registry) {
  CLI::App* group = registry.group("schema", "Schemas of an app");
  group->alias("schemas");
  const auto options = std::make_shared<SchemaOptions>();
  CLI::App* command = registry.command(
      group, "datamodels", "Print the object models of an SDK language", "schema datamodels",
      [options](Session& session) { return data_models(session, *options); });
  command->alias("datamodel");
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  command
      ->add_option("-l,--language", options->language,
                   "C_SHARP, JAVA, JAVA_SCRIPT, KOTLIN, OBJECTIVE_C, SWIFT or TYPE_SCRIPT")
      ->required();
  command->add_option("--name", options->names, "Only this model (repeatable)");
  command->add_flag("--flat", options->flat, "No empty lines between the models");
  command->add_flag("--no-imports", options->no_imports, "Leave the import statements out");

  const auto generated = std::make_shared<SchemaOptions>();
  add_collection(
      registry.command(group, "generate", "Propose a schema for the documents of a collection",
                       "schema generate",
                       [generated](Session& session) { return generate(session, *generated); }),
      *generated);
  const auto validated = std::make_shared<SchemaOptions>();
  add_collection(registry.command(
                     group, "validate", "Find documents that break the schema of their collection",
                     "schema validate",
                     [validated](Session& session) { return validate(session, *validated); }),
                 *validated);
}

}  // namespace restitch::cli
