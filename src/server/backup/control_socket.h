#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "bson/document.h"
#include "bson/types.h"
#include "server/backup/files.h"

namespace restitch::server::backup {

// The client of a control socket, seen from the server.
class ControlClient {
 public:
  virtual ~ControlClient() = default;
  // The next line without its end; nothing when there are no more. kIo when it does not come in time
  // or is longer than 1 MiB.
  virtual Result<std::optional<std::string>> read_line() = 0;
  virtual void send(bson::View reply) = 0;
};

// What a running server does for the command line: a Unix socket in the data directory, open to
// whoever may write there. One client at a time; a client that says "freeze" is given a frozen copy
// of the data (checkpoint_directory), which exists until it hangs up. Any other first line is a
// command, a JSON object.
class ControlSocket {
 public:
  using Command = std::function<void(bson::Document command, ControlClient& client)>;
  // Makes the copy in the given directory and tells its cluster time.
  using Freeze = std::function<Result<bson::Timestamp>(const std::string& directory)>;

  static Result<std::unique_ptr<ControlSocket>> open(const std::string& data_directory,
                                                     Freeze freeze, Command command);
  // Hangs up, removes the copy and the socket.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  ControlSocket(std::string data_directory, Freeze freeze, Command command, File listener,
                File stop_event);
  void run();
  class Peer;
  void serve(File client);
  void freeze(const File& client);
  bool wait(const File& file, int timeout_ms);

  std::string data_directory_;
  Freeze freeze_;
  Command command_;
  File listener_, stop_event_;
  std::thread thread_;
};

// The other side of a command: sends the line and hands every line of the answer to `reply` until
// the server hangs up. `more` is asked for further lines to send, until it gives none.
Status run_command(const std::string& data_directory, bson::View command,
                   const std::function<std::optional<std::string>()>& more,
                   const std::function<void(bson::View)>& reply);

// The other side of "freeze": holds the copy until it is destroyed.
class FrozenCopy {
 public:
  // kIo when the process that uses the directory does not answer.
  static Result<FrozenCopy> request(const std::string& data_directory);
  bson::Timestamp cluster_time() const { return cluster_time_; }

 private:
  FrozenCopy(File connection, bson::Timestamp time)
      : connection_(std::move(connection)), cluster_time_(time) {}

  File connection_;
  bson::Timestamp cluster_time_;
};

}  // namespace restitch::server::backup
