#include "datasource/mongodb/mongo_source.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "bson/validate.h"
#include "datasource/mongodb/command_parts.h"
#include "datasource/mongodb/concessions.h"
#include "datasource/mongodb/conversation.h"
#include "datasource/mongodb/driver.h"
#include "datasource/mongodb/topology_watch.h"
#include "runtime/elastic_pool.h"

namespace restitch::datasource::mongodb {
namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::int32_t kDefaultPoolSize = 200;
constexpr std::int32_t kDefaultSelectionMillis = 5'000;
constexpr std::size_t kQueueLimit = 10'000;
constexpr std::chrono::seconds kCursorIdleLimit{600};
constexpr std::chrono::seconds kTransactionIdleLimit{120};

constexpr std::size_t kLargestReply = 48'000'000;  // of a message

constexpr int kNetworkCode = 6;  // HostUnreachable
constexpr int kCursorNotFound = 43;
constexpr int kCursorInUse = 143;
constexpr int kNoSuchTransaction = 251;

Document failed_reply(int code, std::string_view name, std::string_view text,
                      View labels = View()) {
  Builder reply;
  reply.append("ok", 0.0);
  reply.append("errmsg", text);
  reply.append("code", code);
  reply.append("codeName", name);
  if (!labels.empty()) reply.append_array("errorLabels", labels);
  return std::move(reply).finish();
}

Document succeeded_reply() { return bson::make_document("ok", 1.0); }

std::optional<View> labels_of(View reply) { return reply["errorLabels"].as_array(); }

bool has_label(View reply, std::string_view label) {
  const auto labels = labels_of(reply);
  if (!labels) return false;
  return std::any_of(labels->begin(), labels->end(), [label](const bson::Element& element) {
    return element.value.as_string() == label;
  });
}

// The reply as the interface gives it: without the fields that belong to the connection.
Document without_times(Document reply) {
  if (!reply.view().contains("$clusterTime") && !reply.view().contains("operationTime"))
    return reply;
  Builder kept;
  const View view = reply.view();
  for (const bson::Element& element : view) {
    if (element.name != "$clusterTime" && element.name != "operationTime")
      kept.append(element.name, element.value);
  }
  return std::move(kept).finish();
}

std::int64_t open_cursor_of(View reply) {
  const auto cursor = reply["cursor"].as_object();
  return cursor ? (*cursor)["id"].as_integer().value_or(0) : 0;
}

std::optional<mongoc_read_mode_t> mode_of(std::string_view name) {
  if (name == "primary") return MONGOC_READ_PRIMARY;
  if (name == "primaryPreferred") return MONGOC_READ_PRIMARY_PREFERRED;
  if (name == "secondary") return MONGOC_READ_SECONDARY;
  if (name == "secondaryPreferred") return MONGOC_READ_SECONDARY_PREFERRED;
  if (name == "nearest") return MONGOC_READ_NEAREST;
  return std::nullopt;
}

Result<ReadPrefsPtr> read_prefs_of(const ReadPreference& preference) {
  const auto mode = mode_of(preference.mode);
  if (!mode)
    return Error(ErrorCode::kInvalidArgument, "unknown read preference '" + preference.mode + "'");
  ReadPrefsPtr prefs(mongoc_read_prefs_new(*mode));
  if (!preference.tag_sets.empty()) {
    const Borrowed tags(preference.tag_sets);
    mongoc_read_prefs_set_tags(prefs.get(), tags.get());
  }
  if (!mongoc_read_prefs_is_valid(prefs.get())) {
    return Error(ErrorCode::kInvalidArgument,
                 "read preference '" + preference.mode + "' takes no tags");
  }
  return prefs;
}

// One command on its way: what the calling thread needs besides the source.
struct Call {
  std::string database;
  CommandParts parts;
  const mongoc_read_prefs_t* read_prefs;  // null: that of the URI
};

class Source final : public MongoSource, public std::enable_shared_from_this<Source> {
 public:
  Source(const MongoSourceOptions& options, std::string database, PoolPtr pool,
         std::size_t pool_size)
      : kind_(options.kind),
        name_(options.name),
        database_(std::move(database)),
        watch_(options.name),
        pool_(std::move(pool)),
        held_limit_(std::max<std::size_t>(1, pool_size / 2)),
        threads_(std::max<std::size_t>(1, pool_size - held_limit_), kQueueLimit) {
    watch_.attach(pool_.get());
  }
  ~Source() override { close(); }

  Task<Document> run(std::string_view database, Document command, Deadline deadline) override {
    auto result =
        co_await run_reading(std::string(database), std::move(command), deadline, nullptr);
    co_return result;
  }

  Task<Document> run_reading(std::string database, Document command, Deadline deadline,
                             const mongoc_read_prefs_t* read_prefs) {
    if (is_closed_.load()) co_return Error(ErrorCode::kClosing, "the server is shutting down");
    const auto work = [this, database = std::move(database), command = std::move(command), deadline,
                       read_prefs] { return run_here(database, command, deadline, read_prefs); };
    auto result = co_await threads_.run(work);
    co_return result;
  }

  Result<std::shared_ptr<DataSource>> with_read_preference(
      const ReadPreference& preference) override;

  Kind kind() const override { return kind_; }
  bool has_transactions() const override {
    return kind_ == Kind::kCluster && watch_.has_transactions();
  }
  bool is_reachable() const override { return watch_.is_reachable(); }
  const std::string& database() const override { return database_; }

  void close() override {
    if (is_closed_.exchange(true)) return;
    threads_.stop();
    cursors_.clear();
    transactions_.clear();
  }

  // Waits until the deployment answers.
  void look_for(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    const Lease client(pool_.get(), mongoc_client_pool_pop(pool_.get()));
    while (!watch_.is_reachable() && std::chrono::steady_clock::now() < until) {
      bson_error_t error;
      const ServerPtr found(mongoc_client_select_server(client.get(), true, nullptr, &error));
      if (found) return;
    }
    if (patience.count() > 0 && !watch_.is_reachable()) {
      RESTITCH_LOG(kWarning, kSource, 5105, "Data source not reached; it is looked for",
                   {"cluster", name_});
    }
  }

 private:
  // ---- On a thread that may wait.

  Result<Document> run_here(const std::string& database, const Document& command, Deadline deadline,
                            const mongoc_read_prefs_t* read_prefs) {
    std::optional<std::int64_t> limit;
    if (deadline != kNoDeadline) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0)
        return Error(ErrorCode::kDeadlineExceeded, "the time limit has passed");
      limit = left.count();
    }
    const Call call{database, take_apart(command, limit), read_prefs};
    switch (call.parts.route) {
      case Route::kCommit:
      case Route::kAbort:
        return end_transaction(call);
      default:
        break;
    }
    if (call.parts.in_transaction) return run_in_transaction(call);
    switch (call.parts.route) {
      case Route::kOpensCursor:
        return open_cursor(call);
      case Route::kGetMore:
        return get_more(call);
      case Route::kKillCursors:
        return kill_cursors(call);
      default:
        return run_alone(call);
    }
  }

  Lease lease() { return {pool_.get(), mongoc_client_pool_pop(pool_.get())}; }

  // The reply of the server, or why there is none.
  static Result<Document> result_of(const Owned& reply, const bson_error_t& error) {
    // Not every server keeps a batch below MongoDB's limit.
    bson::ValidateOptions limits;
    limits.max_size = kLargestReply;
    RESTITCH_TRY(Document document, bson::checked_document(std::string(reply.bytes()), limits));
    if (document.view().contains("ok")) return without_times(std::move(document));
    const bool is_ours = error.domain == MONGOC_ERROR_COMMAND ||
                         error.domain == MONGOC_ERROR_BSON ||
                         error.domain == MONGOC_ERROR_TRANSACTION;
    if (is_ours)
      return failed_reply(2, "BadValue", error.message, labels_of(document).value_or(View()));
    const auto labels = labels_of(document);
    if (labels && !labels->empty())
      return failed_reply(kNetworkCode, "HostUnreachable", error.message, *labels);
    return Error(ErrorCode::kSourceUnavailable, "the data source is not available")
        .with_detail(error.message);
  }

  Result<Document> run_alone(const Call& call) {
    const Lease client = lease();
    return run_on(client.get(), call, nullptr, 0);
  }

  // Once more without what the deployment refuses although it changes nothing there.
  Result<Document> run_on(mongoc_client_t* client, const Call& call,
                          mongoc_client_session_t* session, std::uint32_t server_id) {
    const CommandParts& parts = call.parts;
    Result<Document> reply = run_body(client, call, parts.body, session, server_id);
    if (parts.in_transaction) return reply;
    std::optional<Document> lesser;
    const auto next = [&](View body) {
      return reply ? without_refused_part(body, *reply, parts.has_our_limit) : std::nullopt;
    };
    for (lesser = next(parts.body); lesser; lesser = next(*lesser))
      reply = run_body(client, call, *lesser, session, server_id);
    return reply;
  }

  Result<Document> run_body(mongoc_client_t* client, const Call& call, View given,
                            mongoc_client_session_t* session, std::uint32_t server_id) {
    Owned options;
    bson_error_t error{};
    const CommandParts& parts = call.parts;
    if (session != nullptr && !mongoc_client_session_append(session, options.get(), &error)) {
      return Error(ErrorCode::kInternal, error.message);
    }
    if (server_id != 0)
      BSON_APPEND_INT32(options.get(), "serverId", static_cast<std::int32_t>(server_id));
    Builder body;
    body.append_all(given);
    const bool is_write = parts.route == Route::kWrite;
    // The library adds a retryable write's concern itself; elsewhere the command's own stands.
    if (!parts.write_concern.empty() && !parts.in_transaction) {
      if (is_write) {
        const Borrowed concern(parts.write_concern);
        BSON_APPEND_DOCUMENT(options.get(), "writeConcern", concern.get());
      } else {
        body.append("writeConcern", parts.write_concern);
      }
    }
    if (!parts.read_concern.empty() && !parts.in_transaction)
      body.append("readConcern", parts.read_concern);
    const Document command = std::move(body).finish();
    const Borrowed borrowed(command);
    Owned reply;
    const char* database = call.database.c_str();
    switch (parts.route) {
      case Route::kWrite:
        mongoc_client_write_command_with_opts(client, database, borrowed.get(), options.get(),
                                              reply.reset(), &error);
        break;
      case Route::kRead:
      case Route::kOpensCursor:
        mongoc_client_read_command_with_opts(client, database, borrowed.get(),
                                             parts.in_transaction ? nullptr : call.read_prefs,
                                             options.get(), reply.reset(), &error);
        break;
      default:
        mongoc_client_command_with_opts(client, database, borrowed.get(), nullptr, options.get(),
                                        reply.reset(), &error);
    }
    return result_of(reply, error);
  }

  Result<ConversationPtr> converse() {
    if (cursors_.size() + transactions_.size() >= held_limit_) {
      return Error(ErrorCode::kTooManyRequests,
                   "too many open cursors and transactions on one data source");
    }
    Lease client = lease();
    bson_error_t error{};
    mongoc_session_opt_t* session_options = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(session_options, false);
    SessionPtr session(mongoc_client_start_session(client.get(), session_options, &error));
    mongoc_session_opts_destroy(session_options);
    // A deployment without sessions has cursors all the same.
    const bool has_no_sessions =
        error.domain == MONGOC_ERROR_CLIENT && error.code == MONGOC_ERROR_CLIENT_SESSION_FAILURE;
    if (!session && !has_no_sessions) {
      return Error(ErrorCode::kSourceUnavailable, "the data source is not available")
          .with_detail(error.message);
    }
    return std::make_unique<Conversation>(std::move(client), std::move(session));
  }

  // A cursor lives in the session and on the server of the command that opened it. That command is
  // repeated once when its server failed.
  Result<Document> open_cursor(const Call& call) {
    RESTITCH_TRY(ConversationPtr conversation, converse());
    Result<Document> reply = open_cursor_at(call, *conversation);
    if (!reply && reply.error().code() == ErrorCode::kSourceUnavailable && watch_.is_reachable()) {
      reply = open_cursor_at(call, *conversation);
    }
    if (!reply) return reply;
    if (const std::int64_t id = open_cursor_of(*reply); id != 0)
      cursors_.put(id, std::move(conversation));
    return reply;
  }

  Result<Document> open_cursor_at(const Call& call, Conversation& conversation) {
    bson_error_t error{};
    mongoc_client_t* client = conversation.client.get();
    const ServerPtr server(
        mongoc_client_select_server(client, writes(call.parts), call.read_prefs, &error));
    if (!server) {
      return Error(ErrorCode::kSourceUnavailable, "the data source is not available")
          .with_detail(error.message);
    }
    conversation.server_id = mongoc_server_description_id(server.get());
    return run_on(client, call, conversation.session.get(), conversation.server_id);
  }

  // Whether an aggregate stores its result.
  static bool writes(const CommandParts& parts) {
    const auto pipeline = parts.body["pipeline"].as_array();
    if (!pipeline) return false;
    return std::any_of(pipeline->begin(), pipeline->end(), [](const bson::Element& element) {
      const auto stage = element.value.as_object();
      return stage && (stage->contains("$out") || stage->contains("$merge"));
    });
  }

  Result<Document> get_more(const Call& call) {
    const std::int64_t id = call.parts.body["getMore"].as_integer().value_or(0);
    ConversationPtr conversation;
    switch (cursors_.take(id, conversation)) {
      case Conversations<std::int64_t>::Taken::kUnknown:
        return failed_reply(kCursorNotFound, "CursorNotFound",
                            "cursor id " + std::to_string(id) + " not found");
      case Conversations<std::int64_t>::Taken::kInUse:
        return failed_reply(kCursorInUse, "CursorInUse",
                            "cursor id " + std::to_string(id) + " is already in use");
      case Conversations<std::int64_t>::Taken::kTaken:
        break;
    }
    auto reply = run_on(conversation->client.get(), call, conversation->session.get(),
                        conversation->server_id);
    if (reply && open_cursor_of(*reply) != 0) {
      cursors_.put(id, std::move(conversation));
    } else {
      cursors_.forget(id);
    }
    return reply;
  }

  // Each cursor is killed where it lives.
  Result<Document> kill_cursors(const Call& call) {
    const View body = call.parts.body;
    const auto ids = body["cursors"].as_array();
    const std::string collection(body["killCursors"].as_string().value_or(""));
    Builder killed_list, unknown_list;
    killed_list.open_array("ids");
    unknown_list.open_array("ids");
    for (const bson::Element& element : ids.value_or(View())) {
      const std::int64_t id = element.value.as_integer().value_or(0);
      if (kill_cursor(call.database, collection, id)) {
        killed_list.push(id);
      } else {
        unknown_list.push(id);
      }
    }
    const Document done = std::move(killed_list.close()).finish();
    const Document missed = std::move(unknown_list.close()).finish();
    Builder reply;
    reply.append_array("cursorsKilled", *done["ids"].as_array());
    reply.append_array("cursorsNotFound", *missed["ids"].as_array());
    reply.append_array("cursorsAlive", View());
    reply.append_array("cursorsUnknown", View());
    reply.append("ok", 1.0);
    return std::move(reply).finish();
  }

  bool kill_cursor(const std::string& database, const std::string& collection, std::int64_t id) {
    ConversationPtr conversation;
    if (cursors_.take(id, conversation) != Conversations<std::int64_t>::Taken::kTaken) return false;
    Builder command;
    command.append("killCursors", collection);
    command.open_array("cursors").push(id).close();
    const Call call{database, take_apart(std::move(command).finish(), std::nullopt), nullptr};
    auto killed = run_on(conversation->client.get(), call, conversation->session.get(),
                         conversation->server_id);
    static_cast<void>(killed);  // a server that is gone has no cursor left
    cursors_.forget(id);
    return true;
  }

  // ---- Transactions.

  Result<Document> run_in_transaction(const Call& call) {
    const CommandParts& parts = call.parts;
    ConversationPtr conversation;
    auto taken = transactions_.take(parts.session, conversation);
    if (taken == Conversations<std::string>::Taken::kInUse) {
      return failed_reply(kNoSuchTransaction, "NoSuchTransaction", "the transaction is in use");
    }
    if (parts.starts_transaction) {
      if (!conversation) {
        RESTITCH_TRY(conversation, converse());
      }
      if (Status proven = prove_transactions(*conversation); !proven) {
        transactions_.forget(parts.session);
        return std::move(proven).error();
      }
      if (Status started = start(parts, *conversation); !started) {
        transactions_.forget(parts.session);
        return std::move(started).error();
      }
    } else if (!conversation) {
      return failed_reply(kNoSuchTransaction, "NoSuchTransaction",
                          "Given transaction number does not match any in-progress transactions.");
    }
    auto reply = run_on(conversation->client.get(), call, conversation->session.get(), 0);
    transactions_.put(parts.session, std::move(conversation));
    return reply;
  }

  // Some servers call themselves a replica set, take the fields of a transaction and carry out each
  // statement at once. They do not know the command that would end it.
  Status prove_transactions(Conversation& conversation) {
    const Error none(ErrorCode::kUnsupported, "the data source has no transactions");
    if (!conversation.session) return none;
    if (watch_.has_proven_transactions()) return {};
    constexpr int kCommandNotFound = 59;
    const Call call{"admin", take_apart(bson::make_document("commitTransaction", 1), std::nullopt),
                    nullptr};
    RESTITCH_TRY(const Document reply,
                 run_body(conversation.client.get(), call, call.parts.body, nullptr, 0));
    const bool are_there = reply["code"].as_integer() != kCommandNotFound;
    watch_.note_transactions(are_there);
    if (!are_there) return none;
    return {};
  }

  static Status start(const CommandParts& parts, Conversation& conversation) {
    bson_error_t error{};
    mongoc_client_session_t* session = conversation.session.get();
    if (mongoc_client_session_in_transaction(session))
      mongoc_client_session_abort_transaction(session, nullptr);
    mongoc_transaction_opt_t* options = mongoc_transaction_opts_new();
    if (const auto level = parts.read_concern["level"].as_string()) {
      mongoc_read_concern_t* concern = mongoc_read_concern_new();
      mongoc_read_concern_set_level(concern, std::string(*level).c_str());
      mongoc_transaction_opts_set_read_concern(options, concern);
      mongoc_read_concern_destroy(concern);
    }
    const bool started = mongoc_client_session_start_transaction(session, options, &error);
    mongoc_transaction_opts_destroy(options);
    if (!started) return Error(ErrorCode::kInternal, error.message);
    return {};
  }

  Result<Document> end_transaction(const Call& call) {
    const std::string& key = call.parts.session;
    ConversationPtr conversation;
    if (transactions_.take(key, conversation) != Conversations<std::string>::Taken::kTaken) {
      return failed_reply(kNoSuchTransaction, "NoSuchTransaction",
                          "Given transaction number does not match any in-progress transactions.");
    }
    mongoc_client_session_t* session = conversation->session.get();
    if (call.parts.route == Route::kAbort) {
      mongoc_client_session_abort_transaction(session,
                                              nullptr);  // failures end in the server's time limit
      transactions_.forget(key);
      return succeeded_reply();
    }
    bson_error_t error{};
    Owned reply;
    const bool committed = mongoc_client_session_commit_transaction(session, reply.reset(), &error);
    Result<Document> result =
        committed ? Result<Document>(succeeded_reply()) : result_of(reply, error);
    const bool may_commit_again = result && has_label(*result, "UnknownTransactionCommitResult");
    if (may_commit_again) {
      transactions_.put(key, std::move(conversation));
    } else {
      transactions_.forget(key);
    }
    return result;
  }

  Kind kind_;
  std::string name_;
  std::string database_;
  TopologyWatch watch_;
  PoolPtr pool_;
  std::size_t held_limit_;
  std::atomic<bool> is_closed_{false};
  Conversations<std::int64_t> cursors_{kCursorIdleLimit};
  Conversations<std::string> transactions_{kTransactionIdleLimit};
  runtime::ElasticPool threads_;
};

// A source that reads where its preference says.
class ReadingSource final : public DataSource {
 public:
  ReadingSource(std::shared_ptr<Source> source, ReadPrefsPtr prefs)
      : source_(std::move(source)), prefs_(std::move(prefs)) {}

  Task<Document> run(std::string_view database, Document command, Deadline deadline) override {
    return source_->run_reading(std::string(database), std::move(command), deadline, prefs_.get());
  }
  Kind kind() const override { return source_->kind(); }
  bool has_transactions() const override { return source_->has_transactions(); }

 private:
  std::shared_ptr<Source> source_;
  ReadPrefsPtr prefs_;
};

Result<std::shared_ptr<DataSource>> Source::with_read_preference(const ReadPreference& preference) {
  RESTITCH_TRY(ReadPrefsPtr prefs, read_prefs_of(preference));
  return std::shared_ptr<DataSource>(
      std::make_shared<ReadingSource>(shared_from_this(), std::move(prefs)));
}

// What the library says about a URI repeats it, password included: only its shape may be told.
Result<UriPtr> parse_uri(const MongoSourceOptions& options) {
  bson_error_t error{};
  UriPtr uri(mongoc_uri_new_with_error(options.uri.c_str(), &error));
  if (!uri) {
    return Error(ErrorCode::kInvalidArgument,
                 "the URI of cluster '" + options.name +
                     "' is no MongoDB connection string (mongodb://… or mongodb+srv://…)");
  }
  if (mongoc_uri_get_option_as_int32(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 0) == 0) {
    mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                                   kDefaultSelectionMillis);
  }
  if (mongoc_uri_get_option_as_int32(uri.get(), MONGOC_URI_MAXPOOLSIZE, 0) <= 0) {
    mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_MAXPOOLSIZE, kDefaultPoolSize);
  }
  if (mongoc_uri_get_appname(uri.get()) == nullptr) mongoc_uri_set_appname(uri.get(), "restitch");
  return uri;
}

}  // namespace

Result<std::shared_ptr<MongoSource>> MongoSource::open(const MongoSourceOptions& options,
                                                       std::chrono::milliseconds patience) {
  start_driver();
  RESTITCH_TRY(const UriPtr uri, parse_uri(options));
  bson_error_t error{};
  PoolPtr pool(mongoc_client_pool_new_with_error(uri.get(), &error));
  if (!pool) {
    return Error(ErrorCode::kInvalidArgument, "cluster '" + options.name + "' cannot be used")
        .with_detail(error.message);
  }
  mongoc_client_pool_set_error_api(pool.get(), MONGOC_ERROR_API_VERSION_2);
  const auto size = static_cast<std::size_t>(
      mongoc_uri_get_option_as_int32(uri.get(), MONGOC_URI_MAXPOOLSIZE, kDefaultPoolSize));
  const char* database = mongoc_uri_get_database(uri.get());
  auto source = std::make_shared<Source>(options, database == nullptr ? "" : database,
                                         std::move(pool), size);
  source->look_for(patience);
  return std::shared_ptr<MongoSource>(std::move(source));
}

}  // namespace restitch::datasource::mongodb
