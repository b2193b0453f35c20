#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>

#include "functions/worker_process.h"
#include "runtime/task.h"

namespace restitch::functions {

// Brings what a worker process prints into the structured log, line by line. Used on the executor.
class OutputCapture : public std::enable_shared_from_this<OutputCapture> {
 public:
  OutputCapture(asio::any_io_executor executor, OwnedDescriptor descriptor, std::string app,
                std::int64_t pid);

  void start();
  // Takes in what is there already; for the last words of a process that has ended.
  void drain();
  void close();
  // Whether the process reported that its heap was full.
  bool saw_heap_exhaustion() const { return saw_heap_exhaustion_; }

 private:
  void read();
  void take(std::string_view bytes);
  void log_line(std::string_view line);

  asio::posix::stream_descriptor stream_;
  std::array<char, 4096> buffer_{};
  std::string line_;
  std::string app_;
  std::int64_t pid_;
  bool saw_heap_exhaustion_ = false;
};

}  // namespace restitch::functions
