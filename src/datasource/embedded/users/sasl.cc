#include "datasource/embedded/users/sasl.h"

#include "base/log.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/users/authentication.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr int kProtocolError = 17;
constexpr int kMechanismUnavailable = 334;
constexpr std::size_t kMaxPlain = 4096;

Result<std::string_view> payload_of(View request) {
  const bson::ValueView payload = request["payload"];
  if (payload.type() == bson::Type::kBinary) return payload.get_binary().bytes;
  if (const auto text = payload.as_string()) return *text;
  if (payload.is_missing()) {
    return mongo_error(40414, "BSON field 'saslStart.payload' is missing but a required field");
  }
  return mongo_error(code::kTypeMismatch, "payload must be a binary or a string");
}

Document sasl_reply(const Authentication& authentication, bool is_done, std::string_view payload) {
  Builder reply;
  reply.append("conversationId", authentication.conversation);
  reply.append("done", is_done);
  reply.append_binary("payload", 0, payload);
  return std::move(reply).finish();
}

void forget_exchange(Authentication& authentication) {
  authentication.exchange.reset();
  authentication.candidate.reset();
  authentication.has_proof = false;
}

void sign_in(Operation& operation, const UserPtr& user, std::string_view mechanism) {
  std::vector<UserPtr>& users = operation.caller->authentication->users;
  std::erase_if(users, [&](const UserPtr& other) { return other->database == user->database; });
  users.push_back(user);
  RESTITCH_LOG(kInfo, kAuth, 5250, "Authentication succeeded", {"mechanism", mechanism},
               {"user", user->full_name()}, {"connection", operation.caller->connection},
               {"remote", operation.caller->remote});
}

Error refused(Operation& operation, std::string_view mechanism, std::string_view user,
              std::string_view database) {
  forget_exchange(*operation.caller->authentication);
  RESTITCH_LOG(kWarning, kAuth, 5251, "Authentication failed", {"mechanism", mechanism},
               {"user", user}, {"database", database}, {"connection", operation.caller->connection},
               {"remote", operation.caller->remote});
  return authentication_failed();
}

Task<Document> start_scram(Operation& operation, ScramHash hash, std::string database,
                           View request) {
  Authentication& authentication = *operation.caller->authentication;
  RESTITCH_CO_TRY(const std::string_view payload, payload_of(request));
  auto exchange = std::make_unique<ScramExchange>(hash);
  if (!exchange->read_first(payload)) {
    co_return refused(operation, mechanism_of(hash), "", database);
  }
  std::string name = exchange->user();
  RESTITCH_CO_TRY(UserPtr user, co_await read_user(operation.services, database, name));
  ScramCredentials credentials;
  if (!user) {
    credentials =
        fake_credentials(hash, operation.services.identity.secret, user_id(database, name));
  } else if (user->of(hash)) {
    credentials = *user->of(hash);
  } else {
    const std::string mechanism(mechanism_of(hash));
    co_return mongo_error(kMechanismUnavailable, "Unable to use " + mechanism +
                                                     " based authentication for user without any " +
                                                     mechanism + " credentials registered");
  }
  const std::string answer = exchange->answer_first(std::move(credentials), fresh_nonce());
  authentication.exchange = std::move(exchange);
  authentication.candidate = std::move(user);
  authentication.exchange_database = std::move(database);
  authentication.skips_empty_message = request.find_path("options.skipEmptyExchange").truthy();
  ++authentication.conversation;
  co_return sasl_reply(authentication, false, answer);
}

struct PlainLogin {
  std::string user, password;
};

Result<PlainLogin> read_plain(std::string_view payload) {
  if (payload.size() > kMaxPlain) return authentication_failed();
  const std::size_t first = payload.find('\0');
  const std::size_t second =
      first == std::string_view::npos ? first : payload.find('\0', first + 1);
  if (second == std::string_view::npos) return authentication_failed();
  PlainLogin login{std::string(payload.substr(first + 1, second - first - 1)),
                   std::string(payload.substr(second + 1))};
  const std::string_view other = payload.substr(0, first);
  if (login.user.empty() || (!other.empty() && other != login.user)) {
    return authentication_failed();
  }
  return login;
}

// The password is checked against what SCRAM stores.
Task<Document> run_plain(Operation& operation, std::string database, View request) {
  Authentication& authentication = *operation.caller->authentication;
  if (!operation.caller->is_encrypted) {
    co_return mongo_error(kMechanismUnavailable,
                          "Received authentication for mechanism PLAIN which is not enabled "
                          "without TLS");
  }
  RESTITCH_CO_TRY(const std::string_view payload, payload_of(request));
  const auto read = read_plain(payload);
  if (!read) co_return refused(operation, "PLAIN", "", database);
  const PlainLogin login = *read;
  RESTITCH_CO_TRY(const UserPtr user, co_await read_user(operation.services, database, login.user));
  const bool uses_sha1 = user && !user->of(ScramHash::kSha256) && user->of(ScramHash::kSha1);
  const ScramHash hash = uses_sha1 ? ScramHash::kSha1 : ScramHash::kSha256;
  // An unknown user costs as much time as a known one.
  const ScramCredentials credentials =
      user && user->of(hash)
          ? *user->of(hash)
          : fake_credentials(hash, operation.services.identity.secret, login.user);
  const auto work = [credentials, hash, login]() -> Result<bool> {
    return is_password_of(credentials, hash, login.user, login.password);
  };
  RESTITCH_CO_TRY(const bool fits, co_await operation.services.users.hashing.run(work));
  if (!user || !fits) co_return refused(operation, "PLAIN", login.user, database);
  sign_in(operation, user, "PLAIN");
  ++authentication.conversation;
  co_return sasl_reply(authentication, true, "");
}

// "db.user"
std::optional<std::pair<std::string, std::string>> split_user(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return std::pair(std::string(text.substr(0, dot)), std::string(text.substr(dot + 1)));
}

Task<void> append_mechanisms(Builder& reply, Operation& operation) {
  const auto asked = operation.command["saslSupportedMechs"].as_string();
  const auto name = asked ? split_user(*asked) : std::nullopt;
  if (!name) co_return Status();
  RESTITCH_CO_TRY(const UserPtr user,
                  co_await read_user(operation.services, name->first, name->second));
  if (!user) co_return Status();
  reply.open_array("saslSupportedMechs");
  for (const ScramHash hash : {ScramHash::kSha1, ScramHash::kSha256}) {
    if (user->of(hash)) reply.push(mechanism_of(hash));
  }
  if (operation.caller->is_encrypted) reply.push("PLAIN");
  reply.close();
  co_return Status();
}

}  // namespace

Task<Document> start_sasl(Operation& operation, std::string database, View request) {
  forget_exchange(*operation.caller->authentication);
  const std::string mechanism(request["mechanism"].as_string().value_or(""));
  if (const auto hash = scram_hash_of(mechanism)) {
    co_return co_await start_scram(operation, *hash, std::move(database), request);
  }
  if (mechanism == "PLAIN") co_return co_await run_plain(operation, std::move(database), request);
  co_return mongo_error(code::kBadValue, "Unknown auth mechanism '" + mechanism + "'");
}

Task<Document> continue_sasl(Operation& operation, View request) {
  Authentication& authentication = *operation.caller->authentication;
  if (!authentication.exchange) {
    co_return mongo_error(kProtocolError, "No SASL session state found");
  }
  if (request["conversationId"].as_integer() != authentication.conversation) {
    forget_exchange(authentication);
    co_return mongo_error(kProtocolError, "sasl: Mismatched conversation id");
  }
  RESTITCH_CO_TRY(const std::string_view payload, payload_of(request));
  const UserPtr user = authentication.candidate;
  const std::string mechanism(mechanism_of(authentication.exchange->hash()));
  const std::string name = authentication.exchange->user();
  std::string answer;
  if (authentication.has_proof) {
    if (!payload.empty()) {
      co_return refused(operation, mechanism, name, authentication.exchange_database);
    }
  } else {
    auto finished = authentication.exchange->finish(payload);
    if (!finished || !user) {
      co_return refused(operation, mechanism, name, authentication.exchange_database);
    }
    answer = std::move(*finished);
    if (!authentication.skips_empty_message) {
      authentication.has_proof = true;
      co_return sasl_reply(authentication, false, answer);
    }
  }
  sign_in(operation, user, mechanism);
  Document reply = sasl_reply(authentication, true, answer);
  forget_exchange(authentication);
  co_return reply;
}

Task<Document> authenticate_certificate(Operation& operation, std::string database, View request) {
  const std::string mechanism(request["mechanism"].as_string().value_or(""));
  if (mechanism != "MONGODB-X509") {
    co_return mongo_error(code::kBadValue, "Unknown auth mechanism '" + mechanism + "'");
  }
  const std::string& subject = operation.caller->certificate_subject;
  const auto asked = request["user"].as_string();
  if (subject.empty() || database != "$external" || (asked && *asked != subject)) {
    co_return refused(operation, mechanism, asked.value_or(subject), database);
  }
  RESTITCH_CO_TRY(const UserPtr user, co_await read_user(operation.services, database, subject));
  if (!user) co_return refused(operation, mechanism, subject, database);
  sign_in(operation, user, mechanism);
  Builder reply;
  reply.append("dbname", database).append("user", subject);
  co_return std::move(reply).finish();
}

Task<void> append_sasl(Builder& reply, Operation& operation) {
  if (!operation.caller || !operation.caller->authentication) co_return Status();
  RESTITCH_CO_CHECK(co_await append_mechanisms(reply, operation));
  const auto request = operation.command["speculativeAuthenticate"].as_object();
  if (!request || request->empty()) co_return Status();
  std::string database((*request)["db"].as_string().value_or("admin"));
  Result<Document> answer = authentication_failed();
  const std::string_view command = request->begin()->name;
  if (command == "saslStart") {
    answer = co_await start_sasl(operation, std::move(database), *request);
  } else if (command == "authenticate") {
    answer = co_await authenticate_certificate(operation, "$external", *request);
  }
  // Whatever is wrong is told by the exchange that follows without speculation.
  if (answer) reply.append("speculativeAuthenticate", *answer);
  co_return Status();
}

}  // namespace restitch::datasource::embedded
