#include "api/wire/app_user_cursors.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "api/wire/app_user.h"

namespace restitch::api::wire {
namespace {

const AppUserCursors::Clock::time_point kNow{std::chrono::hours(1)};

bson::Value numbers(std::int32_t count) {
  bson::Builder builder;
  for (std::int32_t i = 0; i < count; ++i) builder.push_object().append("n", i).close();
  return bson::Value::array(std::move(builder).finish());
}

std::int64_t id_of(const bson::Document& reply) {
  return reply.view().find_path("cursor.id").as_integer().value_or(-1);
}

TEST(AppUserCursors, results_that_fit_leave_no_cursor) {
  AppUserCursors cursors;
  const auto reply = cursors.first_batch("ann", "d.c", numbers(3), std::nullopt, false, kNow);
  ASSERT_TRUE(reply);
  EXPECT_EQ(id_of(*reply), 0);
  EXPECT_EQ(reply->view().find_path("cursor.firstBatch").as_array()->count(), 3U);
}

TEST(AppUserCursors, batches_give_every_document_once_and_end_the_cursor) {
  AppUserCursors cursors;
  auto reply = cursors.first_batch("ann", "d.c", numbers(5), 2, false, kNow);
  ASSERT_TRUE(reply);
  const std::int64_t id = id_of(*reply);
  ASSERT_NE(id, 0);
  reply = cursors.next_batch("ann", id, "d.c", 2, kNow);
  ASSERT_TRUE(reply);
  const auto batch = *reply->view().find_path("cursor.nextBatch").as_array();
  EXPECT_EQ(batch["1"].get_document()["n"].get_int32(), 3);
  EXPECT_EQ(id_of(*reply), id);
  reply = cursors.next_batch("ann", id, "d.c", 2, kNow);
  ASSERT_TRUE(reply);
  EXPECT_EQ(id_of(*reply), 0);
  EXPECT_FALSE(cursors.next_batch("ann", id, "d.c", 2, kNow));
}

TEST(AppUserCursors, an_empty_first_batch_keeps_everything) {
  AppUserCursors cursors;
  const auto reply = cursors.first_batch("ann", "d.c", numbers(1), 0, false, kNow);
  ASSERT_TRUE(reply);
  const auto next = cursors.next_batch("ann", id_of(*reply), "d.c", std::nullopt, kNow);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->view().find_path("cursor.nextBatch").as_array()->count(), 1U);
}

TEST(AppUserCursors, a_cursor_is_its_owners_and_of_its_collection) {
  AppUserCursors cursors;
  const auto reply = cursors.first_batch("ann", "d.c", numbers(5), 2, false, kNow);
  ASSERT_TRUE(reply);
  const auto stolen = cursors.next_batch("bob", id_of(*reply), "d.c", 2, kNow);
  ASSERT_FALSE(stolen);
  EXPECT_EQ(stolen.error().mongo_code(), 43);
  EXPECT_FALSE(cursors.next_batch("ann", id_of(*reply), "d.other", 2, kNow));
  EXPECT_FALSE(cursors.kill("bob", id_of(*reply)));
  EXPECT_TRUE(cursors.kill("ann", id_of(*reply)));
}

TEST(AppUserCursors, more_than_the_limit_is_refused_until_idle_ones_are_gone) {
  AppUserCursors cursors({2, 1U << 20U, std::chrono::seconds(60)});
  ASSERT_TRUE(cursors.first_batch("ann", "d.c", numbers(5), 1, false, kNow));
  ASSERT_TRUE(cursors.first_batch("ann", "d.c", numbers(5), 1, false, kNow));
  const auto refused = cursors.first_batch("bob", "d.c", numbers(5), 1, false, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().mongo_code(), 146);
  const auto later = kNow + std::chrono::seconds(61);
  EXPECT_TRUE(cursors.first_batch("bob", "d.c", numbers(5), 1, false, later));
}

TEST(AppUserCursors, bytes_are_bounded) {
  AppUserCursors cursors({1000, 2000, std::chrono::seconds(60)});
  ASSERT_TRUE(cursors.first_batch("ann", "d.c", numbers(50), 1, false, kNow));
  EXPECT_FALSE(cursors.first_batch("ann", "d.c", numbers(100), 1, false, kNow));
}

TEST(AppUserName, has_three_parts_of_which_the_last_is_a_provider) {
  const auto name = parse_app_name("shop-abcde:mongodb-atlas:api-key");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->app, "shop-abcde");
  EXPECT_EQ(name->source, "mongodb-atlas");
  EXPECT_EQ(name->provider, "api-key");
  for (const char* other :
       {"", "mongosh 2.1", "a:b", "a:b:anon-user", ":b:api-key", "a::api-key"}) {
    EXPECT_FALSE(parse_app_name(other)) << other;
  }
}

}  // namespace
}  // namespace restitch::api::wire
