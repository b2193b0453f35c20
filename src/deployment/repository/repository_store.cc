#include "deployment/repository/repository_store.h"

#include "auth/state_queries.h"

namespace restitch::deployment {
namespace {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::int64_t kLeaseMillis = 10LL * 60 * 1000;  // longer than a look takes
constexpr std::string_view kWebhookPurpose = "webhook secret of a repository";
constexpr std::string_view kTokenPurpose = "access token of a repository";

bson::Date millis_from_now(std::int64_t millis) { return bson::Date{auth::now_millis() + millis}; }

// {$not: {$gt: now}}: then or before, or never set.
void match_past(Builder& filter, std::string_view member) {
  filter.open_object(member).open_object("$not").append("$gt", millis_from_now(0)).close().close();
}

std::string text(bson::View document, std::string_view path) {
  return std::string(document.find_path(path).as_string().value_or(""));
}

RepositoryState state_from(bson::View app) {
  RepositoryState state;
  state.commit = text(app, "repository.commit");
  state.status = text(app, "repository.status");
  state.error = text(app, "repository.error");
  state.trouble = text(app, "repository.trouble");
  state.checked_at = app.find_path("repository.checked_at").as_integer().value_or(0);
  return state;
}

RepositoryCheck check_from(bson::View app) {
  RepositoryCheck check;
  check.app = app["_id"].as_object_id().value_or(ObjectId{});
  const auto settings =
      app.find_path(std::string(RepositoryStore::kSettings) + ".automatic_deployment").as_object();
  check.settings = Document(settings.value_or(bson::View()));
  check.former = state_from(app);
  check.request = app.find_path("repository.requests").as_integer().value_or(0);
  return check;
}

Document of_app(const ObjectId& app) { return bson::make_document("_id", app); }

Result<std::string> opened(const auth::SecretBox& box, bson::ValueView sealed,
                           std::string_view purpose) {
  if (sealed.type() != bson::Type::kBinary) return std::string();
  return box.open_sealed(sealed.get_binary().bytes, purpose);
}

}  // namespace

RepositoryStore::RepositoryStore(std::shared_ptr<datasource::DataSource> state,
                                 auth::SecretBox box, std::string node)
    : state_(std::move(state)),
      box_(std::move(box)),
      node_(std::move(node)),
      apps_(auth::collection(*state_, "apps")) {}

Task<std::optional<RepositoryCheck>> RepositoryStore::take_due() const {
  Builder filter;
  filter.append(std::string(kSettings) + ".automatic_deployment.enabled", true);
  match_past(filter, "repository.next_check");
  filter.open_array("$or").push_object().append("repository.lease.node", node_).close();
  filter.push_object();
  match_past(filter, "repository.lease.until");
  filter.close().close();
  const Document due = std::move(filter).finish();
  Builder update;
  update.open_object("$set").open_object("repository.lease").append("node", node_);
  update.append("until", millis_from_now(kLeaseMillis)).close().close();
  const Document lease = std::move(update).finish();
  datasource::FindAndModifyOptions longest_first;
  longest_first.sort = bson::make_document("repository.next_check", std::int32_t{1});
  longest_first.return_new = true;
  RESTITCH_CO_TRY(const auto taken, co_await apps_.find_one_and_update(due, lease, longest_first));
  if (!taken) co_return std::optional<RepositoryCheck>();
  co_return std::optional(check_from(*taken));
}

Task<void> RepositoryStore::finish(RepositoryCheck check, RepositoryState state,
                                   std::int64_t pause_seconds) const {
  constexpr std::int64_t kNever = 100LL * 365 * 24 * 3600;
  const std::int64_t pause = pause_seconds == 0 ? kNever : pause_seconds;
  Builder held;
  held.append("_id", check.app).append("repository.lease.node", node_);
  const Document own = Builder(held).finish();
  held.open_object("repository.requests").open_object("$not").append("$gt", check.request);
  held.close().close();
  const Document own_and_unasked = std::move(held).finish();
  const auto noted = [&](bool is_done) {
    Builder update;
    update.open_object("$set").append("repository.trouble", state.trouble);
    update.append("repository.checked_at", state.checked_at);
    if (is_done) {
      update.append("repository.commit", state.commit);
      update.append("repository.status", state.status).append("repository.error", state.error);
      update.append("repository.next_check", millis_from_now(pause * 1000));
    }
    update.close().open_object("$unset").append("repository.lease", true).close();
    return std::move(update).finish();
  };
  const Document done = noted(true);
  RESTITCH_CO_TRY(const auto ended, co_await apps_.update_one(own_and_unasked, done.view()));
  if (ended.matched > 0) co_return Status();
  const Document asked_again = noted(false);
  RESTITCH_CO_CHECK(co_await apps_.update_one(own, asked_again.view()));
  co_return Status();
}

Task<void> RepositoryStore::request(ObjectId app, bool afresh) const {
  Builder update;
  update.open_object("$inc").append("repository.requests", std::int64_t{1}).close();
  update.open_object("$set").append("repository.next_check", bson::Date{0});
  if (afresh) update.append("repository.commit", "");
  update.close();
  const Document requested = std::move(update).finish();
  const Document filter = of_app(app);
  RESTITCH_CO_CHECK(co_await apps_.update_one(filter, requested.view()));
  co_return Status();
}

Task<std::optional<Document>> RepositoryStore::find(ObjectId app) const {
  datasource::FindOptions only;
  only.projection = bson::make_document("repository", std::int32_t{1});
  const Document filter = of_app(app);
  co_return co_await apps_.find_one(filter, only);
}

Task<RepositoryState> RepositoryStore::state(ObjectId app) const {
  RESTITCH_CO_TRY(const auto found, co_await find(app));
  co_return found ? state_from(*found) : RepositoryState();
}

Task<RepositorySecrets> RepositoryStore::secrets(ObjectId app) const {
  RESTITCH_CO_TRY(const auto found, co_await find(app));
  RepositorySecrets secrets;
  if (!found) co_return secrets;
  const bson::View stored = found->view();
  RESTITCH_CO_TRY(secrets.webhook_secret,
                  opened(box_, stored.find_path("repository.webhook_secret"), kWebhookPurpose));
  RESTITCH_CO_TRY(secrets.access_token,
                  opened(box_, stored.find_path("repository.access_token"), kTokenPurpose));
  co_return secrets;
}

Task<void> RepositoryStore::put_secrets(ObjectId app, std::optional<std::string> webhook_secret,
                                        std::optional<std::string> access_token) const {
  Builder set;
  set.open_object("$set");
  if (webhook_secret && !webhook_secret->empty()) {
    set.append_binary("repository.webhook_secret", 0, box_.seal(*webhook_secret, kWebhookPurpose));
  }
  if (access_token && !access_token->empty()) {
    set.append_binary("repository.access_token", 0, box_.seal(*access_token, kTokenPurpose));
  }
  set.close().open_object("$unset");
  if (webhook_secret && webhook_secret->empty()) set.append("repository.webhook_secret", true);
  if (access_token && access_token->empty()) set.append("repository.access_token", true);
  set.close();
  const Document update = std::move(set).finish();
  const Document filter = of_app(app);
  RESTITCH_CO_CHECK(co_await apps_.update_one(filter, update.view()));
  co_return Status();
}

}  // namespace restitch::deployment
