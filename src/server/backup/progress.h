#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace restitch::server::backup {

// Tells on standard error how far a long copy is: in place on a terminal each second, else a line
// every ten seconds.
class Progress {
 public:
  Progress(std::string verb, std::uint64_t total);
  void add(std::uint64_t bytes);
  void finish();

 private:
  void print();

  std::string verb_;
  std::uint64_t total_, done_ = 0;
  bool is_terminal_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace restitch::server::backup
