#include "server/users_command.h"

#include <fstream>
#include <iostream>
#include <optional>

#include "server/backup/control_socket.h"

namespace restitch::server {
namespace {

int fail(const std::string& message) {
  std::cerr << "restitch: " << message << "\n";
  return 1;
}

}  // namespace

int run_import_users(const ImportUsersOptions& options) {
  std::ifstream file;
  if (options.file != "-") file.open(options.file);
  std::istream& input = options.file == "-" ? std::cin : file;
  if (!input) return fail("cannot read " + options.file);
  bson::Builder command;
  command.append("command", "importUsers").append("app", options.app);
  const bson::Document request = std::move(command).finish();
  bool is_whole = false;
  const auto next = [&input]() -> std::optional<std::string> {
    std::string line;
    if (!std::getline(input, line)) return std::nullopt;
    return line;
  };
  const auto show = [&is_whole](bson::View reply) {
    const auto text = reply["error"].as_string();
    if (const auto line = reply["line"].as_integer()) {
      std::cerr << "line " << *line << ": " << text.value_or("") << "\n";
    } else if (text) {
      std::cerr << "restitch: " << *text << "\n";
    } else {
      const std::int64_t refused = reply["refused"].as_integer().value_or(0);
      std::cout << reply["imported"].as_integer().value_or(0) << " users imported, " << refused
                << " refused\n";
      is_whole = refused == 0;
    }
  };
  const Status done = backup::run_command(options.data_directory, request.view(), next, show);
  if (!done) return fail(done.error().message());
  return is_whole ? 0 : 1;
}

int run_rotate_key(const RotateKeyOptions& options) {
  bson::Builder command;
  command.append("command", "rotateSigningKey").append("app", options.app);
  command.append("forgetFormer", options.forget_former);
  const bson::Document request = std::move(command).finish();
  std::string problem;
  const auto nothing = []() { return std::optional<std::string>(); };
  const auto note = [&problem](bson::View reply) {
    problem = std::string(reply["error"].as_string().value_or(""));
  };
  const Status done = backup::run_command(options.data_directory, request.view(), nothing, note);
  if (!done) return fail(done.error().message());
  if (!problem.empty()) return fail(problem);
  std::cout << "The tokens of " << options.app << " are signed with a new key.\n";
  return 0;
}

}  // namespace restitch::server
