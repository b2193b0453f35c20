#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/caller.h"

namespace restitch::datasource::embedded {

// What a fail point makes of one command.
struct InjectedFailure {
  bool closes_connection = false;
  std::chrono::milliseconds block_for{0};
  std::optional<int> error_code;  // instead of running the command
  bson::Document error_extra;     // further members of that error
  // Instead of the labels that the error would get.
  std::optional<std::vector<std::string>> labels;
  bson::Document write_concern_error;  // added to the reply of the command that was run
};

// Faults on demand, for tests of clients (spec: mongodb-engine §14.1): failCommand,
// failGetMoreAfterCursorCheckout, onPrimaryTransactionalWrite. Thread-safe.
class FailPoints {
 public:
  // Without this they do not exist for clients. Called before the first command.
  void allow() { is_allowed_ = true; }
  bool is_allowed() const { return is_allowed_; }
  // The command configureFailPoint: how often the point had been met before. 266, 2, 14.
  Result<std::int64_t> configure(bson::View command);

  // What is to happen to a command; counts as one use when there is something.
  std::optional<InjectedFailure> meet_command(std::string_view database, bson::View command,
                                              std::string_view name, std::string_view alias,
                                              const Caller* caller);
  std::optional<InjectedFailure> meet_get_more() { return meet(Point::kGetMore); }
  // A statement with a transaction number has been run and is about to be committed.
  std::optional<InjectedFailure> meet_transactional_write() {
    return meet(Point::kTransactionalWrite);
  }

 private:
  enum class Point : std::uint8_t { kCommand, kGetMore, kTransactionalWrite, kCount };
  enum class Mode : std::uint8_t { kOff, kAlways, kTimes, kSkip, kRandom };
  struct State {
    Mode mode = Mode::kOff;
    std::int64_t left = 0;  // uses of kTimes, misses of kSkip
    double probability = 0;
    bson::Document data;
    std::int64_t entered = 0;
  };

  static std::optional<Point> point_of(std::string_view name);
  static Status read_mode(State& state, bson::ValueView mode);
  bool is_quiet(Point point) const;
  bool use(State& state);
  std::optional<InjectedFailure> meet(Point point);
  static Result<InjectedFailure> failure_of(Point point, bson::View data);

  bool is_allowed_ = false;
  std::atomic<std::uint32_t> active_{0};  // bit n: point n is not off
  std::mutex mutex_;
  State states_[static_cast<std::size_t>(Point::kCount)];
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace restitch::datasource::embedded
