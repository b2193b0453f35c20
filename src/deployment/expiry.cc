#include "deployment/expiry.h"

#include <algorithm>

namespace restitch::deployment {
namespace {

constexpr std::int64_t kSecondsOfDay = 24LL * 3600;
constexpr std::int64_t kMostDays = 20'000;  // what fits the seconds of an index

}  // namespace

Task<void> ensure_expiry(datasource::Collection collection, std::string member,
                         std::int64_t days) {
  constexpr int kIndexOptionsConflict = 85;
  datasource::IndexOptions expiring;
  expiring.expire_after_seconds = std::min(days, kMostDays) * kSecondsOfDay;
  const bson::Document keys = bson::make_document(member, std::int32_t{1});
  const auto made = co_await collection.ensure_index(keys, expiring);
  if (made) co_return Status();
  if (made.error().mongo_code() != kIndexOptionsConflict) co_return made.error();
  bson::Builder command;
  command.append("collMod", collection.name()).open_object("index").append("keyPattern", keys);
  command.append("expireAfterSeconds", *expiring.expire_after_seconds).close();
  RESTITCH_CO_CHECK(co_await datasource::run_command(collection.source(), collection.database(),
                                                     std::move(command)));
  co_return Status();
}

}  // namespace restitch::deployment
