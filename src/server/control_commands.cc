#include "server/control_commands.h"

#include "base/log.h"
#include "bson/extended_json.h"
#include "deployment/user_import.h"
#include "runtime/run_and_wait.h"

namespace restitch::server {
namespace {

constexpr std::int64_t kMaxReported = 100;  // lines with mistakes; the rest are only counted

}  // namespace

void ControlCommands::run(const bson::Document& command, backup::ControlClient& client) {
  const auto name = command["command"].as_string();
  const std::string app(command["app"].as_string().value_or(""));
  Status outcome = Error(ErrorCode::kInvalidArgument, "unknown command");
  if (name == "importUsers") outcome = import_users(app, client);
  if (name == "rotateSigningKey") outcome = rotate_signing_key(command, app);
  if (!outcome) {
    client.send(bson::make_document("error", outcome.error().message()).view());
  } else if (name == "rotateSigningKey") {
    client.send(bson::make_document("done", true).view());
  }
}

Status ControlCommands::import_users(const std::string& client_app_id,
                                     backup::ControlClient& client) {
  const deployment::DeployedAppPtr app = apps_.find(client_app_id);
  if (!app) return Error(ErrorCode::kAppNotFound, "no app '" + client_app_id + "' is running");
  std::int64_t number = 0, imported = 0, wrong = 0;
  while (true) {
    RESTITCH_TRY(const auto line, client.read_line());
    if (!line) break;
    ++number;
    if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
    const Status stored = import_line(app, *line);
    if (stored) {
      ++imported;
      continue;
    }
    if (++wrong > kMaxReported) continue;
    bson::Builder report;
    report.append("line", number).append("error", stored.error().message());
    client.send(std::move(report).finish().view());
  }
  RESTITCH_LOG(kInfo, kServer, 15, "Users imported", {"app", client_app_id}, {"users", imported},
               {"refused", wrong});
  bson::Builder total;
  total.append("imported", imported).append("refused", wrong);
  client.send(std::move(total).finish().view());
  return {};
}

Status ControlCommands::import_line(const deployment::DeployedAppPtr& app,
                                    const std::string& line) {
  RESTITCH_TRY(const bson::Document document, bson::parse_json_document(line));
  RESTITCH_TRY(deployment::ImportedUser user,
               deployment::read_imported_user(document.view(), *app));
  return runtime::run_and_wait(threads_.context(0),
                               deployment::import_user(auth_, app, std::move(user)));
}

Status ControlCommands::rotate_signing_key(const bson::Document& command,
                                           const std::string& client_app_id) {
  const bool keep_former = !command["forgetFormer"].as_bool().value_or(false);
  return runtime::run_and_wait(threads_.context(0),
                               deployer_.rotate_signing_key(client_app_id, keep_former));
}

}  // namespace restitch::server
