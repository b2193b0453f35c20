#include "functions/dependencies/npm.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/encoding.h"
#include "functions/worker_process.h"

extern char** environ;

namespace restitch::functions {
namespace {

constexpr std::size_t kMaxSaidBytes = 1500;
constexpr std::size_t kMaxSaidLines = 6;
constexpr std::string_view kLogFile = "npm.log";

// What npm needs of the server's environment: where registries are, and how to reach them.
constexpr std::array<std::string_view, 14> kInherited = {"PATH",
                                                         "HOME",
                                                         "TZ",
                                                         "LANG",
                                                         "LC_ALL",
                                                         "SSL_CERT_DIR",
                                                         "SSL_CERT_FILE",
                                                         "NODE_EXTRA_CA_CERTS",
                                                         "HTTP_PROXY",
                                                         "HTTPS_PROXY",
                                                         "NO_PROXY",
                                                         "http_proxy",
                                                         "https_proxy",
                                                         "no_proxy"};

std::vector<std::string> environment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    bool wanted = name.starts_with("npm_config_") || name.starts_with("NPM_CONFIG_");
    for (const std::string_view known : kInherited) wanted = wanted || name == known;
    if (wanted) result.emplace_back(text);
  }
  return result;
}

Error not_started(const std::string& program, int error) {
  return Error(ErrorCode::kInvalidArgument, "'" + program +
                                                "' cannot be started: " + std::strerror(error) +
                                                "; install npm, or upload node_modules");
}

// The complaints of npm, without its prefixes.
std::string said_by_npm(const std::string& folder) {
  std::ifstream file(folder + "/" + std::string(kLogFile));
  std::string said;
  std::string line;
  for (std::size_t lines = 0; lines < kMaxSaidLines && std::getline(file, line);) {
    for (const std::string_view prefix : {"npm error ", "npm ERR! "}) {
      if (line.starts_with(prefix)) line.erase(0, prefix.size());
    }
    const bool is_noise = line.empty() || line.starts_with("npm ") || line.starts_with("code ") ||
                          line.find("complete log of this run") != std::string::npos;
    if (is_noise || !is_valid_utf8(line)) continue;
    if (!said.empty()) said += "; ";
    said += line;
    ++lines;
  }
  if (said.size() > kMaxSaidBytes) said.resize(kMaxSaidBytes);
  return is_valid_utf8(said) ? said : "no readable reason";
}

class SpawnSettings {
 public:
  explicit SpawnSettings(const std::string& folder) {
    ::posix_spawn_file_actions_init(&actions);
    const std::string log = folder + "/" + std::string(kLogFile);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// Whether the process ended within the time.
bool ends_within(pid_t pid, std::chrono::seconds time) {
  const OwnedDescriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) return false;
  pollfd waited{handle.get(), POLLIN, 0};
  const auto until = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    const int ready = ::poll(&waited, 1, static_cast<int>(left.count()));
    if (ready != -1 || errno != EINTR) return ready > 0;
  }
}

}  // namespace

Status npm_install(const std::string& folder, const NpmSettings& settings) {
  std::error_code ignored;
  const bool is_locked = std::filesystem::exists(folder + "/package-lock.json", ignored);
  std::vector<std::string> arguments = {settings.program,   is_locked ? "ci" : "install",
                                        "--ignore-scripts", "--omit=dev",
                                        "--no-audit",       "--no-fund",
                                        "--no-progress",    "--no-update-notifier",
                                        "--loglevel=error", "--workspaces=false"};
  if (!is_locked) arguments.emplace_back("--no-package-lock");
  if (!settings.cache.empty()) arguments.emplace_back("--cache=" + settings.cache);
  std::vector<std::string> variables = environment();
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> variable_pointers = pointers(variables);
  const SpawnSettings spawn(folder);
  pid_t pid = -1;
  const int failed =
      ::posix_spawnp(&pid, settings.program.c_str(), &spawn.actions, &spawn.attributes,
                     argument_pointers.data(), variable_pointers.data());
  if (failed != 0) return not_started(settings.program, failed);
  const bool ended = ends_within(pid, settings.time);
  if (!ended) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) {
    return Error(ErrorCode::kInvalidArgument,
                 "npm took longer than " + std::to_string(settings.time.count()) + " s");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error(ErrorCode::kInvalidArgument, "npm cannot install it: " + said_by_npm(folder));
}

}  // namespace restitch::functions
