#include "cli/registry.h"
#include "cli/time_pages.h"

namespace restitch::cli {
namespace {

constexpr std::size_t kMaxShown = 10'000;

struct AuditOptions {
  std::string app, user, request, method, path, start, end;
  std::size_t at_most = 100;
  bool refused = false;
};

Result<std::string> group_of(Session& session) {
  if (!session.options().project.empty()) return session.options().project;
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<std::string> groups, api->groups());
  if (groups.empty()) return setup_error("the administrator has no project");
  return groups.front();
}

// An app that is gone is known by its ids only.
Result<std::string> app_filter(Session& session, const std::string& wanted) {
  if (wanted.empty()) return wanted;
  RESTITCH_TRY(const auto app, session.look_for_app(wanted, ""));
  return app ? app->id : wanted;
}

Status list(Session& session, const AuditOptions& options) {
  TimePagesQuery query;
  RESTITCH_TRY(query.start, date_option(options.start, "--start"));
  RESTITCH_TRY(query.end, date_option(options.end, "--end"));
  RESTITCH_TRY(const std::string app, app_filter(session, options.app));
  RESTITCH_TRY(const std::string group, group_of(session));
  RESTITCH_TRY(AdminApi * api, session.api());
  query.path = "/groups/" + group + "/audit_log";
  query.member = "entries";
  query.parameters = {{"app", app},
                      {"user", options.user},
                      {"co_id", options.request},
                      {"method", options.method},
                      {"path", options.path},
                      {"errors_only", options.refused ? "true" : ""}};
  RESTITCH_TRY(const std::vector<Members> entries, read_time_pages(*api, query, options.at_most));
  if (entries.empty()) {
    session.terminal().say("No changes to show");
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const Members& entry : entries) {
    rows.push_back({entry.text("time"), entry.text("username"), entry.text("remote_ip_address"),
                    entry.text("origin"), entry.text("client_app_id"),
                    entry.text("request_method"), entry.text("request_url"),
                    std::to_string(entry["status"].as_integer().value_or(0)),
                    entry.text("co_id")});
  }
  session.terminal().table(
      "Found " + std::to_string(rows.size()) + " changes, newest first",
      {"Time", "User", "Address", "Origin", "App", "Method", "Path", "Status", "Request"}, rows);
  return {};
}

}  // namespace

void add_audit_commands(Registry& registry) {
  CLI::App* group = registry.group("audit", "What administrators changed");
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* command =
      registry.command(group, "list", "List changes and sign-ins of administrators, newest first",
                       "audit list", [options](Session& session) { return list(session, *options); });
  command->alias("ls");
  command->add_option("-a,--app", options->app,
                      "Only of this app: id, beginning of an id, or name; of a deleted one, its id");
  command->add_option("-u,--user", options->user, "Only by this administrator: name or id");
  command->add_option("--request", options->request, "Only this request");
  command->add_option("--method", options->method, "Only POST, PUT, PATCH or DELETE")
      ->check(CLI::IsMember({"POST", "PUT", "PATCH", "DELETE"}));
  command->add_option("--path", options->path, "Only paths that hold this, e.g. /secrets");
  command->add_flag("--refused", options->refused, "Only what was refused");
  command->add_option("--start", options->start,
                      "From this date on, e.g. 2022-05-31 or 2022-05-31T18:00");
  command->add_option("--end", options->end, "Up to this date");
  command->add_option("-n,--limit", options->at_most, "How many at most")
      ->check(CLI::Range(std::size_t{1}, kMaxShown))
      ->capture_default_str();
}

}  // namespace restitch::cli
