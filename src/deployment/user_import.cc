#include "deployment/user_import.h"

#include <chrono>

#include "auth/password.h"

namespace restitch::deployment {
namespace {

constexpr std::size_t kMaxEmailLength = 128;

Error invalid(std::string text) { return Error(ErrorCode::kInvalidArgument, std::move(text)); }

// Hex digits or an ObjectId.
std::optional<bson::ObjectId> id_in(bson::ValueView value) {
  if (const auto id = value.as_object_id()) return id;
  const auto text = value.as_string();
  return text ? bson::ObjectId::from_hex(*text) : std::nullopt;
}

std::string text_in(bson::ValueView value) { return std::string(value.as_string().value_or("")); }

// A date, or seconds since the epoch as the Admin API writes them; 0 = absent.
Result<bson::Date> date_in(bson::View document, std::string_view name) {
  const bson::ValueView value = document[name];
  if (value.is_nullish()) return bson::Date{};
  if (value.type() == bson::Type::kDate) return value.get_date();
  const auto seconds = value.as_integer();
  if (!seconds || *seconds < 0 || *seconds > 100'000'000'000)
    return invalid("'" + std::string(name) + "' is neither a date nor seconds since 1970");
  return bson::Date{*seconds * 1000};
}

bson::Document metadata_of(bson::View identity) {
  for (const std::string_view name : {"data", "provider_data"}) {
    if (const auto data = identity[name].as_object()) return bson::Document(*data);
  }
  return {};
}

class UserReader {
 public:
  UserReader(bson::View document, const DeployedApp& app) : document_(document), app_(app) {}

  Result<ImportedUser> read() && {
    auth::UserRecord& user = imported_.record;
    const auto id = id_in(document_.contains("_id") ? document_["_id"] : document_["id"]);
    if (!id) return invalid("'id' must be 24 hex digits");
    user.id = *id;
    user.app_id = app_.auth->app_id;
    if (const std::string type = text_in(document_["type"]); !type.empty() && type != "normal")
      return invalid("only users of the type 'normal' can be imported");
    user.disabled = document_["disabled"].as_bool().value_or(false);
    RESTITCH_TRY(user.created, date_in(document_, "creation_date"));
    RESTITCH_TRY(user.last_authenticated, date_in(document_, "last_authentication_date"));
    RESTITCH_CHECK(read_identities());
    if (user.identities.empty()) return invalid("the user has no identity that can sign in");
    RESTITCH_CHECK(read_custom_data());
    return std::move(imported_);
  }

 private:
  Status read_identities() {
    const bson::ValueView list = document_["identities"];
    if (list.is_nullish()) return add_password_identity(document_, document_["login_id"]);
    const auto identities = list.as_array();
    if (!identities) return invalid("'identities' must be a list");
    for (const bson::Element& element : *identities) {
      const auto identity = element.value.as_object();
      if (!identity) return invalid("an entry of 'identities' is no object");
      RESTITCH_CHECK(add_identity(*identity));
    }
    return {};
  }

  Status add_identity(bson::View identity) {
    const std::string type = text_in(identity["provider_type"]);
    if (type == "api-key") return {};  // its key is known to nobody but its owner
    if (type == "local-userpass") return add_password_identity(identity, identity["id"]);
    RESTITCH_TRY(const bson::ObjectId provider, provider_id(type));
    const std::string id = text_in(identity["id"]);
    if (id.empty()) return invalid("an identity of " + type + " has no 'id'");
    imported_.record.identities.push_back({id, type, provider, metadata_of(identity)});
    return {};
  }

  // `source` is the identity, or the whole record in the short form.
  Status add_password_identity(bson::View source, bson::ValueView login_id) {
    RESTITCH_TRY(const bson::ObjectId provider, provider_id("local-userpass"));
    const std::string email = email_of(source);
    if (email.empty() || email.size() > kMaxEmailLength)
      return invalid("'email' must be a text of 1 to 128 characters");
    std::string hash = text_in(source["password_hash"]);
    if (hash.empty()) hash = text_in(document_["password_hash"]);
    if (hash.empty()) hash = auth::kNoPassword;
    RESTITCH_CHECK(auth::check_password_hash(hash));
    auth::PasswordLogin login;
    login.id = id_in(login_id).value_or(bson::ObjectId::generate());
    login.app_id = app_.auth->app_id;
    login.email = email;
    login.password_hash = std::move(hash);
    login.confirmed = true;
    login.user_id = imported_.record.id;
    bson::Document data = metadata_of(source);
    if (!data.view().contains("email")) data = bson::make_document("email", email);
    imported_.record.identities.push_back(
        {login.id.to_hex(), "local-userpass", provider, std::move(data)});
    imported_.logins.push_back(std::move(login));
    return {};
  }

  std::string email_of(bson::View source) const {
    if (std::string email = text_in(source["email"]); !email.empty()) return email;
    const bson::Document metadata = metadata_of(source);
    if (std::string email = text_in(metadata["email"]); !email.empty()) return email;
    if (std::string email = text_in(document_["email"]); !email.empty()) return email;
    return text_in(document_.find_path("data.email"));
  }

  Result<bson::ObjectId> provider_id(const std::string& type) const {
    const auto provider = app_.auth->providers.find(type);
    if (provider == app_.auth->providers.end())
      return invalid("the app has no provider '" + type + "'");
    return provider->second.id;
  }

  Status read_custom_data() {
    const bson::ValueView value = document_["custom_data"];
    if (value.is_nullish()) return {};
    const auto data = value.as_object();
    if (!data) return invalid("'custom_data' must be an object");
    const auto& settings = app_.config->custom_user_data;
    if (!settings || !settings->enabled)
      return invalid("'custom_data' needs custom user data, which the app has not on");
    imported_.custom_data = bson::Document(*data);
    return {};
  }

  bson::View document_;
  const DeployedApp& app_;
  ImportedUser imported_;
};

rules::Operation put_custom_data(const app::CustomUserData& settings, const std::string& user_id,
                                 const bson::Document& data) {
  bson::Builder replacement;
  for (const bson::Element& element : data.view()) {
    if (element.name != settings.user_id_field) replacement.append(element.name, element.value);
  }
  replacement.append(settings.user_id_field, user_id);
  rules::Operation operation;
  operation.action = rules::Action::kInsertOne;
  operation.source = settings.service;
  operation.database = settings.database;
  operation.collection = settings.collection;
  operation.documents.push_back(std::move(replacement).finish());
  return operation;
}

}  // namespace

Result<ImportedUser> read_imported_user(bson::View document, const DeployedApp& app) {
  return UserReader(document, app).read();
}

Task<void> import_user(auth::AuthService& auth, DeployedAppPtr app, ImportedUser user) {
  const std::string id = user.record.id.to_hex();
  auto stored = co_await auth.import_user(std::move(user.record), std::move(user.logins));
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey) {
    co_return Error(ErrorCode::kDuplicateKey, "the id, the e-mail or an identity is taken");
  }
  if (!stored || !user.custom_data) co_return stored;
  rules::Operation operation =
      put_custom_data(*app->config->custom_user_data, id, *user.custom_data);
  RESTITCH_CO_CHECK(
      co_await app->data->run_as_system(std::move(operation), datasource::kNoDeadline));
  co_return Status();
}

}  // namespace restitch::deployment
