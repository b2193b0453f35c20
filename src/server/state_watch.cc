#include "server/state_watch.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <set>
#include <string>

#include "auth/store.h"
#include "base/log.h"
#include "deployment/announcement.h"

namespace restitch::server {
namespace {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::chrono::seconds kPause{1};

const std::string kUpdatedFields = "updateDescription.updatedFields.";

void push_apps(Builder& out, const ObjectId& node) {
  out.push_object().append("ns.coll", "apps").append("operationType", "delete").close();
  out.push_object().append("ns.coll", "apps");
  out.open_object(kUpdatedFields + std::string(deployment::kChangedBy)).append("$exists", true);
  out.open_object("$not").append("$regex", "^" + node.to_hex()).close().close().close();
}

// Not the changes that every sign-in makes.
void push_users(Builder& out) {
  out.push_object().append("ns.coll", "users");
  out.open_object("operationType").open_array("$in");
  out.push("update").push("replace").push("delete").close().close();
  for (const char* routine : {"last_authenticated", "last_active"}) {
    out.open_object(kUpdatedFields + routine).append("$exists", false).close();
  }
  out.close();
}

Document pipeline(const ObjectId& node) {
  Builder out;
  out.push_object().open_object("$match").open_array("$or");
  push_apps(out, node);
  push_users(out);
  out.close().close().close();
  out.push_object().open_object("$project").append("ns", std::int32_t{1});
  out.append("documentKey", std::int32_t{1}).append("operationType", std::int32_t{1});
  out.close().close();
  return std::move(out).finish();
}

}  // namespace

StateWatch::StateWatch(runtime::IoThreads& threads, std::shared_ptr<datasource::DataSource> state,
                       deployment::AppManager& apps, triggers::TriggerService& triggers,
                       auth::AuthService& auth, ObjectId node)
    : threads_(threads),
      state_(std::move(state)),
      apps_(apps),
      triggers_(triggers),
      auth_(auth),
      node_(node),
      gate_(threads.context(0).get_executor()),
      timer_(threads.context(0)) {}

Task<void> StateWatch::open() {
  datasource::WatchOptions options;
  options.pipeline = pipeline(node_);
  watch_ = std::make_unique<datasource::Watch>(*state_, std::string(auth::kStateDatabase), "",
                                               std::move(options));
  co_return co_await watch_->open();
}

void StateWatch::start() {
  boost::asio::post(threads_.context(0), [this] { gate_.spawn(run()); });
}

asio::awaitable<void> StateWatch::stop() {
  is_stopping_ = true;
  timer_.cancel();
  if (watch_) {
    auto closed = co_await watch_->close();
    static_cast<void>(closed);
  }
  co_await gate_.close();
}

asio::awaitable<void> StateWatch::run() {
  while (!is_stopping_) {
    co_await follow();
    bool is_open = false;
    while (!is_open && !is_stopping_) {
      co_await pause();
      if (is_stopping_) co_return;
      is_open = (co_await begin_anew()).has_value();
    }
  }
}

Task<void> StateWatch::begin_anew() {
  RESTITCH_CO_CHECK(co_await open());
  RESTITCH_CO_CHECK(co_await apps_.load_all());
  RESTITCH_LOG(kInfo, kServer, 21, "Following the other nodes again");
  co_return Status();
}

// Until the stream ends.
asio::awaitable<void> StateWatch::follow() {
  while (!is_stopping_) {
    const auto events = co_await watch_->next_batch();
    if (is_stopping_) co_return;
    if (!events || watch_->has_ended()) {
      RESTITCH_LOG(kWarning, kServer, 20, "Changes by other nodes are not seen for now",
                   {"error", events ? "the stream has ended" : events.error().message()});
      co_return;
    }
    co_await take(*events);
  }
}

asio::awaitable<void> StateWatch::take(const std::vector<Document>& events) {
  std::set<ObjectId> changed;
  for (const Document& event : events) {
    const auto id = event.view().find_path("documentKey._id").as_object_id();
    if (!id) continue;
    const bool is_app = event.view().find_path("ns.coll").as_string().value_or("") == "apps";
    if (!is_app) {
      auth_.forget_user(*id);
      continue;
    }
    changed.insert(*id);
    if (event["operationType"].as_string().value_or("") != "delete") continue;
    auto ended = co_await triggers_.remove_app(*id);
    static_cast<void>(ended);  // what is stored of them, the other node removes
  }
  for (const ObjectId& app : changed) co_await load(app);
}

asio::awaitable<void> StateWatch::load(ObjectId app) {
  const auto loaded = co_await apps_.load(app);
  if (loaded) co_return;
  RESTITCH_LOG(kError, kServer, 22, "An app that another node changed does not run here",
               {"app", app.to_hex()}, {"error", loaded.error().message()});
}

asio::awaitable<void> StateWatch::pause() {
  timer_.expires_after(kPause);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace restitch::server
