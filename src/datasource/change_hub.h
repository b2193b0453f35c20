#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "bson/document.h"
#include "datasource/data_source.h"
#include "runtime/io_threads.h"
#include "runtime/task.h"

namespace restitch::datasource {

// A change event, shared by all who watch its namespace.
using ChangeEvent = std::shared_ptr<const bson::Document>;

// One watcher of a hub. next() is called by one coroutine at a time; close() from any thread.
class ChangeSubscription {
 public:
  virtual ~ChangeSubscription() = default;

  // The next event. An empty document is a sign of life, given when nothing happened for a while.
  // Null at the end: the collection was dropped or renamed (behind the event that says so), or
  // close() was called. kTooManyRequests when the watcher fell too far behind, kClosing when the
  // hub ends, else the source's error.
  virtual Task<ChangeEvent> next() = 0;
  virtual void close() = 0;
};

// The change streams of one data source, shared: however many watch a collection, the source has
// one stream of it, with the documents of updates looked up. What a watcher has not taken is
// bounded (1,000 events, 16 MiB). In a burst the stream waits for a watcher that keeps taking
// events, half a second at most; one that stops taking them is cut off and holds the others up for
// a tenth of a second. Thread-safe.
class ChangeHub {
 public:
  static std::shared_ptr<ChangeHub> create(std::shared_ptr<DataSource> source,
                                           runtime::IoThreads& threads);
  virtual ~ChangeHub() = default;

  // Events of changes made after this has returned are given, those of earlier ones are not.
  virtual Task<std::shared_ptr<ChangeSubscription>> subscribe(std::string database,
                                                              std::string collection) = 0;
  // Ends all streams; watchers get kClosing.
  virtual asio::awaitable<void> stop() = 0;
};

// The hubs of all data sources in use, one each. A hub lives while somebody holds it.
class ChangeHubs {
 public:
  explicit ChangeHubs(runtime::IoThreads& threads) : threads_(threads) {}

  std::shared_ptr<ChangeHub> of(const std::shared_ptr<DataSource>& source);
  asio::awaitable<void> stop();

 private:
  runtime::IoThreads& threads_;
  std::mutex mutex_;
  std::map<DataSource*, std::weak_ptr<ChangeHub>> hubs_;  // a hub keeps its source
};

}  // namespace restitch::datasource
