#include "auth/state_queries.h"

namespace restitch::auth {

Task<bson::Document> find_or_insert(datasource::Collection collection, bson::Document who,
                                    bson::Document fresh) {
  RESTITCH_CO_TRY(auto found, co_await collection.find_one(who));
  if (found) co_return std::move(*found);
  bson::Builder builder;
  builder.append_all(who).append_all(fresh);
  bson::Document made = std::move(builder).finish();
  auto inserted = co_await collection.insert_one(made);
  if (inserted) co_return made;
  if (inserted.error().code() != ErrorCode::kDuplicateKey) co_return std::move(inserted).error();
  RESTITCH_CO_TRY(found, co_await collection.find_one(who));
  if (!found) co_return std::move(inserted).error();
  co_return std::move(*found);
}

}  // namespace restitch::auth
