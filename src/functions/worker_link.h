#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bson/view.h"
#include "functions/worker_process.h"
#include "runtime/task.h"

namespace restitch::functions {

// The protocol's stream to one worker: cuts and checks incoming frames, sends outgoing ones
// together. All members are called on the executor; the callbacks run there.
class WorkerLink : public std::enable_shared_from_this<WorkerLink> {
 public:
  // `on_frame` sees valid BSON whose bytes live during the call. `on_end` is called once: the
  // stream ended, failed, or brought something that is no frame (the text then says what).
  WorkerLink(asio::any_io_executor executor, OwnedDescriptor socket,
             std::function<void(bson::View)> on_frame, std::function<void(std::string)> on_end);

  void start();
  // Frames sent within one turn of the loop leave in one system call.
  void send(std::string frame);
  void close();

 private:
  void read();
  void on_bytes(std::size_t count);
  bool cut_frames();
  void schedule_write();
  void write();
  void end(std::string reason);

  asio::any_io_executor executor_;
  asio::local::stream_protocol::socket socket_;
  std::function<void(bson::View)> on_frame_;
  std::function<void(std::string)> on_end_;
  std::string input_;  // [begin_, end_) holds bytes not yet cut
  std::size_t begin_ = 0, end_ = 0;
  std::vector<std::string> waiting_, leaving_;
  bool is_writing_ = false, is_scheduled_ = false, has_ended_ = false;
};

}  // namespace restitch::functions
