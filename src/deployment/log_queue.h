#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "datasource/client.h"
#include "runtime/io_threads.h"

namespace restitch::deployment {

// Documents on their way into one collection. Adding never waits: they are inserted behind the
// request, all that came within some milliseconds at once. When too many wait, further ones are
// dropped and counted. Thread-safe.
class LogQueue : public std::enable_shared_from_this<LogQueue> {
 public:
  LogQueue(std::shared_ptr<datasource::DataSource> state, runtime::IoThreads& threads,
           datasource::Collection collection);

  void add(bson::Document entry);
  // Waits until what was added is stored. Not on a thread of `threads`.
  void drain();

 private:
  static asio::awaitable<void> write(std::shared_ptr<LogQueue> self);
  // The oldest ones; none: the writer is to end.
  std::vector<bson::Document> take();
  bool is_hurried();
  void end();

  const std::shared_ptr<datasource::DataSource> state_;
  runtime::IoThreads& threads_;
  const datasource::Collection collection_;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<bson::Document> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool is_writing_ = false;
  int drains_ = 0;  // calls of drain() under way
};

}  // namespace restitch::deployment
