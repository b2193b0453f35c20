#include <charconv>

#include "bson/extended_json.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct FunctionOptions {
  std::string app, name, user;
  std::vector<std::string> arguments;
};

// JSON objects and arrays as they are, integers, other numbers, and everything else as a string.
bson::Value argument_of(const std::string& text) {
  if (text.starts_with('{') || text.starts_with('[')) {
    bson::Value value = parse_plain(text);
    if (!value.is_missing()) return value;
  }
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  const auto whole = std::from_chars(text.data(), end, integer);
  if (whole.ec == std::errc() && whole.ptr == end && !text.empty()) return bson::Value::of(integer);
  double number = 0;
  const auto parsed = std::from_chars(text.data(), end, number, std::chars_format::general);
  if (parsed.ec == std::errc() && parsed.ptr == end && !text.empty())
    return bson::Value::of(number);
  return bson::Value::of(text);
}

void show_logs(Terminal& terminal, const char* title, bson::ValueView logs) {
  std::vector<std::string> lines;
  for (const bson::Value& line : app::elements_of(logs)) {
    lines.emplace_back(line.view().as_string().value_or(""));
  }
  if (!lines.empty()) terminal.list(title, lines);
}

Status run_function(Session& session, const FunctionOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  std::vector<bson::Value> arguments;
  for (const std::string& text : options.arguments) arguments.push_back(argument_of(text));
  Members body;
  body.set("name", bson::Value::of(options.name));
  body.set("arguments", app::array_of(arguments));
  const std::string as =
      options.user.empty() ? "?run_as_system=true" : query({{"user_id", options.user}});
  session.terminal().progress("Running function");
  RESTITCH_TRY(const bson::Value answer,
               api->call("POST", app.path() + "/debug/execute_function" + as, to_text(body)));
  const Members result(answer);
  Terminal& terminal = session.terminal();
  const std::string time = Members(result["stats"]).text("execution_time");
  if (!time.empty()) terminal.say("Execution Time: " + time);
  show_logs(terminal, "Logs", result["logs"]);
  show_logs(terminal, "Error Logs", result["error_logs"]);
  const bson::ValueView value = result["result"];
  terminal.document("Result", value.is_missing() ? bson::Value::null() : bson::Value(value));
  return {};
}

Status list(Session& session, const FunctionOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer, api->get(app.path() + "/functions"));
  std::vector<std::vector<std::string>> rows;
  for (const bson::Value& value : app::elements_of(answer)) {
    const Members function(value);
    rows.push_back({function.text("_id"), function.text("name")});
  }
  if (rows.empty()) {
    session.terminal().say("No available functions to show");
    return {};
  }
  session.terminal().table("Found " + std::to_string(rows.size()) + " functions", {"ID", "Name"},
                           rows);
  return {};
}

}  // namespace

void add_function_commands(Registry& registry) {
  CLI::App* group = registry.group("function", "Functions of an app");
  group->alias("functions");
  const auto options = std::make_shared<FunctionOptions>();
  CLI::App* run_command =
      registry.command(group, "run", "Call a function", "function run",
                       [options](Session& session) { return run_function(session, *options); });
  run_command->add_option("-a,--app", options->app,
                          "App: id, beginning of an id, or name (default: that of the directory)");
  run_command->add_option("--name,NAME", options->name, "Name of the function")->required();
  run_command->add_option("--args", options->arguments,
                          "An argument: JSON object or array, number, or text (repeatable)");
  run_command->add_option("--user", options->user,
                          "Id of the user to run as (default: the system)");
  const auto listed = std::make_shared<FunctionOptions>();
  CLI::App* list_command =
      registry.command(group, "list", "List the functions", "function list",
                       [listed](Session& session) { return list(session, *listed); });
  list_command->alias("ls");
  list_command->add_option("-a,--app", listed->app,
                           "App: id, beginning of an id, or name (default: that of the directory)");
}

}  // namespace restitch::cli
