#include "auth/user.h"

#include <algorithm>
#include <map>

namespace restitch::auth {
namespace {

void append_identity(bson::Builder& out, const Identity& identity, bool for_storage) {
  out.append("id", identity.id);
  out.append("provider_type", identity.provider_type);
  if (for_storage) out.append("provider_id", identity.provider_id);
  out.append("data", identity.data);
}

Result<Identity> identity_from(bson::View document) {
  const auto id = document["id"].as_string();
  const auto type = document["provider_type"].as_string();
  const auto provider = document["provider_id"].as_object_id();
  if (!id || !type || !provider) return Error(ErrorCode::kCorrupt, "a stored user identity is incomplete");
  Identity identity{std::string(*id), std::string(*type), *provider, {}};
  if (const auto data = document["data"].as_object()) identity.data = bson::Document(*data);
  return identity;
}

bson::Date date_or_zero(bson::ValueView value) {
  return value.type() == bson::Type::kDate ? value.get_date() : bson::Date{};
}

}  // namespace

bson::Document UserRecord::to_bson() const {
  bson::Builder out;
  out.append("_id", id).append("app", app_id).append("type", type);
  out.open_array("identities");
  for (const Identity& identity : identities) {
    out.push_object();
    append_identity(out, identity, true);
    out.close();
  }
  out.close();
  out.append("disabled", disabled).append("created", created).append("last_authenticated", last_authenticated);
  if (last_active.millis != 0) out.append("last_active", last_active);
  if (not_before.millis != 0) out.append("not_before", not_before);
  return std::move(out).finish();
}

Result<UserRecord> UserRecord::from_bson(bson::View document) {
  const auto id = document["_id"].as_object_id();
  const auto app = document["app"].as_object_id();
  const auto type = document["type"].as_string();
  const auto identities = document["identities"].as_array();
  if (!id || !app || !type || !identities) return Error(ErrorCode::kCorrupt, "a stored user is incomplete");
  UserRecord user;
  user.id = *id;
  user.app_id = *app;
  user.type = std::string(*type);
  for (const bson::Element& element : *identities) {
    const auto object = element.value.as_object();
    if (!object) return Error(ErrorCode::kCorrupt, "a stored user identity is no object");
    RESTITCH_TRY(Identity identity, identity_from(*object));
    user.identities.push_back(std::move(identity));
  }
  user.disabled = document["disabled"].as_bool().value_or(false);
  user.created = date_or_zero(document["created"]);
  user.last_authenticated = date_or_zero(document["last_authenticated"]);
  user.last_active = date_or_zero(document["last_active"]);
  user.not_before = date_or_zero(document["not_before"]);
  return user;
}

bson::Document UserRecord::merged_data() const {
  if (identities.size() == 1) return identities.front().data;
  std::vector<std::pair<std::string, bson::Value>> merged;
  for (const Identity& identity : identities) {
    for (const bson::Element& element : identity.data.view()) {
      const auto known = std::find_if(merged.begin(), merged.end(),
                                      [&](const auto& entry) { return entry.first == element.name; });
      if (known == merged.end()) {
        merged.emplace_back(element.name, bson::Value(element.value));
      } else {
        known->second = bson::Value(element.value);
      }
    }
  }
  bson::Builder out;
  for (const auto& [name, value] : merged) out.append(name, value);
  return std::move(out).finish();
}

bson::Document UserRecord::identities_document() const {
  bson::Builder holder;
  holder.open_array("a");
  for (const Identity& identity : identities) {
    holder.push_object();
    append_identity(holder, identity, false);
    holder.close();
  }
  const bson::Document wrapped = std::move(holder).finish();
  return bson::Document(wrapped["a"].get_document());
}

bool UserRecord::is_anonymous_only() const {
  return std::all_of(identities.begin(), identities.end(),
                     [](const Identity& identity) { return identity.provider_type == "anon-user"; });
}

}  // namespace restitch::auth
