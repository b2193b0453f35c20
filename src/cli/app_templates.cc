#include "cli/app_templates.h"

#include "app/writing/layouts.h"
#include "app/writing/members.h"
#include "app/writing/normal_form.h"
#include "cli/admin_api.h"

namespace restitch::cli {
namespace {

constexpr const char* kProviders = R"({
  "anon-user": {"type": "anon-user"},
  "local-userpass": {"type": "local-userpass", "config": {"autoConfirm": true}}
})";

constexpr const char* kDataSource = R"({
  "name": "mongodb-atlas",
  "type": "mongodb-atlas",
  "config": {"clusterName": "Cluster0"}
})";

// Everybody reads shared tasks; only its owner changes a task, and nobody gives one away.
constexpr const char* kTaskRules = R"({
  "database": "todo",
  "collection": "tasks",
  "roles": [
    {
      "name": "owner",
      "apply_when": {"%%root.owner": "%%user.id"},
      "read": true,
      "write": {"owner": "%%user.id"},
      "insert": true,
      "delete": true
    },
    {
      "name": "reader",
      "apply_when": {},
      "read": {"shared": true},
      "write": false,
      "insert": false,
      "delete": false
    }
  ]
})";

constexpr const char* kTaskSchema = R"({
  "title": "Task",
  "bsonType": "object",
  "required": ["_id", "owner", "title"],
  "properties": {
    "_id": {"bsonType": "objectId"},
    "owner": {"bsonType": "string"},
    "title": {"bsonType": "string", "minLength": 1, "maxLength": 200},
    "done": {"bsonType": "bool"},
    "shared": {"bsonType": "bool"}
  }
})";

constexpr const char* kAddTask =
    R"(// Adds a task for the user who calls. It runs as that user, so the rules hold here too.
exports = async function addTask(title) {
  const tasks = context.services.get("mongodb-atlas").db("todo").collection("tasks");
  const task = { owner: context.user.id, title: String(title).trim(), done: false };
  const { insertedId } = await tasks.insertOne(task);
  return { _id: insertedId, ...task };
};
)";

constexpr const char* kHello = R"(// npm install realm-web, then: node hello.mjs
import { readFileSync } from "node:fs";
import * as Realm from "realm-web";

const { app_id: id } = JSON.parse(readFileSync("realm_config.json", "utf8")); // there after the first push
const app = new Realm.App({ id, baseUrl: process.env.RESTITCH_URL ?? "http://127.0.0.1:9090" });
const user = await app.logIn(Realm.Credentials.anonymous());
console.log(await user.functions.addTask("Try Restitch"));
console.log(await user.mongoClient("mongodb-atlas").db("todo").collection("tasks").find({}));
)";

constexpr const char* kGreet = R"(// GET …/endpoint/greet?name=Ada
exports = function greet({ query }, response) {
  response.setHeader("Content-Type", "application/json");
  response.setBody(JSON.stringify({ hello: query.name ?? "world" }));
};
)";

constexpr const char* kEndpoints = R"([
  {
    "route": "/greet",
    "http_method": "GET",
    "function_name": "greet",
    "validation_method": "NO_VALIDATION",
    "respond_result": true,
    "return_type": "JSON"
  }
])";

void put(app::Tree& tree, const std::string& path, const char* text) {
  tree.put(path, parse_plain(text));
}

void fill_tasks(app::Tree& tree) {
  put(tree, "auth/providers.json", kProviders);
  put(tree, "data_sources/mongodb-atlas/config.json", kDataSource);
  put(tree, "data_sources/mongodb-atlas/todo/tasks/rules.json", kTaskRules);
  put(tree, "data_sources/mongodb-atlas/todo/tasks/schema.json", kTaskSchema);
  tree.sources["functions/addTask.js"] = kAddTask;
}

void fill_endpoint(app::Tree& tree) {
  put(tree, "functions/config.json",
      R"([{"name": "greet", "run_as_system": true, "private": true}])");
  tree.sources["functions/greet.js"] = kGreet;
  put(tree, "http_endpoints/config.json", kEndpoints);
}

}  // namespace

Result<app::Files> make_app(const std::string& name_of_template, const std::string& app_name,
                            int config_version) {
  app::Tree tree;
  tree.config_version = 20210101;
  tree.root_file = app::root_file_of(tree.config_version);
  Members root;
  root.set("name", bson::Value::of(app_name));
  root.set("location", bson::Value::of("US-VA"));
  root.set("provider_region", bson::Value::of("aws-us-east-1"));
  root.set("deployment_model", bson::Value::of("GLOBAL"));
  tree.put(tree.root_file, root.value());
  if (name_of_template == "tasks") fill_tasks(tree);
  if (name_of_template == "endpoint") fill_endpoint(tree);
  app::complete(tree);
  app::normalise(tree);
  app::Findings left_out;
  app::Tree laid_out = app::to_layout(tree, config_version, left_out);
  if (!left_out.list().empty()) {
    return Error(ErrorCode::kInvalidArgument, app::to_line(left_out.list().front()));
  }
  app::normalise(laid_out);
  app::Files files = app::to_files(laid_out);
  if (name_of_template == "tasks" && config_version == 20210101)
    files.contents["hello.mjs"] = kHello;
  return files;
}

}  // namespace restitch::cli
