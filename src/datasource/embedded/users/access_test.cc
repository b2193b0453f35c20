#include "datasource/embedded/users/access.h"

#include <gtest/gtest.h>

#include "datasource/embedded/command_table.h"
#include "datasource/embedded/session_key.h"
#include "datasource/embedded/test_cluster.h"
#include "datasource/embedded/users/authentication.h"

namespace restitch::datasource::embedded {
namespace {

TEST(Access, every_command_has_its_rule) {
  for (const auto family : all_commands()) {
    for (const CommandSpec& spec : family) {
      EXPECT_TRUE(has_access_rule(spec.name))
          << spec.name << ": name the right it needs in users/access.cc; until then only root may";
    }
  }
}

bool role_allows(const char* role, const char* database, Action action, const Target& target) {
  const auto privileges = privileges_of({role, database});
  EXPECT_TRUE(privileges) << role;
  return privileges && allows(*privileges, action, target);
}

TEST(Roles, roles_of_one_database_end_at_its_border) {
  EXPECT_TRUE(role_allows("read", "a", Action::kFind, {"a", "c"}));
  EXPECT_FALSE(role_allows("read", "a", Action::kFind, {"b", "c"}));
  EXPECT_FALSE(role_allows("read", "a", Action::kInsert, {"a", "c"}));
  EXPECT_TRUE(role_allows("readWrite", "a", Action::kInsert, {"a", "c"}));
  EXPECT_FALSE(role_allows("readWrite", "a", Action::kCollMod, {"a", "c"}));
  EXPECT_FALSE(role_allows("dbAdmin", "a", Action::kFind, {"a", "c"}));
  EXPECT_TRUE(role_allows("dbAdmin", "a", Action::kFind, {"a", "system.profile"}));
  EXPECT_TRUE(role_allows("dbOwner", "a", Action::kCreateUser, {"a", {}}));
  EXPECT_FALSE(role_allows("dbOwner", "a", Action::kCreateUser, {"b", {}}));
  EXPECT_FALSE(role_allows("dbOwner", "a", Action::kServerStatus, Target::cluster()));
}

TEST(Roles, users_and_the_servers_own_state_are_out_of_reach_of_the_broad_roles) {
  for (const char* role : {"readAnyDatabase", "readWriteAnyDatabase", "dbAdminAnyDatabase"}) {
    EXPECT_FALSE(role_allows(role, "admin", Action::kFind, {"admin", "system.users"})) << role;
    EXPECT_FALSE(role_allows(role, "admin", Action::kCollStats, {"__restitch", "apps"})) << role;
    EXPECT_FALSE(role_allows(role, "admin", Action::kCollStats, {"__realm_sync_1", "h"})) << role;
    EXPECT_FALSE(role_allows(role, "admin", Action::kCollStats, {"local", "c"})) << role;
    EXPECT_TRUE(role_allows(role, "admin", Action::kCollStats, {"any", "c"})) << role;
  }
  EXPECT_TRUE(
      role_allows("userAdminAnyDatabase", "admin", Action::kFind, {"admin", "system.users"}));
  EXPECT_FALSE(
      role_allows("userAdminAnyDatabase", "admin", Action::kCreateUser, {"__restitch", {}}));
  EXPECT_TRUE(role_allows("read", "__restitch", Action::kFind, {"__restitch", "apps"}));
  EXPECT_TRUE(role_allows("root", "admin", Action::kFind, {"__restitch", "apps"}));
}

TEST(Roles, roles_for_all_databases_exist_in_admin_only) {
  EXPECT_FALSE(privileges_of({"root", "a"}));
  EXPECT_FALSE(privileges_of({"nosuch", "admin"}));
  EXPECT_EQ(built_in_roles("a").size(), 5U);
  EXPECT_EQ(built_in_roles("admin").size(), 11U);
}

// A connection of a user with one role, without the exchange.
class Connection {
 public:
  Connection(TestCluster& cluster, const char* role, const char* database) : cluster_(cluster) {
    auto user = std::make_shared<User>();
    user->name = "u";
    user->database = database;
    user->session_owner = session_owner(user->full_name());
    user->roles.push_back({role, database});
    user->privileges = *privileges_of(user->roles.front());
    user->generation = UINT64_MAX;  // never read again
    caller_->authentication = std::make_shared<Authentication>();
    caller_->authentication->is_required = true;
    caller_->authentication->users.push_back(std::move(user));
  }

  std::int64_t code_of(std::string_view database, std::string_view json) {
    CallerContext context;
    context.caller = caller_;
    auto reply = TestCluster::wait(
        cluster_->run_for(std::move(context), database, *bson::parse_json_document(json)));
    EXPECT_TRUE(reply);
    return reply ? (*reply)["code"].as_integer().value_or(0) : -1;
  }

 private:
  TestCluster& cluster_;
  CallerPtr caller_ = std::make_shared<Caller>();
};

TEST(Access, pipelines_are_looked_through_to_their_end) {
  TestCluster cluster;
  Connection reader(cluster, "read", "a");
  const auto aggregate = [&](const std::string& stages) {
    return reader.code_of("a", R"({"aggregate": "c", "cursor": {}, "pipeline": [)" + stages + "]}");
  };
  EXPECT_EQ(aggregate(R"({"$match": {}}, {"$lookup": {"from": "d", "pipeline": [], "as": "x"}})"),
            0);
  EXPECT_EQ(aggregate(R"({"$out": "d"})"), 13);
  EXPECT_EQ(aggregate(R"({"$merge": "d"})"), 13);
  EXPECT_EQ(aggregate(R"({"$merge": {"into": {"db": "b", "coll": "d"}}})"), 13);
  EXPECT_EQ(aggregate(R"({"$unionWith": "system.users"})"), 13);
  EXPECT_EQ(aggregate(R"({"$graphLookup": {"from": "system.users", "startWith": "$x",
                          "connectFromField": "x", "connectToField": "y", "as": "z"}})"),
            13);
  EXPECT_EQ(aggregate(R"({"$facet": {"f": [{"$lookup": {"from": "d", "as": "x", "pipeline": [
                          {"$unionWith": {"coll": "system.users"}}]}}]}})"),
            13);
  EXPECT_EQ(reader.code_of("b", R"({"aggregate": "c", "cursor": {}, "pipeline": []})"), 13);
  EXPECT_EQ(reader.code_of("a", R"({"explain": {"aggregate": "c", "cursor": {},
                                   "pipeline": [{"$out": "d"}]}})"),
            13);
}

TEST(Access, nobody_writes_users_by_the_commands_for_documents) {
  TestCluster cluster;
  Connection root(cluster, "root", "admin");
  EXPECT_EQ(root.code_of("admin", R"({"createUser": "x", "pwd": "y", "roles": []})"), 0);
  for (const char* command : {R"({"insert": "system.users", "documents": [{}]})",
                              R"({"delete": "system.users", "deletes": [{"q": {}, "limit": 0}]})",
                              R"({"drop": "system.users"})"}) {
    EXPECT_EQ(root.code_of("admin", command), 13) << command;
  }
  EXPECT_EQ(root.code_of("a", R"({"aggregate": "c", "cursor": {}, "pipeline": [
                                 {"$out": {"db": "admin", "coll": "system.users"}}]})"),
            13);
  EXPECT_EQ(root.code_of("admin", R"({"find": "system.users"})"), 0);
}

TEST(Access, the_server_itself_may_do_everything) {
  TestCluster cluster;
  EXPECT_EQ(cluster.run("__restitch", R"({"insert": "apps", "documents": [{}]})")["n"].as_integer(),
            1);
}

}  // namespace
}  // namespace restitch::datasource::embedded
