#include "auth/push_registrations.h"

#include "auth/state_queries.h"

namespace restitch::auth {
namespace {

constexpr std::int64_t kMostOfUser = 50;

bson::Document ascending(std::initializer_list<std::string_view> names) {
  bson::Builder out;
  for (const std::string_view name : names) out.append(name, std::int32_t{1});
  return std::move(out).finish();
}

bson::Document of_user(bson::ObjectId app_id, const std::string& service, bson::ObjectId user_id) {
  bson::Builder filter;
  filter.append("app", app_id).append("service", service).append("user", user_id);
  return std::move(filter).finish();
}

bson::Document of_device(bson::ObjectId app_id, const std::string& service, bson::ObjectId user_id,
                         const std::string& device_id) {
  bson::Builder filter;
  filter.append_all(of_user(app_id, service, user_id)).append("device", device_id);
  return std::move(filter).finish();
}

}  // namespace

PushRegistrations::PushRegistrations(datasource::DataSource& state)
    : registrations_(collection(state, "push_registrations")) {}

Task<void> PushRegistrations::prepare() const {
  datasource::IndexOptions unique;
  unique.unique = true;
  const bson::Document keys = ascending({"app", "service", "user", "device"});
  RESTITCH_CO_CHECK(co_await registrations_.ensure_index(keys, unique));
  co_return Status();
}

Task<void> PushRegistrations::put(bson::ObjectId app_id, std::string service,
                                  PushRegistration registration) const {
  if (registration.token.empty() || registration.token.size() > kMostTokenBytes) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "expected 'registrationToken' to have 1 to " + std::to_string(kMostTokenBytes) +
                        " bytes");
  }
  const bson::Document filter =
      of_device(app_id, service, registration.user_id, registration.device_id);
  bson::Builder set;
  set.open_object("$set").append("token", registration.token);
  set.append("renewed", bson::Date{now_millis()}).close();
  const bson::Document update = std::move(set).finish();
  datasource::UpdateOptions upsert;
  upsert.upsert = true;
  auto stored = co_await registrations_.update_one(filter, update.view(), upsert);
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey) {
    // Another request of the device has made it meanwhile.
    stored = co_await registrations_.update_one(filter, update.view());
  }
  if (!stored) co_return std::move(stored).error();
  const bson::Document user = of_user(app_id, service, registration.user_id);
  co_return co_await trim(user);
}

Task<void> PushRegistrations::trim(const bson::Document& user) const {
  datasource::FindOptions newest_first;
  newest_first.sort = bson::make_document("renewed", std::int32_t{-1});
  newest_first.skip = kMostOfUser;
  RESTITCH_CO_TRY(const auto surplus, co_await registrations_.find(user, newest_first));
  for (const bson::Document& registration : surplus) {
    const bson::Document by_id = bson::make_document("_id", registration["_id"]);
    RESTITCH_CO_CHECK(co_await registrations_.delete_one(by_id));
  }
  co_return Status();
}

Task<void> PushRegistrations::remove(bson::ObjectId app_id, std::string service,
                                     bson::ObjectId user_id, std::string device_id) const {
  const bson::Document filter = of_device(app_id, service, user_id, device_id);
  RESTITCH_CO_CHECK(co_await registrations_.delete_one(filter));
  co_return Status();
}

Task<std::vector<PushRegistration>> PushRegistrations::of_users(
    bson::ObjectId app_id, std::string service, std::vector<bson::ObjectId> user_ids) const {
  bson::Builder builder;
  builder.append("app", app_id).append("service", service).open_object("user").open_array("$in");
  for (const bson::ObjectId& id : user_ids) builder.push(id);
  builder.close().close();
  const bson::Document filter = std::move(builder).finish();
  datasource::FindOptions in_order;
  in_order.sort = ascending({"user", "device"});
  RESTITCH_CO_TRY(const auto found, co_await registrations_.find(filter, in_order));
  std::vector<PushRegistration> registrations;
  for (const bson::Document& one : found) {
    const auto user = one["user"].as_object_id();
    if (!user) co_return Error(ErrorCode::kCorrupt, "a stored push registration is incomplete");
    PushRegistration registration;
    registration.user_id = *user;
    registration.device_id = one["device"].as_string().value_or("");
    registration.token = one["token"].as_string().value_or("");
    registrations.push_back(std::move(registration));
  }
  co_return registrations;
}

}  // namespace restitch::auth
