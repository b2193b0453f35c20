#include <gtest/gtest.h>

#include "api/cors.h"
#include "api/http_error.h"
#include "api/route_table.h"

namespace restitch::api {
namespace {

std::string header_of(const net::HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

TEST(PathPattern, skips_doubled_slashes_and_decodes_segments) {
  const PathPattern pattern("/app/{app}/auth/providers/{provider}/login");
  std::vector<std::string> parameters;
  EXPECT_TRUE(pattern.matches(split_path("//app/a%2Db//auth/providers/anon-user/login/"), &parameters));
  EXPECT_EQ(parameters, (std::vector<std::string>{"a-b", "anon-user"}));
  EXPECT_FALSE(pattern.matches(split_path("/app/x/auth/providers/anon-user"), &parameters));
}

TEST(Cors, origins_compare_without_default_ports_and_case) {
  const std::vector<std::string> allowed{"https://App.example.org", "http://localhost:3000"};
  EXPECT_TRUE(is_origin_allowed("https://app.example.org:443", allowed));
  EXPECT_TRUE(is_origin_allowed("http://localhost:3000", allowed));
  EXPECT_FALSE(is_origin_allowed("http://localhost:3001", allowed));
  EXPECT_FALSE(is_origin_allowed("http://app.example.org", allowed));
  EXPECT_TRUE(is_origin_allowed("", allowed));
  EXPECT_TRUE(is_origin_allowed("https://anything.example", {}));
}

TEST(HttpError, body_has_plain_strings_and_the_bare_content_type) {
  const auto response = error_response(Error(ErrorCode::kAccountNameInUse, "name already in use"), "http://h/logs?co_id=1");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(header_of(response, "Content-Type"), "application/json");
  EXPECT_EQ(response.body,
            R"({"error":"name already in use","error_code":"AccountNameInUse","link":"http://h/logs?co_id=1"})");
}

TEST(HttpError, role_denial_and_missing_rule_share_the_code_but_not_the_status) {
  EXPECT_EQ(http_error_of(ErrorCode::kNoMatchingRule).status, 403);
  EXPECT_EQ(http_error_of(ErrorCode::kPermissionDenied).status, 400);
  EXPECT_EQ(http_error_of(ErrorCode::kPermissionDenied).error_code, "NoMatchingRuleFound");
}

}  // namespace
}  // namespace restitch::api
