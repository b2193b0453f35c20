#include "server/backup/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "bson/extended_json.h"
#include "server/backup/backup.h"

namespace restitch::server::backup {
namespace {

constexpr const char* kSocketName = "control.sock";
constexpr std::string_view kFreeze = "freeze";
constexpr std::size_t kMostLine = 1U << 20U;
constexpr int kRequestMilliseconds = 5000;
constexpr std::size_t kMostReply = 4096;

Error failed(const std::string& what) {
  return Error(ErrorCode::kIo, what + ": " + std::strerror(errno));
}

// Addresses are short (108 bytes), paths are not: the directory is named through its open
// descriptor.
sockaddr_un address_in(int directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory,
                kSocketName);
  return address;
}

Result<File> open_directory(const std::string& path) {
  File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
  if (directory.descriptor() < 0) return failed("cannot open " + path);
  return directory;
}

Result<File> make_socket() {
  File socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "control socket");
  if (socket.descriptor() < 0) return failed("cannot make a socket");
  return socket;
}

// Up to and with the first newline.
Result<std::string> read_line(const File& file) {
  std::string line;
  char next = 0;
  while (line.size() < kMostReply && line.find('\n') == std::string::npos) {
    const ssize_t count = ::read(file.descriptor(), &next, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Error(ErrorCode::kIo, "the server hung up");
    line += next;
  }
  return line;
}

Result<File> connect_to(const std::string& data_directory) {
  RESTITCH_TRY(const File directory, open_directory(data_directory));
  RESTITCH_TRY(File connection, make_socket());
  const sockaddr_un address = address_in(directory.descriptor());
  if (::connect(connection.descriptor(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
    return failed("no running server uses the data directory " + data_directory +
                  ", or it cannot be asked");
  }
  return connection;
}

void send_line(const File& file, bson::View reply) {
  const std::string line = bson::to_json(reply) + "\n";
  static_cast<void>(::send(file.descriptor(), line.data(), line.size(), MSG_NOSIGNAL));
}

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::string& data_directory,
                                                           Freeze freeze, Command command) {
  RESTITCH_TRY(const File directory, open_directory(data_directory));
  RESTITCH_TRY(File listener, make_socket());
  ::unlinkat(directory.descriptor(), kSocketName, 0);
  const sockaddr_un address = address_in(directory.descriptor());
  const mode_t mask = ::umask(0177);
  const int bound =
      ::bind(listener.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::umask(mask);
  if (bound != 0 || ::listen(listener.descriptor(), 4) != 0)
    return failed("cannot listen on " + data_directory + "/" + kSocketName);
  File stop_event(::eventfd(0, EFD_CLOEXEC), "event");
  if (stop_event.descriptor() < 0) return failed("cannot make an event");
  return std::unique_ptr<ControlSocket>(new ControlSocket(
      data_directory, std::move(freeze), std::move(command), std::move(listener),
      std::move(stop_event)));
}

ControlSocket::ControlSocket(std::string data_directory, Freeze freeze, Command command,
                             File listener, File stop_event)
    : data_directory_(std::move(data_directory)),
      freeze_(std::move(freeze)),
      command_(std::move(command)),
      listener_(std::move(listener)),
      stop_event_(std::move(stop_event)),
      thread_([this] { run(); }) {}

ControlSocket::~ControlSocket() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_event_.descriptor(), &one, sizeof(one)));
  thread_.join();
  ::unlink((data_directory_ + "/" + kSocketName).c_str());
}

// True when there is something to read (or the other side hung up), false when it is time to stop
// or to give up.
bool ControlSocket::wait(const File& file, int timeout_ms) {
  pollfd waited[] = {{file.descriptor(), POLLIN, 0}, {stop_event_.descriptor(), POLLIN, 0}};
  int ready = 0;
  do {
    ready = ::poll(waited, 2, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0 && waited[1].revents == 0;
}

void ControlSocket::run() {
  log::set_thread_context("control");
  while (wait(listener_, -1)) {
    File client(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC),
                "control client");
    if (client.descriptor() >= 0) serve(std::move(client));
  }
}

// Reads ahead; a line is bounded, and so is the time until more of it comes.
class ControlSocket::Peer final : public ControlClient {
 public:
  Peer(ControlSocket& owner, const File& file) : owner_(owner), file_(file) {}

  Result<std::optional<std::string>> read_line() override {
    while (true) {
      const std::size_t end = ahead_.find('\n');
      if (end != std::string::npos || has_ended_) return take(end);
      if (ahead_.size() > kMostLine) return Error(ErrorCode::kIo, "a line is too long");
      char buffer[16 * 1024];
      if (!owner_.wait(file_, kRequestMilliseconds)) return Error(ErrorCode::kIo, "nothing came");
      const ssize_t count = ::read(file_.descriptor(), buffer, sizeof(buffer));
      if (count < 0 && errno != EINTR) return failed("cannot read from the client");
      has_ended_ = count == 0;
      if (count > 0) ahead_.append(buffer, static_cast<std::size_t>(count));
    }
  }

  void send(bson::View reply) override { send_line(file_, reply); }

 private:
  std::optional<std::string> take(std::size_t end) {
    if (end == std::string::npos && ahead_.empty()) return std::nullopt;
    std::string line = ahead_.substr(0, end);
    ahead_.erase(0, end == std::string::npos ? end : end + 1);
    return line;
  }

  ControlSocket& owner_;
  const File& file_;
  std::string ahead_;
  bool has_ended_ = false;
};

void ControlSocket::serve(File client) {
  Peer peer(*this, client);
  const auto line = peer.read_line();
  if (line && *line && **line == kFreeze) return freeze(client);
  auto command = line && *line ? bson::parse_json_document(**line)
                               : Result<bson::Document>(Error(ErrorCode::kIo, "no request"));
  if (!command) return send_line(client, bson::make_document("error", "unknown request"));
  command_(std::move(*command), peer);
}

void ControlSocket::freeze(const File& client) {
  const std::string directory = checkpoint_directory(data_directory_);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  const auto time = freeze_(directory);
  if (time) {
    RESTITCH_LOG(kInfo, kServer, 11, "Backup begins", {"clusterSeconds", time->seconds});
    send_line(client, bson::make_document("clusterTime", *time));
    wait(client, -1);
    RESTITCH_LOG(kInfo, kServer, 12, "Backup ended");
  } else {
    RESTITCH_LOG(kWarning, kServer, 13, "No copy for a backup", {"error", time.error().message()});
    send_line(client, bson::make_document("error", time.error().message()));
  }
  std::filesystem::remove_all(directory, ignored);
}

Status run_command(const std::string& data_directory, bson::View command,
                   const std::function<std::optional<std::string>()>& more,
                   const std::function<void(bson::View)>& reply) {
  RESTITCH_TRY(const File connection, connect_to(data_directory));
  for (std::optional<std::string> line = bson::to_json(command); line; line = more()) {
    line->push_back('\n');
    std::string_view rest = *line;
    while (!rest.empty()) {
      const ssize_t sent = ::send(connection.descriptor(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) break;  // the server says why in what it has answered
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (!rest.empty()) break;
  }
  ::shutdown(connection.descriptor(), SHUT_WR);
  bool has_answer = false;
  while (const auto line = read_line(connection)) {
    RESTITCH_TRY(const bson::Document document, bson::parse_json_document(*line));
    has_answer = true;
    reply(document.view());
  }
  return has_answer ? Status() : Status(Error(ErrorCode::kIo, "the server hung up"));
}

Result<FrozenCopy> FrozenCopy::request(const std::string& data_directory) {
  RESTITCH_TRY(File connection, connect_to(data_directory));
  const std::string request = std::string(kFreeze) + "\n";
  if (::send(connection.descriptor(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    return failed("cannot ask the server");
  RESTITCH_TRY(const std::string line, read_line(connection));
  RESTITCH_TRY(const bson::Document reply, bson::parse_json_document(line));
  if (const auto error = reply["error"].as_string())
    return Error(ErrorCode::kIo, "the server: " + std::string(*error));
  if (reply["clusterTime"].type() != bson::Type::kTimestamp)
    return Error(ErrorCode::kIo, "the server's answer makes no sense");
  return FrozenCopy(std::move(connection), reply["clusterTime"].get_timestamp());
}

}  // namespace restitch::server::backup
