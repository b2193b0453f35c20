#include "api/wire/app_user.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "api/wire/app_user_commands.h"
#include "api/wire/reply.h"
#include "base/log.h"
#include "deployment/users.h"
#include "query/filter/filter.h"

namespace restitch::api::wire {
namespace {

constexpr int kUnauthorized = 13;
constexpr int kAuthenticationFailed = 18;
constexpr std::chrono::seconds kRequestTime{300};
// As long as an access token is good for: changes of custom user data show up after that.
constexpr std::chrono::minutes kCustomDataAge{30};

Error authentication_failed() {
  return mongo_error(kAuthenticationFailed, "Authentication failed.");
}

bson::Date current_date() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
}

bool is_open_for_wire(const deployment::DeployedApp& app, std::string_view source) {
  for (const app::DataSourceConfig& config : app.config->data_sources) {
    if (config.name == source) return config.wire_protocol_enabled;
  }
  return false;
}

std::optional<bson::Document> credential_of(const std::string& provider, std::string_view user,
                                            std::string_view password) {
  bson::Builder builder;
  if (provider == "local-userpass") {
    builder.append("username", user).append("password", password);
  } else if (provider == "api-key") {
    builder.append("key", password);
  } else if (provider == "custom-token") {
    builder.append("token", password);
  } else {
    return std::nullopt;
  }
  return std::move(builder).finish();
}

bson::Document ok() { return bson::make_document("ok", 1.0); }

void append_write_error(bson::Builder& errors, std::int32_t index, const Error& error) {
  const bson::Document reply = error_reply(wire_error(error));
  errors.push_object().append("index", index);
  errors.append("code", reply["code"]).append("errmsg", reply["errmsg"]);
  errors.close();
}

// The counts of a write command over its statements.
struct Counted {
  std::int64_t n = 0, modified = 0;
  bson::Builder upserted, errors;
  bool has_upserted = false, has_errors = false;

  void add(std::int32_t index, bson::View result) {
    n += result["matchedCount"].as_integer().value_or(0);
    n += result["deletedCount"].as_integer().value_or(0);
    modified += result["modifiedCount"].as_integer().value_or(0);
    if (const auto ids = result["insertedIds"].as_array()) {
      n += static_cast<std::int64_t>(ids->count());
    }
    const bson::ValueView id = result["upsertedId"];
    if (id.is_missing()) return;
    ++n;
    has_upserted = true;
    upserted.push_object().append("index", index).append("_id", id).close();
  }

  bson::Document reply(bool is_update) && {
    bson::Builder builder;
    builder.append("n", static_cast<std::int32_t>(n));
    if (is_update) builder.append("nModified", static_cast<std::int32_t>(modified));
    if (has_upserted) builder.append_array("upserted", std::move(upserted).finish());
    if (has_errors) builder.append_array("writeErrors", std::move(errors).finish());
    builder.append("ok", 1.0);
    return std::move(builder).finish();
  }
};

}  // namespace

std::optional<AppUserName> parse_app_name(std::string_view application_name) {
  const std::size_t first = application_name.find(':');
  const std::size_t last = application_name.rfind(':');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  AppUserName name{std::string(application_name.substr(0, first)),
                   std::string(application_name.substr(first + 1, last - first - 1)),
                   std::string(application_name.substr(last + 1))};
  const bool is_known = name.provider == "local-userpass" || name.provider == "api-key" ||
                        name.provider == "custom-token";
  if (!is_known || name.app.empty() || name.source.empty()) return std::nullopt;
  return name;
}

AppUser::AppUser(AppUserService& service, AppUserName name, auth::CachedUserPtr user,
                 std::string remote_ip)
    : service_(service),
      name_(std::move(name)),
      remote_ip_(std::move(remote_ip)),
      signed_in_(current_date()),
      user_(std::move(user)) {}

Task<std::unique_ptr<AppUser>> AppUser::sign_in(AppUserService& service, AppUserName name,
                                                std::string_view payload, std::string remote_ip) {
  const std::size_t first = payload.find('\0');
  const std::size_t second =
      first == std::string_view::npos ? first : payload.find('\0', first + 1);
  if (second == std::string_view::npos) co_return authentication_failed();
  const auto credential = credential_of(
      name.provider, payload.substr(first + 1, second - first - 1), payload.substr(second + 1));
  const deployment::DeployedAppPtr app = service.apps.find(name.app);
  if (!credential || !app || !is_open_for_wire(*app, name.source)) {
    co_return authentication_failed();
  }
  auto found = co_await service.auth.identify(app->auth, name.provider, *credential, true);
  if (!found) {
    RESTITCH_LOG(kInfo, kAuth, 1210, "Sign-in of an app user on the wire endpoint refused",
                 {"app", name.app}, {"provider", name.provider}, {"remote", remote_ip},
                 {"reason", found.error().detail()});
    const bool is_refused = found.error().code() == ErrorCode::kInvalidSession;
    co_return is_refused ? authentication_failed() : std::move(found).error();
  }
  std::unique_ptr<AppUser> user(
      new AppUser(service, std::move(name), std::move(*found), std::move(remote_ip)));
  RESTITCH_CO_CHECK(co_await user->renew());
  co_return user;
}

asio::awaitable<bson::Document> AppUser::run(std::string_view database, bson::Document command) {
  auto reply = co_await dispatch(database, command);
  if (!reply) co_return error_reply(wire_error(reply.error()), label_context(command));
  co_return std::move(*reply);
}

Task<bson::Document> AppUser::dispatch(std::string_view database, bson::View command) {
  const std::string_view name = command.begin()->name;
  const AppUserCommand kind = kind_of_command(name);
  const bool is_data = kind == AppUserCommand::kRead || kind == AppUserCommand::kWrite;
  if (kind == AppUserCommand::kDenied || (is_data && database == "admin")) {
    co_return mongo_error(kUnauthorized, "not authorized on " + std::string(database) +
                                             " to execute command " + std::string(name));
  }
  RESTITCH_CO_CHECK(co_await renew());
  if (kind == AppUserCommand::kRead) co_return co_await read(database, command);
  if (kind == AppUserCommand::kWrite) co_return co_await write(database, command);
  if (name == "getMore") co_return get_more(database, command);
  if (name == "killCursors") co_return kill_cursors(command);
  if (name == "listDatabases" || name == "listCollections") co_return list(database, command);
  if (name == "connectionStatus") co_return connection_status();
  co_return ok();
}

Task<void> AppUser::renew() {
  app_ = service_.apps.find(name_.app);
  if (!app_ || !is_open_for_wire(*app_, name_.source)) {
    has_ended_ = true;
    co_return authentication_failed();
  }
  auto found = co_await service_.auth.find_user(app_->auth->app_id, user_->record.id);
  if (!found && found.error().code() != ErrorCode::kUserNotFound)
    co_return std::move(found).error();
  const bool is_revoked =
      !found || (*found)->record.disabled || signed_in_.millis < (*found)->record.not_before.millis;
  if (is_revoked) {
    has_ended_ = true;
    co_return authentication_failed();
  }
  user_ = std::move(*found);
  const auto now = std::chrono::steady_clock::now();
  const bool is_old = custom_data_read_ == decltype(custom_data_read_)() ||
                      now - custom_data_read_ > kCustomDataAge;
  if (!is_old || !app_->auth->custom_data) co_return Status();
  RESTITCH_CO_TRY(const std::optional<bson::Document> data,
                  co_await app_->auth->custom_data(user_->record.id.to_hex()));
  custom_data_ = data.value_or(bson::Document());
  custom_data_read_ = now;
  co_return Status();
}

Task<bson::Value> AppUser::run_operation(rules::Operation operation) {
  const rules::User user = deployment::to_rules_user(*user_, custom_data_);
  rules::RequestInfo info;
  info.remote_ip = remote_ip_;
  info.service = name_.source;
  info.action = std::string(rules::name_of(operation.action));
  const bson::Document request = info.to_document();
  const rules::EvaluationContext context{user,
                                         request,
                                         app_->values,
                                         app_->environment_tag,
                                         app_->environment_values,
                                         app_->functions.get(),
                                         {}};
  co_return co_await app_->data->run_as_user(std::move(operation), context,
                                             std::chrono::steady_clock::now() + kRequestTime);
}

Task<bson::Document> AppUser::read(std::string_view database, bson::View command) {
  RESTITCH_CO_TRY(AppUserRead read, parse_read(name_.source, database, command));
  const std::string name_space = std::string(database) + "." + read.operation.collection;
  const rules::Action action = read.operation.action;
  RESTITCH_CO_TRY(bson::Value result, co_await run_operation(std::move(read.operation)));
  if (action == rules::Action::kFind || action == rules::Action::kAggregate) {
    co_return service_.cursors.first_batch(owner(), name_space, std::move(result), read.batch_size,
                                           read.is_single_batch, std::chrono::steady_clock::now());
  }
  bson::Builder builder;
  if (action == rules::Action::kCount) {
    builder.append("n", static_cast<std::int32_t>(result.view().as_integer().value_or(0)));
  } else {
    builder.append("values", result);
  }
  builder.append("ok", 1.0);
  co_return std::move(builder).finish();
}

Task<bson::Document> AppUser::write(std::string_view database, bson::View command) {
  RESTITCH_CO_TRY(AppUserWrites writes, parse_writes(name_.source, database, command));
  const bool is_update = command.begin()->name == "update";
  Counted counted;
  for (std::size_t i = 0; i < writes.statements.size(); ++i) {
    auto done = co_await run_operation(std::move(writes.statements[i]));
    const auto index = static_cast<std::int32_t>(i);
    if (done) {
      counted.add(index, done->view().as_object().value_or(bson::View()));
      continue;
    }
    if (done.error().code() == ErrorCode::kSourceUnavailable) co_return std::move(done).error();
    counted.has_errors = true;
    append_write_error(counted.errors, index, done.error());
    if (writes.is_ordered) break;
  }
  co_return std::move(counted).reply(is_update);
}

Result<bson::Document> AppUser::get_more(std::string_view database, bson::View command) {
  const auto id = command.begin()->value.as_integer();
  const auto collection = command["collection"].as_string();
  if (!id || !collection)
    return Error(ErrorCode::kInvalidArgument, "getMore needs a cursor id and 'collection'");
  std::optional<std::int64_t> batch_size = command["batchSize"].as_integer();
  if (batch_size && *batch_size < 0) batch_size.reset();
  return service_.cursors.next_batch(owner(), *id,
                                     std::string(database) + "." + std::string(*collection),
                                     batch_size, std::chrono::steady_clock::now());
}

Result<bson::Document> AppUser::kill_cursors(bson::View command) {
  const auto ids = command["cursors"].as_array();
  if (!ids) return Error(ErrorCode::kInvalidArgument, "killCursors needs an array 'cursors'");
  bson::Builder killed, unknown;
  for (const bson::Element& element : *ids) {
    const std::int64_t id = element.value.as_integer().value_or(0);
    (service_.cursors.kill(owner(), id) ? killed : unknown).push(id);
  }
  bson::Builder builder;
  builder.append_array("cursorsKilled", std::move(killed).finish());
  builder.append_array("cursorsNotFound", std::move(unknown).finish());
  builder.append_array("cursorsAlive", bson::View()).append_array("cursorsUnknown", bson::View());
  builder.append("ok", 1.0);
  return std::move(builder).finish();
}

// Databases and collections that have a rule: what else there is is not told.
Result<bson::Document> AppUser::list(std::string_view database, bson::View command) {
  const bool lists_databases = command.begin()->name == "listDatabases";
  std::set<std::string> names;
  for (const auto& [known, collection] : app_->data->rules().namespaces(name_.source)) {
    if (lists_databases) names.insert(known);
    if (!lists_databases && known == database) names.insert(collection);
  }
  const query::CommandContext context;
  RESTITCH_TRY(
      const query::Filter filter,
      query::Filter::compile(command["filter"].as_object().value_or(bson::View()), context));
  bson::Builder entries;
  for (const std::string& name : names) {
    bson::Builder entry;
    entry.append("name", name);
    if (lists_databases) {
      entry.append("sizeOnDisk", std::int64_t{0}).append("empty", false);
    } else {
      entry.append("type", "collection");
    }
    const bson::Document document = std::move(entry).finish();
    RESTITCH_TRY(const bool is_wanted, filter.matches(document));
    if (is_wanted) entries.push(document);
  }
  bson::Document list = std::move(entries).finish();
  if (!lists_databases) {
    return service_.cursors.first_batch(owner(), std::string(database) + ".$cmd.listCollections",
                                        bson::Value::array(std::move(list)), std::nullopt, true,
                                        std::chrono::steady_clock::now());
  }
  bson::Builder builder;
  builder.append_array("databases", list).append("totalSize", std::int64_t{0}).append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document AppUser::connection_status() const {
  bson::Builder builder;
  builder.open_object("authInfo").open_array("authenticatedUsers").push_object();
  builder.append("user", user_->record.id.to_hex()).append("db", "$external");
  builder.close().close().append_array("authenticatedUserRoles", bson::View());
  builder.close().append("ok", 1.0);
  return std::move(builder).finish();
}

}  // namespace restitch::api::wire
