#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::api::wire {

// Results of app users that did not fit into their first answers. A driver may ask for the rest
// over another connection, so they belong to the user. Bounded in number, bytes and idle time.
// Thread-safe.
class AppUserCursors {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    std::size_t cursors = 1000;
    std::size_t bytes = 256U << 20U;
    std::chrono::seconds idle{600};
  };

  AppUserCursors() : AppUserCursors(Limits()) {}
  explicit AppUserCursors(Limits limits) : limits_(limits) {}

  // The first batch of `results` (an array) as a command's reply; the rest is kept for `owner`.
  // `batch_size` 0 gives an empty first batch, nothing as many as fit into a message. With
  // `is_single` the rest is thrown away. 146 when too much is kept already.
  Result<bson::Document> first_batch(const std::string& owner, const std::string& name_space,
                                     bson::Value results, std::optional<std::int64_t> batch_size,
                                     bool is_single, Clock::time_point now);
  // 43 for a cursor that `owner` does not have.
  Result<bson::Document> next_batch(const std::string& owner, std::int64_t id,
                                    const std::string& name_space,
                                    std::optional<std::int64_t> batch_size, Clock::time_point now);
  // Whether there was such a cursor.
  bool kill(const std::string& owner, std::int64_t id);

 private:
  struct Cursor {
    std::int64_t id = 0;
    std::string owner, name_space;
    bson::Value results;
    bson::View::Iterator at;
    Clock::time_point used;
  };
  using Position = std::list<Cursor>::iterator;

  Position find(const std::string& owner, std::int64_t id);
  void drop(Position cursor);
  void drop_idle(Clock::time_point now);

  const Limits limits_;
  std::mutex mutex_;
  std::list<Cursor> cursors_;
  std::size_t bytes_ = 0;
};

}  // namespace restitch::api::wire
