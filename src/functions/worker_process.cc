#include "functions/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace restitch::functions {

namespace {

constexpr int kFirstFreeDescriptor = 16;
// A function that computes does not delay the server's own answers.
constexpr int kNice = 5;
constexpr std::array kDescriptorsOfWorker = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, 3, 4};

// Variables that a worker inherits; everything else (secrets of the server's configuration among
// it) stays away.
constexpr std::array kInherited = {
    "PATH", "TZ", "LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"};

Error system_error(const char* what) {
  return Error(ErrorCode::kInternal, "the function worker cannot be started")
      .with_detail(std::string(what) + ": " + std::strerror(errno));
}

struct Pipe {
  OwnedDescriptor read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe");
  return Pipe{OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1])};
}

Status set_nonblocking(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0) {
    return system_error("fcntl");
  }
  return {};
}

std::vector<std::string> environment() {
  std::vector<std::string> result;
  for (const char* name : kInherited) {
    if (const char* value = std::getenv(name)) result.push_back(std::string(name) + "=" + value);
  }
  return result;
}

void limit(int resource) {
  const rlimit none{0, 0};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &none);
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become_worker(const std::array<int, 5>& sources, const char* program,
                                char* const* arguments, char* const* variables, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kNice);
  limit(RLIMIT_CORE);
  limit(RLIMIT_FSIZE);

  // Moved out of the way first: a source may have the number of another's target.
  std::array<int, 5> moved{};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    moved[i] = ::fcntl(sources[i], F_DUPFD, kFirstFreeDescriptor);
    if (moved[i] < 0) ::_exit(126);
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (::dup2(moved[i], kDescriptorsOfWorker[i]) < 0) ::_exit(126);
  }
  ::close_range(kDescriptorsOfWorker.size(), ~0U, 0);

  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::chdir("/") != 0) ::_exit(126);
  ::execvpe(program, arguments, variables);
  ::_exit(127);
}

}  // namespace

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

OwnedDescriptor::~OwnedDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<WorkerProcess> start_worker_process(const ProcessSettings& settings) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_error("socketpair");
  }
  WorkerProcess process;
  process.socket = OwnedDescriptor(ends[0]);
  OwnedDescriptor far_socket(ends[1]);
  RESTITCH_TRY(Pipe tickets, make_pipe());
  RESTITCH_TRY(Pipe output, make_pipe());
  RESTITCH_TRY(Pipe errors, make_pipe());
  OwnedDescriptor input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input) return system_error("/dev/null");
  // Both ends of the ticket pipe: the read end is shared with the worker.
  RESTITCH_CHECK(set_nonblocking(tickets.read.get()));
  RESTITCH_CHECK(set_nonblocking(tickets.write.get()));
  RESTITCH_CHECK(set_nonblocking(output.read.get()));
  RESTITCH_CHECK(set_nonblocking(errors.read.get()));

  std::vector<std::string> arguments = {
      settings.node_binary, "--max-old-space-size=" + std::to_string(settings.memory_mb),
      "--disallow-code-generation-from-strings", "--no-warnings", settings.script};
  if (!settings.inspect.empty()) arguments.push_back("--inspect=" + settings.inspect);
  std::vector<std::string> variables = environment();
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> variable_pointers = pointers(variables);
  const std::array<int, 5> sources = {input.get(), output.write.get(), errors.write.get(),
                                      far_socket.get(), tickets.read.get()};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    become_worker(sources, settings.node_binary.c_str(), argument_pointers.data(),
                  variable_pointers.data(), parent);
  }
  ::setpgid(pid, pid);
  process.pid = pid;
  process.handle = OwnedDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.handle) {
    kill_worker_process(pid);
    return system_error("pidfd_open");
  }
  process.ticket_read = std::move(tickets.read);
  process.ticket_write = std::move(tickets.write);
  process.output = std::move(output.read);
  process.errors = std::move(errors.read);
  return process;
}

void kill_worker_process(pid_t pid) {
  if (::kill(-pid, SIGKILL) != 0) ::kill(pid, SIGKILL);
}

}  // namespace restitch::functions
