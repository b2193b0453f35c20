#include "auth/user.h"

#include <gtest/gtest.h>

#include "auth/user_cache.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

UserRecord make_user() {
  UserRecord user;
  user.id = bson::ObjectId::generate();
  user.app_id = bson::ObjectId::generate();
  user.identities.push_back({"anon-id", "anon-user", bson::ObjectId::generate(), {}});
  user.identities.push_back({"login-id", "local-userpass", bson::ObjectId::generate(),
                             bson::make_document("email", "ada@example.org")});
  user.created = bson::Date{5};
  user.not_before = bson::Date{7};
  return user;
}

TEST(UserRecord, survives_storage) {
  const UserRecord user = make_user();
  const auto read = UserRecord::from_bson(user.to_bson());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->to_bson(), user.to_bson());
  EXPECT_EQ(read->identities[1].data["email"].as_string(), "ada@example.org");
  EXPECT_EQ(read->not_before.millis, 7);
}

TEST(UserRecord, incomplete_record_is_corrupt) {
  const auto read = UserRecord::from_bson(bson::make_document("_id", bson::ObjectId::generate()));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kCorrupt);
}

TEST(UserRecord, later_identities_win_in_merged_data) {
  UserRecord user = make_user();
  user.identities[0].data = *bson::parse_json_document(R"({"email":"old@x","name":"Ada"})");
  EXPECT_EQ(bson::to_json(user.merged_data().view()), R"({"email":"ada@example.org","name":"Ada"})");
  EXPECT_FALSE(user.is_anonymous_only());
}

TEST(UserCache, keeps_the_most_recently_used_and_forgets_on_demand) {
  UserCache cache(16);  // one entry a shard
  const CachedUserPtr user = cache.put(make_user());
  EXPECT_EQ(cache.find(user->record.id), user);
  cache.forget(user->record.id);
  EXPECT_EQ(cache.find(user->record.id), nullptr);
  for (int i = 0; i < 1000; ++i) cache.put(make_user());
  EXPECT_EQ(cache.find(user->record.id), nullptr);
}

TEST(UserCache, does_not_trust_an_old_entry) {
  UserCache cache(16, std::chrono::milliseconds(-1));
  const CachedUserPtr user = cache.put(make_user());
  EXPECT_EQ(cache.find(user->record.id), nullptr);
}

}  // namespace
}  // namespace restitch::auth
