#include "server/backup/progress.h"

#include <unistd.h>

#include <cstdio>

namespace restitch::server::backup {

Progress::Progress(std::string verb, std::uint64_t total)
    : verb_(std::move(verb)),
      total_(total),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now() + std::chrono::seconds(1)) {}

void Progress::add(std::uint64_t bytes) {
  done_ += bytes;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::seconds(is_terminal_ ? 1 : 10);
  print();
  std::fputs(is_terminal_ ? "\r" : "\n", stderr);
}

void Progress::finish() {
  print();
  std::fputs("\n", stderr);
}

void Progress::print() {
  constexpr double kMebibyte = 1 << 20;
  const auto mebibytes = static_cast<double>(done_) / kMebibyte;
  if (total_ == 0) {
    std::fprintf(stderr, "%s %.1f MiB", verb_.c_str(), mebibytes);
  } else {
    std::fprintf(stderr, "%s %.1f of %.1f MiB", verb_.c_str(), mebibytes,
                 static_cast<double>(total_) / kMebibyte);
  }
}

}  // namespace restitch::server::backup
