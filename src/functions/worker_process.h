#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace restitch::functions {

// A file descriptor that is closed when its owner goes.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int descriptor) : descriptor_(descriptor) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~OwnedDescriptor();

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// For the functions that start a program: the texts, and null behind them. The texts must outlive
// it.
std::vector<char*> pointers(std::vector<std::string>& texts);

struct ProcessSettings {
  std::string node_binary;  // a path, or a name looked up in PATH
  std::string script;
  std::int64_t memory_mb = 350;
  std::string inspect = {};  // host:port of the engine's inspector; "" = none
};

// A node process with the protocol's socket and ticket pipe, and what the server needs to watch it.
// It has its own process group and dies with the thread that started it.
struct WorkerProcess {
  pid_t pid = -1;
  OwnedDescriptor socket;          // the protocol
  OwnedDescriptor ticket_write;    // one 8-byte number for each call sent
  OwnedDescriptor ticket_read;     // to take tickets back
  OwnedDescriptor output, errors;  // read ends of its stdout and stderr
  OwnedDescriptor handle;          // pidfd: readable when the process has ended
};

// Errors: kInternal.
Result<WorkerProcess> start_worker_process(const ProcessSettings& settings);

// Ends the whole process group at once.
void kill_worker_process(pid_t pid);

}  // namespace restitch::functions
