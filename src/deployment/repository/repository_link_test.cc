#include "deployment/repository/repository_link.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"

namespace restitch::deployment {
namespace {

Result<RepositoryLink> read(std::string_view json, bool allows_files = false) {
  const auto settings = bson::parse_json_document(json);
  return read_repository_link(*settings, allows_files);
}

std::string refusal(std::string_view json, bool allows_files = false) {
  const auto link = read(json, allows_files);
  return link ? "" : link.error().message();
}

TEST(RepositoryLink, a_whole_one_is_read) {
  const auto link = read(
      R"({"enabled": true, "repository": "https://example.org/shop.git", "branch": "release/1",
          "directory": "apps/shop/", "poll_seconds": 0})");
  ASSERT_TRUE(link);
  EXPECT_TRUE(link->is_enabled);
  EXPECT_EQ(link->repository, "https://example.org/shop.git");
  EXPECT_EQ(link->branch, "release/1");
  EXPECT_EQ(link->directory, "apps/shop");
  EXPECT_EQ(link->poll_seconds, 0);
}

TEST(RepositoryLink, what_is_left_out_has_a_default) {
  const auto link = read(R"({"enabled": true, "repository": "ssh://git@example.org/shop.git"})");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->branch, "main");
  EXPECT_EQ(link->directory, "");
  EXPECT_EQ(link->poll_seconds, 60);
  EXPECT_TRUE(read("{}"));
}

TEST(RepositoryLink, urls_that_git_must_not_see_are_refused) {
  for (const char* url :
       {"http://example.org/a", "ext::sh -c x", "git://example.org/a", "/srv/a", "../a", "a",
        "https://", "https://-oProxyCommand=x/a", "ssh://-oProxyCommand=x/a",
        "https://example.org/a b", "https://user:password@example.org/a",
        "https://token@example.org/a", "ssh://git:password@example.org/a", "file:///srv/a"}) {
    const std::string json = R"({"repository": ")" + std::string(url) + "\"}";
    EXPECT_TRUE(refusal(json).starts_with("'repository' ")) << url;
  }
  EXPECT_EQ(refusal(R"({"repository": "file:///srv/a"})", true), "");
  EXPECT_EQ(refusal(R"({"enabled": true})"), "'repository' is needed for automatic deployment");
}

TEST(RepositoryLink, branches_and_directories_that_mean_something_else_are_refused) {
  for (const char* branch :
       {"-x", "a..b", "a b", "a:b", "a/", "/a", "a.lock", "a@{1}", "a\\\\b", "a."}) {
    EXPECT_EQ(refusal(R"({"branch": ")" + std::string(branch) + "\"}"),
              "'branch' is no name of a branch")
        << branch;
  }
  for (const char* directory : {"/etc", "..", "a/../b", "./a", "a//b", "a\\nb"}) {
    EXPECT_TRUE(refusal(R"({"directory": ")" + std::string(directory) + "\"}")
                    .starts_with("'directory' must be a path"))
        << directory;
  }
}

TEST(RepositoryLink, members_of_a_wrong_type_are_named) {
  EXPECT_EQ(refusal(R"({"enabled": "yes"})"), "'enabled' must be a boolean");
  EXPECT_EQ(refusal(R"({"repository": 1})"), "'repository' must be a string");
  EXPECT_EQ(refusal(R"({"poll_seconds": 1})"), "'poll_seconds' must be 0 or between 5 and 604800");
  EXPECT_EQ(refusal(R"({"poll_seconds": "1"})"), "'poll_seconds' must be 0 or between 5 and 604800");
}

}  // namespace
}  // namespace restitch::deployment
