#include "app/hosted_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace restitch::app {
namespace {

namespace fs = std::filesystem;

class HostedDirectoryTest : public testing::Test {
 protected:
  HostedDirectoryTest() {
    std::string pattern = (fs::temp_directory_path() / "restitch-hosted-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~HostedDirectoryTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& content) {
    fs::create_directories((fs::path(root_) / path).parent_path());
    std::ofstream(fs::path(root_) / path) << content;
  }

  std::string root_;
};

TEST(HostedFiles, every_media_type_of_the_table_is_found) {
  EXPECT_EQ(implied_media_type("/a.AAC"), "audio/aac");
  EXPECT_EQ(implied_media_type("/a/index.html"), "text/html");
  EXPECT_EQ(implied_media_type("/app.min.js"), "text/javascript");
  EXPECT_EQ(implied_media_type("/a.zip"), "application/zip");
  for (const char* path : {"/html", "/a.b/html", "/a.", "/a.unknown", ""}) {
    EXPECT_EQ(implied_media_type(path), "") << path;
  }
}

TEST(HostedFiles, an_implied_type_has_two_names) {
  EXPECT_TRUE(is_implied_media_type("/a.js", "text/javascript"));
  EXPECT_TRUE(is_implied_media_type("/a.js", "application/x-javascript"));
  EXPECT_FALSE(is_implied_media_type("/a.js", "text/plain"));
  EXPECT_FALSE(is_implied_media_type("/a.css", ""));
  EXPECT_FALSE(is_implied_media_type("/a.unknown", ""));
}

TEST(HostedFiles, attributes_are_compared_by_what_they_mean) {
  const HostedAttribute type{"Content-Type", "text/html"};
  const HostedAttribute cached{"Cache-Control", "max-age=1"};
  EXPECT_TRUE(are_same_attributes("/a.html", {}, {type}));
  EXPECT_TRUE(are_same_attributes("/a.html", {type, cached}, {cached, type}));
  EXPECT_FALSE(are_same_attributes("/a.txt", {}, {type}));
  EXPECT_FALSE(are_same_attributes("/a.html", {}, {cached}));
}

TEST(HostedFiles, paths_begin_with_one_slash) {
  EXPECT_EQ(asset_path("a/b"), "/a/b");
  EXPECT_EQ(asset_path("//a//b"), "/a/b");
  EXPECT_EQ(asset_path(""), "");
}

TEST_F(HostedDirectoryTest, files_come_with_their_attributes) {
  write("hosting/files/index.html", "x");
  write("hosting/files/a/b.css", "y");
  write("hosting/metadata.json",
        R"([{"path": "a/b.css", "attrs": [{"name": "Cache-Control", "value": "no-store"}]},
            {"path": "/index.html", "attrs": null}, {"path": "js/*", "attrs": []}])");
  const auto directory = read_hosted_directory(root_);
  ASSERT_TRUE(directory) << directory.error().message();
  ASSERT_EQ(directory->files.size(), 2U);
  EXPECT_EQ(directory->files.at("/a/b.css").attributes,
            (HostedAttributes{{"Cache-Control", "no-store"}}));
  EXPECT_TRUE(directory->files.at("/index.html").attributes.empty());
  EXPECT_EQ(directory->absent_files, std::vector<std::string>{"js/*"});
  EXPECT_EQ(read_hosted_file(directory->files.at("/index.html").file).value(), "x");
}

TEST_F(HostedDirectoryTest, what_cannot_be_deployed_is_told) {
  write("hosting/files/large.bin", "");
  fs::resize_file(fs::path(root_) / "hosting/files/large.bin", kMaxHostedFileBytes + 1);
  write("hosting/files/small.bin", "x");
  write("hosting/metadata.json", R"([{"path": "/gone.txt", "attrs": []}])");
  Findings findings;
  check_hosted_files(root_, findings);
  ASSERT_EQ(findings.list().size(), 2U);
  EXPECT_EQ(to_line(findings.list()[0]),
            "hosting/metadata.json: '/gone.txt' does not appear in hosting/files");
  EXPECT_EQ(to_line(findings.list()[1]),
            "hosting/files/large.bin: is larger than 25 MB and will not be served");
  EXPECT_FALSE(findings.has_errors());
}

TEST_F(HostedDirectoryTest, links_are_not_followed) {
  write("secret.txt", "x");
  write("hosting/files/a.txt", "y");
  fs::create_symlink(fs::path(root_) / "secret.txt", fs::path(root_) / "hosting/files/link.txt");
  fs::create_directory_symlink(root_, fs::path(root_) / "hosting/files/folder");
  const auto directory = read_hosted_directory(root_);
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->files.size(), 1U);
}

TEST_F(HostedDirectoryTest, a_directory_without_hosting_has_nothing) {
  const auto directory = read_hosted_directory(root_);
  ASSERT_TRUE(directory);
  EXPECT_FALSE(directory->has_files_folder);
  EXPECT_TRUE(directory->files.empty());
}

}  // namespace
}  // namespace restitch::app
