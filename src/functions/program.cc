#include "functions/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "functions/worker_process.h"

extern char** environ;

namespace restitch::functions {
namespace {

class SpawnSettings {
 public:
  explicit SpawnSettings(const Program& program) {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    open(STDOUT_FILENO, program.output);
    open(STDERR_FILENO, program.errors);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    ::posix_spawn_file_actions_addchdir_np(&actions, program.folder.c_str());
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

 private:
  void open(int descriptor, const std::string& file) {
    const char* path = file.empty() ? "/dev/null" : file.c_str();
    ::posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_TRUNC,
                                       0600);
  }
};

// Whether the process ended within the time.
bool ends_in_time(pid_t pid, const Program& program) {
  constexpr std::chrono::milliseconds kLook{100};
  const OwnedDescriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) return false;
  pollfd waited{handle.get(), POLLIN, 0};
  const auto until = std::chrono::steady_clock::now() + program.time;
  while (std::chrono::steady_clock::now() < until) {
    const int ready = ::poll(&waited, 1, static_cast<int>(kLook.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (program.stopping != nullptr && program.stopping->load()) return false;
  }
  return false;
}

// What it starts inherits the limit.
void limit_files(pid_t pid, std::uint64_t bytes) {
  if (bytes == 0) return;
  const rlimit limit{bytes, bytes};
  ::prlimit(pid, RLIMIT_FSIZE, &limit, nullptr);
}

}  // namespace

Result<Ended> run_program(const Program& program) {
  std::vector<std::string> arguments = program.arguments;
  arguments.insert(arguments.begin(), program.program);
  std::vector<std::string> variables = program.environment;
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> variable_pointers = pointers(variables);
  const SpawnSettings spawn(program);
  pid_t pid = -1;
  const int failed =
      ::posix_spawnp(&pid, program.program.c_str(), &spawn.actions, &spawn.attributes,
                     argument_pointers.data(), variable_pointers.data());
  if (failed != 0) return Error(ErrorCode::kIo, std::strerror(failed));
  limit_files(pid, program.max_file_bytes);
  Ended ended;
  ended.in_time = ends_in_time(pid, program);
  // Also when it ended by itself: it may have left something behind.
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

std::vector<std::string> inherited(std::span<const std::string_view> names,
                                   std::span<const std::string_view> beginnings) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool is_wanted =
        std::find(names.begin(), names.end(), name) != names.end() ||
        std::any_of(beginnings.begin(), beginnings.end(),
                    [&](std::string_view beginning) { return name.starts_with(beginning); });
    if (is_wanted) result.emplace_back(text);
  }
  return result;
}

}  // namespace restitch::functions
