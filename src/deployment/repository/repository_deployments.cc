#include "deployment/repository/repository_deployments.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/tree.h"
#include "base/log.h"

namespace restitch::deployment {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kBetweenLooks{5};
constexpr std::int64_t kRetrySeconds = 60;
constexpr std::string_view kOrigin = "GITHUB";

// The packages of a functions folder: the first of these that is there.
constexpr std::array kPackageFiles = {"node_modules.zip", "node_modules.tar", "node_modules.tgz",
                                      "node_modules.tar.gz", "package.json"};

struct Packages {
  std::string name, content;
};

std::optional<Packages> read_packages(const std::string& root) {
  for (const char* name : kPackageFiles) {
    std::ifstream in(fs::path(root) / "functions" / name, std::ios::binary);
    if (in) return Packages{name, std::string(std::istreambuf_iterator<char>(in), {})};
  }
  return std::nullopt;
}

}  // namespace

// A commit's files, on disk and as far as they are the app's configuration.
struct RepositoryDeployments::Fetched {
  std::unique_ptr<ScratchFolder> folder;
  std::string root;
  std::string commit;
  Status usable;  // whether it holds an app at all
  app::Tree tree;
  app::Findings findings;
  std::optional<Packages> packages;
};

RepositoryDeployments::RepositoryDeployments(runtime::IoThreads& threads, AppManager& apps,
                                             const RepositoryStore& store, LogStore& logs,
                                             RepositoryOptions options)
    : threads_(threads),
      apps_(apps),
      store_(store),
      logs_(logs),
      options_(std::move(options)),
      gate_(threads.context(0).get_executor()),
      timer_(threads.context(0)) {
  options_.git.stopping = &is_stopping_;
}

void RepositoryDeployments::start() {
  std::error_code ignored;
  fs::remove_all(options_.git.scratch, ignored);  // what a server that was killed has left
  boost::asio::post(threads_.context(0), [this] { gate_.spawn(run()); });
}

asio::awaitable<void> RepositoryDeployments::stop() {
  is_stopping_.store(true);
  timer_.cancel();
  co_await gate_.close();
}

void RepositoryDeployments::wake() {
  boost::asio::post(threads_.context(0), [this] {
    is_woken_ = true;
    timer_.cancel();
  });
}

asio::awaitable<void> RepositoryDeployments::run() {
  while (!gate_.is_closing()) {
    is_woken_ = false;
    const bool has_worked = co_await check_one();
    if (has_worked || is_woken_ || gate_.is_closing()) continue;
    timer_.expires_after(kBetweenLooks);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

// Whether one was due.
asio::awaitable<bool> RepositoryDeployments::check_one() {
  const auto due = co_await store_.take_due();
  if (!due || !*due) co_return false;
  const RepositoryCheck& taken = **due;
  RepositoryState state = taken.former;
  std::int64_t pause = kRetrySeconds;
  auto checked = co_await check(taken);
  if (checked) {
    state = std::move(*checked);
    pause = taken.settings["poll_seconds"].as_integer().value_or(RepositoryLink().poll_seconds);
  }
  state.trouble = checked ? "" : checked.error().message();
  state.checked_at = now_in_seconds();
  if (is_stopping_.load() && !checked) co_return true;  // its lease is this node's at the next start
  note(taken, state);
  const auto finished = co_await store_.finish(taken, state, pause);
  if (!finished) {
    RESTITCH_LOG(kWarning, kApp, 2023, "Cannot note how a look at a repository ended",
                 {"app", taken.app.to_hex()}, {"error", finished.error().message()});
  }
  co_return true;
}

// An error is one that may be gone at the next look.
Task<RepositoryState> RepositoryDeployments::check(const RepositoryCheck& check) {
  RESTITCH_CO_TRY(const RepositoryLink link,
                  read_repository_link(check.settings, options_.git.allows_files));
  RESTITCH_CO_TRY(const RepositorySecrets secrets, co_await store_.secrets(check.app));
  const Git git(options_.git, link, secrets.access_token);
  const auto look = [&git] { return git.head(); };
  RESTITCH_CO_TRY(const std::string head, co_await pool_.run(look));
  if (head == check.former.commit) co_return check.former;
  RESTITCH_CO_TRY(const ManagedAppPtr app, co_await apps_.find_current(check.app.to_hex()));
  if (!app) co_return Error(ErrorCode::kAppNotFound, "app not found");
  if (app->has_draft()) {
    co_return Error(ErrorCode::kDuplicateKey, "an administrator has a draft open");
  }
  co_return co_await deploy(app, git);
}

Task<RepositoryState> RepositoryDeployments::deploy(ManagedAppPtr app, const Git& git) {
  RESTITCH_CO_TRY(std::shared_ptr<Fetched> fetched, co_await fetch(git));
  Status deployed = co_await deploy_fetched(app, fetched);
  RepositoryState state;
  state.commit = fetched->commit;
  const auto clear = [&fetched]() -> Status {
    fetched.reset();
    return {};
  };
  RESTITCH_CO_CHECK(co_await pool_.run(clear));
  const bool is_refused = !deployed && deployed.error().code() == ErrorCode::kInvalidArgument;
  if (!deployed && !is_refused) co_return std::move(deployed).error();
  state.status = is_refused ? "failed" : "successful";
  if (is_refused) state.error = deployed.error().message();
  co_return state;
}

Task<std::shared_ptr<RepositoryDeployments::Fetched>> RepositoryDeployments::fetch(const Git& git) {
  auto fetched = std::make_shared<Fetched>();
  const auto work = [this, &git, &fetched] { return fetch_into(*fetched, git); };
  RESTITCH_CO_CHECK(co_await pool_.run(work));
  co_return fetched;
}

Status RepositoryDeployments::fetch_into(Fetched& fetched, const Git& git) const {
  RESTITCH_TRY(fetched.folder, ScratchFolder::make(options_.git.scratch));
  fetched.root = fetched.folder->path() + "/app";
  RESTITCH_TRY(Checkout checkout, git.fetch(fetched.root));
  fetched.commit = std::move(checkout.commit);
  fetched.usable = std::move(checkout.unpacked);
  if (!fetched.usable) return {};
  auto tree = app::read_tree(fetched.root, fetched.findings);
  if (!tree) {
    fetched.usable = Error(ErrorCode::kInvalidArgument,
                           "the directory holds no configuration of an app: no realm_config.json, "
                           "root_config.json, config.json or stitch.json");
    return {};
  }
  fetched.tree = std::move(*tree);
  fetched.packages = read_packages(fetched.root);
  return {};
}

Task<void> RepositoryDeployments::deploy_fetched(ManagedAppPtr app,
                                                 const std::shared_ptr<Fetched>& fetched) {
  Actor actor;
  actor.origin = kOrigin;
  actor.commit = fetched->commit;
  if (!fetched->usable) {
    const std::string reason = fetched->usable.error().message();
    RESTITCH_CO_CHECK(co_await apps_.note_failure(app, actor, reason));
    co_return Error(ErrorCode::kInvalidArgument, reason);
  }
  RESTITCH_CO_CHECK(co_await apps_.deploy_commit(app, actor, fetched->tree, fetched->findings));
  RESTITCH_CO_CHECK(co_await deploy_packages(app, actor, *fetched));
  const auto deploy_files = [this, &app, &fetched]() -> Status {
    options_.deploy_hosted_files(fetched->root, app->identity().id);
    return {};
  };
  co_return co_await pool_.run(deploy_files);
}

Task<void> RepositoryDeployments::deploy_packages(ManagedAppPtr app, const Actor& actor,
                                                  const Fetched& fetched) {
  if (!fetched.packages) co_return Status();
  const auto former = co_await apps_.read_packages(app, fetched.packages->name);
  if (former && *former == fetched.packages->content) co_return Status();
  co_return co_await apps_.put_packages(app, actor, fetched.packages->name,
                                        fetched.packages->content,
                                        bson::Value::array(bson::Document()));
}

// Once for each commit, and for each new trouble.
void RepositoryDeployments::note(const RepositoryCheck& check, const RepositoryState& state) {
  const bool has_new_trouble =
      !state.trouble.empty() && state.trouble != check.former.trouble;
  if (state.commit == check.former.commit && !has_new_trouble) return;
  const std::string error = state.trouble.empty() ? state.error : state.trouble;
  bson::Builder fields;
  for (const char* member : {"repository", "branch", "directory"}) {
    fields.append(member, check.settings[member]);
  }
  fields.append("commit", state.commit);
  if (!error.empty()) fields.append("error", error);
  logs_.add_entry(check.app, apps_.group_id(), "DEPLOYMENT", std::move(fields).finish());
  if (error.empty()) {
    RESTITCH_LOG(kInfo, kApp, 2021, "App deployed from its repository",
                 {"app", check.app.to_hex()}, {"commit", state.commit});
  } else {
    RESTITCH_LOG(kWarning, kApp, 2022, "App not deployed from its repository",
                 {"app", check.app.to_hex()}, {"commit", state.commit}, {"error", error});
  }
}

}  // namespace restitch::deployment
