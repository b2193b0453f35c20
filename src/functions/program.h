#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace restitch::functions {

// A program to be run to its end, without a shell.
struct Program {
  std::string program;  // a path, or a name looked up in PATH
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=VALUE; it gets no others
  std::string folder;                    // where it works
  std::string output, errors;            // files for what it writes; "" = nowhere
  std::chrono::seconds time{60};
  std::uint64_t max_file_bytes = 0;      // of each file that it writes; 0 = no limit
  const std::atomic<bool>* stopping = nullptr;  // its time is over when this becomes true
};

// How it ended.
struct Ended {
  bool in_time = true;  // otherwise it was killed, with all that it had started
  int exit_code = 0;    // -1: a signal ended it
};

// Runs it in a process group of its own, with nothing to read. Blocking. kIo when it cannot be
// started: the text is the system's.
Result<Ended> run_program(const Program& program);

// The variables of the server's environment with these names, or beginnings of names.
std::vector<std::string> inherited(std::span<const std::string_view> names,
                                   std::span<const std::string_view> beginnings = {});

}  // namespace restitch::functions
