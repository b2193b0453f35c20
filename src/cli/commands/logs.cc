#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <thread>

#include "bson/extended_json.h"
#include "cli/dates.h"
#include "cli/registry.h"
#include "cli/time_pages.h"

namespace restitch::cli {
namespace {

constexpr std::size_t kFirstOfTail = 5;
constexpr auto kBetweenLooks = std::chrono::milliseconds(2000);
constexpr auto kStep = std::chrono::milliseconds(100);
constexpr std::size_t kMaxShown = 10'000;

struct LogOptions {
  std::string app, start, end, user, request;
  std::vector<std::string> types;
  bool errors = false, tail = false;
};

const std::map<std::string, std::string>& type_groups() {
  static const std::map<std::string, std::string> groups = {
      {"auth", "AUTH,API_KEY"},
      {"deployment", "DEPLOYMENT"},
      {"endpoint", "ENDPOINT,WEBHOOK"},
      {"function", "FUNCTION"},
      {"graphql", "GRAPHQL"},
      {"push", "PUSH"},
      {"schema", "SCHEMA_ADDITIVE_CHANGE,SCHEMA_GENERATION,SCHEMA_VALIDATION"},
      {"service", "SERVICE_FUNCTION,WEBHOOK,SERVICE_STREAM_FUNCTION,STREAM_FUNCTION"},
      {"sync",
       "SYNC_CONNECTION_START,SYNC_CONNECTION_END,SYNC_SESSION_START,SYNC_SESSION_END,"
       "SYNC_CLIENT_WRITE,SYNC_ERROR,SYNC_OTHER"},
      {"trigger", "AUTH_TRIGGER,DB_TRIGGER,SCHEDULED_TRIGGER"}};
  return groups;
}

std::string type_title(const std::string& type) {
  static const std::map<std::string, std::string> titles = {
      {"API_KEY", "API Key"},
      {"AUTH", "Authentication"},
      {"AUTH_TRIGGER", "Trigger -> Auth"},
      {"DB_TRIGGER", "Trigger -> Database"},
      {"DEPLOYMENT", "Deployment"},
      {"ENDPOINT", "Endpoint"},
      {"FUNCTION", "Function"},
      {"GRAPHQL", "GraphQL"},
      {"LOG_FORWARDER", "Log Forwarder"},
      {"PUSH", "Push"},
      {"SCHEDULED_TRIGGER", "Trigger -> Scheduled"},
      {"SCHEMA_ADDITIVE_CHANGE", "Schema -> Additive Change"},
      {"SCHEMA_GENERATION", "Schema -> Generation"},
      {"SCHEMA_VALIDATION", "Schema -> Validation"},
      {"SERVICE_FUNCTION", "Function -> Service"},
      {"SERVICE_STREAM_FUNCTION", "Stream Function -> Service"},
      {"STREAM_FUNCTION", "Stream Function"},
      {"SYNC_CLIENT_WRITE", "Sync -> Write"},
      {"SYNC_CONNECTION_END", "Sync -> Connection End"},
      {"SYNC_CONNECTION_START", "Sync -> Connection Start"},
      {"SYNC_ERROR", "Sync -> Error"},
      {"SYNC_OTHER", "Sync -> Other"},
      {"SYNC_SESSION_END", "Sync -> Session End"},
      {"SYNC_SESSION_START", "Sync -> Session Start"},
      {"TRIGGER_ERROR_HANDLER", "Trigger -> Error Handler"},
      {"TRIGGER_FAILURE", "Trigger -> Failure"},
      {"WEBHOOK", "Webhook"}};
  const auto title = titles.find(type);
  return title == titles.end() ? "Other" : title->second;
}

std::string right(std::string text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string name_of(const Members& log) {
  for (const char* key : {"function_name", "event_subscription_name", "endpoint_route",
                          "incoming_webhook_name", "log_forwarder_name", "auth_event"}) {
    const std::string name = log.text(key);
    if (!name.empty()) return name;
  }
  return Members(log["auth_event"]).text("provider");
}

// What one entry prints, as the official command line does.
std::vector<std::string> lines_of(const Members& log) {
  const auto started = parse_date(log.text("started"));
  const auto completed = parse_date(log.text("completed"));
  std::string line = started ? log_time(*started) : log.text("started");
  const std::int64_t millis = started && completed ? *completed - *started : 0;
  line += " " + right("[" + std::to_string(millis) + "ms]", 9);
  line += " " + right(type_title(log.text("type")), 26);
  if (!name_of(log).empty()) line += " " + name_of(log);
  const std::string error = log.text("error");
  line += error.empty() ? ": OK" : ": " + log.text("error_code") + "Error - " + error;
  std::vector<std::string> lines = {line};
  const std::string details = log.text("error_details");
  for (std::size_t at = 0; at < details.size();) {
    const std::size_t end = std::min(details.find('\n', at), details.size());
    lines.push_back("  " + details.substr(at, end - at));
    at = end + 1;
  }
  for (const bson::Value& message : app::elements_of(log["messages"])) {
    const auto text = message.view().as_string();
    lines.push_back("  " + (text ? std::string(*text)
                                 : bson::to_json(message.view(), bson::JsonMode::kRelaxed)));
  }
  return lines;
}

void print(Terminal& terminal, std::vector<Members> logs) {
  std::stable_sort(logs.begin(), logs.end(), [](const Members& left, const Members& right) {
    return parse_date(left.text("started")).value_or(0) <
           parse_date(right.text("started")).value_or(0);
  });
  for (const Members& log : logs) {
    const std::vector<std::string> lines = lines_of(log);
    if (terminal.is_json()) {
      terminal.document(lines.front(), log.value());
    } else {
      for (const std::string& line : lines) terminal.say(line);
    }
  }
}

class LogReader {
 public:
  LogReader(AdminApi& api, const RemoteApp& app, const LogOptions& options)
      : api_(api), app_(app), options_(options) {
    for (const std::string& type : options.types) {
      types_.append(types_.empty() ? "" : ",").append(type_groups().at(type));
    }
  }

  // Newest first.
  Result<std::vector<Members>> read(const std::string& start, const std::string& end,
                                    std::size_t at_most) {
    TimePagesQuery query;
    query.path = app_.path() + "/logs";
    query.member = "logs";
    query.parameters = {{"type", types_},
                        {"errors_only", options_.errors ? "true" : ""},
                        {"user_id", options_.user},
                        {"co_id", options_.request}};
    query.start = start;
    query.end = end;
    return read_time_pages(api_, query, at_most);
  }

 private:
  AdminApi& api_;
  const RemoteApp& app_;
  const LogOptions& options_;
  std::string types_;
};

Status follow(Session& session, LogReader& reader, std::vector<Members> logs) {
  if (logs.size() > kFirstOfTail) logs.resize(kFirstOfTail);
  std::string latest = logs.empty() ? query_time(now_millis()) : logs.front().text("started");
  print(session.terminal(), std::move(logs));
  while (!was_interrupted()) {
    for (auto waited = std::chrono::milliseconds(0); waited < kBetweenLooks && !was_interrupted();
         waited += kStep) {
      std::this_thread::sleep_for(kStep);
    }
    if (was_interrupted()) break;
    RESTITCH_TRY(std::vector<Members> fresh, reader.read(latest, "", kMaxShown));
    if (fresh.empty()) continue;
    latest = fresh.front().text("started");
    print(session.terminal(), std::move(fresh));
  }
  return {};
}

Status list(Session& session, const LogOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::string start, date_option(options.start, "--start"));
  RESTITCH_TRY(const std::string end, date_option(options.end, "--end"));
  LogReader reader(*api, app, options);
  RESTITCH_TRY(std::vector<Members> logs,
               reader.read(start, end, options.tail ? kFirstOfTail : kMaxShown));
  if (options.tail) return follow(session, reader, std::move(logs));
  if (logs.empty()) {
    session.terminal().say("No logs to show");
    return {};
  }
  print(session.terminal(), std::move(logs));
  return {};
}

}  // namespace

void add_log_commands(Registry& registry) {
  CLI::App* group = registry.group("logs", "Logs of an app");
  group->alias("log");
  const auto options = std::make_shared<LogOptions>();
  CLI::App* command =
      registry.command(group, "list", "Show the logs, oldest first", "log list",
                       [options](Session& session) { return list(session, *options); });
  command->alias("ls");
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  command
      ->add_option(
          "--type", options->types,
          "auth, deployment, endpoint, function, graphql, push, schema, service, sync or trigger (repeatable)")
      ->delimiter(',')
      ->check(CLI::IsMember({"auth", "deployment", "endpoint", "function", "graphql", "push", "schema", "service",
                             "sync", "trigger"}));
  command->add_flag("--errors", options->errors, "Only what failed");
  command->add_option("--start", options->start,
                      "From this date on, e.g. 2022-05-31 or 2022-05-31T18:00");
  command->add_option("--end", options->end, "Up to this date");
  command->add_option("--user", options->user, "Only requests of this user id");
  command->add_option("--request", options->request, "Only this request (co_id)");
  command->add_flag("--tail,--follow", options->tail,
                    "Show the last ones, then each as it comes; Ctrl-C ends");
}

}  // namespace restitch::cli
