#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "bson/types.h"
#include "server/backup/files.h"

namespace restitch::server::backup {

// What a running server does for the command line: a Unix socket in the data directory, open to
// whoever may write there. One client at a time; a client that says "freeze" is given a frozen copy
// of the data (checkpoint_directory), which exists until it hangs up.
class ControlSocket {
 public:
  // Makes the copy in the given directory and tells its cluster time.
  using Freeze = std::function<Result<bson::Timestamp>(const std::string& directory)>;

  static Result<std::unique_ptr<ControlSocket>> open(const std::string& data_directory,
                                                     Freeze freeze);
  // Hangs up, removes the copy and the socket.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  ControlSocket(std::string data_directory, Freeze freeze, File listener, File stop_event);
  void run();
  void serve(File client);
  bool wait(const File& file, int timeout_ms);

  std::string data_directory_;
  Freeze freeze_;
  File listener_, stop_event_;
  std::thread thread_;
};

// The other side: holds the copy until it is destroyed.
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
