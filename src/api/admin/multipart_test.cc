#include <gtest/gtest.h>

#include "api/admin/multipart.h"

namespace restitch::api::admin {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=\"xyz\"";

TEST(Multipart, parts_have_names_and_contents_byte_for_byte) {
  const std::string body =
      "--xyz\r\ncontent-disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n"
      "\r\n{}\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n"
      "\r\n--xy\r\n\r\n--xyz--\r\n";
  const auto parts = parse_multipart(kType, body);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ((*parts)[0].name, "meta");
  EXPECT_EQ((*parts)[0].content, "{}");
  EXPECT_EQ((*parts)[1].filename, "a.zip");
  EXPECT_EQ((*parts)[1].content, "\r\n--xy\r\n");
}

TEST(Multipart, every_cut_body_is_refused) {
  const std::string body =
      "--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--xyz--";
  ASSERT_TRUE(parse_multipart(kType, body));
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(parse_multipart(kType, std::string_view(body).substr(0, size))) << size;
  }
}

TEST(Multipart, a_type_without_boundary_is_refused) {
  EXPECT_FALSE(parse_multipart("multipart/form-data", "--\r\n"));
  EXPECT_FALSE(parse_multipart("application/json; boundary=xyz", "--xyz--"));
}

}  // namespace
}  // namespace restitch::api::admin
