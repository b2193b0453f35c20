#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>

#include "base/kill_point.h"
#include "base/log.h"
#include "server/check_command.h"
#include "server/options.h"
#include "server/rules_test_command.h"
#include "server/server.h"
#include "server/validate_command.h"

namespace restitch::server {
namespace {

log::Severity severity_of(const std::string& level) {
  if (level == "debug") return log::Severity::kDebug1;
  if (level == "warning") return log::Severity::kWarning;
  if (level == "error") return log::Severity::kError;
  return log::Severity::kInfo;
}

// Blocks the stop signals in this thread and all that it starts, so that wait_for_stop alone receives them.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Starts the program anew in this process, without an orderly stop, for which the storage is in no state: what it has
// acknowledged is in its log. Returns only if that fails.
void restart(char** arguments) {
  RESTITCH_LOG(kWarning, kServer, 16, "Starting anew, since the storage cannot write otherwise");
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  execv("/proc/self/exe", arguments);
}

// A disk that fails for good must not make the server start over and over without a pause.
constexpr auto kLeastTimeBetweenStarts = std::chrono::seconds(30);

void wait_for_stop(const sigset_t& signals, Server& server, bool watch, char** arguments) {
  constexpr timespec kOneSecond{1, 0};
  const auto may_restart = std::chrono::steady_clock::now() + kLeastTimeBetweenStarts;
  while (true) {
    if (sigtimedwait(&signals, nullptr, &kOneSecond) > 0) return;
    if (watch) server.redeploy_changed_apps();
    if (server.needs_restart() && std::chrono::steady_clock::now() >= may_restart) restart(arguments);
  }
}

int run_serve(ServeOptions options, char** arguments) {
  log::set_level_of_all(severity_of(options.log_level));
  const sigset_t signals = block_stop_signals();
  const bool watch = options.watch;
  auto server = Server::start(std::move(options));
  if (!server) {
    std::cerr << "restitch: " << server.error().message() << "\n";
    return 1;
  }
  wait_for_stop(signals, **server, watch, arguments);
  const Status stopped = (*server)->stop();
  if (!stopped) {
    std::cerr << "restitch: " << stopped.error().message() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace restitch::server

int main(int argc, char** argv) {
  using namespace restitch::server;
  ParsedCommandLine parsed = parse_command_line(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  restitch::kill_point::arm_from_environment();
  if (parsed.command.client) return parsed.command.client();
  if (parsed.command.check) return run_check(*parsed.command.check);
  if (parsed.command.backup) return backup::run_backup(*parsed.command.backup);
  if (parsed.command.restore) return backup::run_restore(*parsed.command.restore);
  if (parsed.command.import_users) return run_import_users(*parsed.command.import_users);
  if (parsed.command.rotate_key) return run_rotate_key(*parsed.command.rotate_key);
  if (parsed.command.validate) return run_validate(*parsed.command.validate);
  if (parsed.command.rules_test) return run_rules_test(*parsed.command.rules_test);
  return run_serve(std::move(*parsed.command.serve), argv);
}
