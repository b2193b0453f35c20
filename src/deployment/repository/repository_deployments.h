#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "deployment/app_manager.h"
#include "deployment/log_store.h"
#include "deployment/repository/git.h"
#include "deployment/repository/repository_store.h"
#include "deployment/repository/scratch_folder.h"
#include "runtime/gate.h"
#include "runtime/io_threads.h"

namespace restitch::deployment {

struct RepositoryOptions {
  GitSettings git;
  // Makes the hosted files of an app those of a directory. Called on a thread that may wait.
  std::function<void(const std::string& root, bson::ObjectId app)> deploy_hosted_files;
};

// Deploys apps from the repositories that they are linked to: looks at each branch when it is due, and
// puts the configuration, the packages and the hosted files of a new commit in the place of what the
// app has. A commit that is refused leaves the app as it is; it is a failed deployment. How a look
// ended is in the store, in a log entry (DEPLOYMENT) and in the log.
class RepositoryDeployments {
 public:
  RepositoryDeployments(runtime::IoThreads& threads, AppManager& apps,
                        const RepositoryStore& store, LogStore& logs, RepositoryOptions options);

  void start();
  // On the thread of the looks: threads.context(0).
  asio::awaitable<void> stop();
  // Has the store asked at once what is due. From any thread.
  void wake();

  const RepositoryStore& store() const { return store_; }
  bool allows_files() const { return options_.git.allows_files; }

 private:
  struct Fetched;

  asio::awaitable<void> run();
  asio::awaitable<bool> check_one();
  Task<RepositoryState> check(const RepositoryCheck& check);
  Task<RepositoryState> deploy(ManagedAppPtr app, const Git& git);
  Task<std::shared_ptr<Fetched>> fetch(const Git& git);
  Status fetch_into(Fetched& fetched, const Git& git) const;
  Task<void> deploy_fetched(ManagedAppPtr app, const std::shared_ptr<Fetched>& fetched);
  Task<void> deploy_packages(ManagedAppPtr app, const Actor& actor, const Fetched& fetched);
  void note(const RepositoryCheck& check, const RepositoryState& state);

  runtime::IoThreads& threads_;
  AppManager& apps_;
  const RepositoryStore& store_;
  LogStore& logs_;
  RepositoryOptions options_;
  runtime::BlockingPool pool_{1, 16};  // git, and what it has fetched
  runtime::Gate gate_;
  asio::steady_timer timer_;
  bool is_woken_ = false;
  std::atomic<bool> is_stopping_{false};
};

}  // namespace restitch::deployment
