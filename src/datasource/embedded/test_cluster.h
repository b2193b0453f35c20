#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bson/extended_json.h"
#include "datasource/embedded/cluster.h"
#include "runtime/blocking_pool.h"

namespace restitch::datasource::embedded {

// A cluster in a temporary directory, and a way to run its coroutines to their end. For tests.
class TestCluster {
 public:
  explicit TestCluster(ClusterOptions options = {}) : options_(std::move(options)) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "restitch-cluster-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    open();
  }
  ~TestCluster() {
    cluster_.reset();
    std::filesystem::remove_all(directory_);
  }
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;

  void open() {
    ClusterOptions options = options_;
    options.directory = directory_;
    options.block_cache_bytes = 16U << 20U;
    options.test_commands = true;
    auto opened = Cluster::open(options, pool_);
    ASSERT_TRUE(opened) << opened.error().message();
    cluster_ = std::move(*opened);
  }
  void reopen() {
    const Status closed = cluster_->close();
    ASSERT_TRUE(closed) << closed.error().message();
    cluster_.reset();
    open();
  }

  Cluster& operator*() { return *cluster_; }
  Cluster* operator->() { return cluster_.get(); }
  const std::string& directory() const { return directory_; }

  // Runs a task on an event loop of its own.
  template <typename T>
  static Result<T> wait(Task<T> task) {
    std::unique_ptr<asio::io_context> loop = take_loop();
    std::optional<Result<T>> result;
    asio::co_spawn(*loop, keep(std::move(task), result), [](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
    });
    loop->run();
    give_back(std::move(loop));
    return std::move(*result);
  }
  bson::Document run(std::string_view database, bson::Document command,
                     Deadline deadline = kNoDeadline) {
    auto reply = wait(cluster_->run(database, std::move(command), deadline));
    if (!reply) {
      ADD_FAILURE() << "no reply: " << reply.error().message();
      return {};
    }
    return std::move(*reply);
  }
  // The command as Extended JSON.
  bson::Document run(std::string_view database, std::string_view json) {
    auto command = bson::parse_json_document(json);
    if (!command) {
      ADD_FAILURE() << json << ": " << command.error().message();
      return {};
    }
    return run(database, std::move(*command));
  }

 private:
  // Loops are kept to the end of the program: a pool's thread may still be leaving the loop of a
  // caller that it has just resumed.
  struct IdleLoops {
    std::mutex mutex;
    std::vector<std::unique_ptr<asio::io_context>> loops;
  };
  static IdleLoops& idle_loops() {
    static IdleLoops idle;
    return idle;
  }
  static std::unique_ptr<asio::io_context> take_loop() {
    IdleLoops& idle = idle_loops();
    const std::lock_guard lock(idle.mutex);
    if (idle.loops.empty()) return std::make_unique<asio::io_context>();
    std::unique_ptr<asio::io_context> loop = std::move(idle.loops.back());
    idle.loops.pop_back();
    loop->restart();
    return loop;
  }
  static void give_back(std::unique_ptr<asio::io_context> loop) {
    IdleLoops& idle = idle_loops();
    const std::lock_guard lock(idle.mutex);
    idle.loops.push_back(std::move(loop));
  }

  template <typename T>
  static asio::awaitable<void> keep(Task<T> task, std::optional<Result<T>>& result) {
    result = co_await std::move(task);
  }

  runtime::BlockingPool pool_{4, 10'000};
  ClusterOptions options_;
  std::string directory_;
  std::unique_ptr<Cluster> cluster_;
};

inline std::string shown(bson::View document) {
  return bson::to_json(document, bson::JsonMode::kRelaxed);
}

}  // namespace restitch::datasource::embedded
