#include "deployment/file_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "auth/store.h"
#include "datasource/embedded/test_cluster.h"

namespace restitch::deployment {
namespace {

using bson::ObjectId;
using datasource::embedded::TestCluster;

class FileStoreTest : public testing::Test {
 protected:
  FileStoreTest() : store_(std::shared_ptr<datasource::DataSource>(&*cluster_, [](auto*) {})) {
    EXPECT_TRUE(TestCluster::wait(store_.prepare()));
  }

  void put(const std::string& name, const std::string& content, bson::Document attributes = {}) {
    const auto stored =
        TestCluster::wait(store_.put(app_, "hosting", name, content, std::move(attributes)));
    ASSERT_TRUE(stored) << stored.error().message();
  }
  std::optional<StoredFile> get(const std::string& name) {
    auto found = TestCluster::wait(store_.get(app_, "hosting", name));
    EXPECT_TRUE(found) << found.error().message();
    return found ? std::move(*found) : std::nullopt;
  }
  std::vector<std::string> names(const std::string& prefix = {}) {
    std::vector<std::string> list;
    auto found = TestCluster::wait(store_.list(app_, "hosting", prefix));
    EXPECT_TRUE(found);
    for (const FileInfo& info : *found) list.push_back(info.name);
    return list;
  }
  std::int64_t stored(const char* collection_name) {
    const datasource::Collection collection(*cluster_, std::string(auth::kStateDatabase),
                                            collection_name);
    return TestCluster::wait(collection.count(bson::View())).value();
  }

  TestCluster cluster_;
  FileStore store_;
  ObjectId app_ = ObjectId::generate();
};

TEST_F(FileStoreTest, a_file_of_several_chunks_comes_back_whole) {
  std::string content;
  for (std::size_t i = 0; content.size() < 5 * FileStore::kChunkBytes + 17; ++i) {
    content += std::to_string(i);
  }
  put("/big", content, bson::make_document("a", 1));
  const auto file = get("/big");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->content, content);
  EXPECT_EQ(file->info.size, static_cast<std::int64_t>(content.size()));
  EXPECT_EQ(file->info.attributes["a"].as_integer(), 1);
}

TEST_F(FileStoreTest, the_hash_is_the_md5_of_the_content) {
  put("/empty", "");
  put("/abc", "abc");
  EXPECT_EQ(get("/empty")->info.md5, "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(get("/abc")->info.md5, "900150983cd24fb0d6963f7d28e17f72");
}

TEST_F(FileStoreTest, a_replaced_file_leaves_no_chunks) {
  put("/a", std::string(3 * FileStore::kChunkBytes, 'x'));
  const ObjectId former = get("/a")->info.version;
  put("/a", "new");
  EXPECT_EQ(get("/a")->content, "new");
  EXPECT_NE(get("/a")->info.version, former);
  EXPECT_EQ(stored("file_chunks"), 1);
  EXPECT_EQ(stored("files"), 1);
}

TEST_F(FileStoreTest, readers_see_whole_contents_while_a_file_is_replaced) {
  const auto content = [](char c) { return std::string(3 * FileStore::kChunkBytes, c); };
  put("/a", content('a'));
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) put("/a", content(static_cast<char>('a' + i % 26)));
    is_over = true;
  });
  int reads = 0;
  while (!is_over) {
    const auto file = get("/a");
    if (!file) {
      ADD_FAILURE() << "the file was gone after " << reads << " reads";
      break;
    }
    ++reads;
    EXPECT_EQ(file->content, content(file->content.front()));
  }
  writer.join();
  EXPECT_GT(reads, 0);
}

TEST_F(FileStoreTest, lists_are_by_name_and_prefix) {
  for (const char* name : {"/b", "/a/2", "/a/1", "/ab"}) put(name, "x");
  EXPECT_EQ(names(), (std::vector<std::string>{"/a/1", "/a/2", "/ab", "/b"}));
  EXPECT_EQ(names("/a/"), (std::vector<std::string>{"/a/1", "/a/2"}));
  EXPECT_TRUE(names("/c").empty());
  EXPECT_EQ(TestCluster::wait(store_.count(app_, "hosting")).value(), 4);
  EXPECT_EQ(TestCluster::wait(store_.count(app_, "packages")).value(), 0);
}

TEST_F(FileStoreTest, moving_and_copying_replace_the_target) {
  put("/a", "1", bson::make_document("k", "v"));
  put("/b", "2");
  EXPECT_TRUE(TestCluster::wait(store_.copy(app_, "hosting", "/a", "/c")).value());
  EXPECT_TRUE(TestCluster::wait(store_.move(app_, "hosting", "/a", "/b")).value());
  EXPECT_FALSE(TestCluster::wait(store_.move(app_, "hosting", "/gone", "/b")).value());
  EXPECT_FALSE(TestCluster::wait(store_.copy(app_, "hosting", "/gone", "/b")).value());
  EXPECT_EQ(names(), (std::vector<std::string>{"/b", "/c"}));
  EXPECT_EQ(get("/b")->content, "1");
  EXPECT_EQ(get("/c")->info.attributes["k"].as_string(), "v");
  EXPECT_EQ(stored("files"), 2);
  EXPECT_EQ(stored("file_chunks"), 2);
}

TEST_F(FileStoreTest, a_removed_file_is_gone_with_its_chunks) {
  put("/a", "1");
  EXPECT_TRUE(TestCluster::wait(store_.remove(app_, "hosting", "/a")).value());
  EXPECT_FALSE(TestCluster::wait(store_.remove(app_, "hosting", "/a")).value());
  EXPECT_FALSE(get("/a"));
  EXPECT_EQ(stored("files"), 0);
  EXPECT_EQ(stored("file_chunks"), 0);
}

TEST_F(FileStoreTest, another_content_than_was_promised_is_refused) {
  put("/a", "1");
  const auto stored_it =
      TestCluster::wait(store_.put(app_, "hosting", "/a", "abd", {}, "900150983cd24fb0d6963f7d28e17f72"));
  ASSERT_FALSE(stored_it);
  EXPECT_EQ(stored_it.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(get("/a")->content, "1");
  EXPECT_EQ(stored("files"), 1);
  EXPECT_EQ(stored("file_chunks"), 1);
}

TEST_F(FileStoreTest, an_apps_files_go_together) {
  const ObjectId other = ObjectId::generate();
  put("/a", std::string(3 * FileStore::kChunkBytes, 'x'));
  put("/b", "1");
  ASSERT_TRUE(TestCluster::wait(store_.put(app_, "packages", "c", "2")));
  ASSERT_TRUE(TestCluster::wait(store_.put(other, "hosting", "/a", "3")));
  ASSERT_TRUE(TestCluster::wait(store_.remove_all(app_)));
  EXPECT_EQ(stored("files"), 1);
  EXPECT_EQ(stored("file_chunks"), 1);
  EXPECT_EQ(TestCluster::wait(store_.get(other, "hosting", "/a")).value()->content, "3");
}

TEST_F(FileStoreTest, apps_and_kinds_are_apart) {
  put("/a", "1");
  const ObjectId other = ObjectId::generate();
  EXPECT_FALSE(TestCluster::wait(store_.get(other, "hosting", "/a")).value());
  EXPECT_FALSE(TestCluster::wait(store_.get(app_, "packages", "/a")).value());
}

TEST_F(FileStoreTest, bad_names_are_refused) {
  for (const std::string& name : {std::string(), std::string(1025, 'a'), std::string("\xff"),
                                  std::string("a\0b", 3)}) {
    const auto stored = TestCluster::wait(store_.put(app_, "hosting", name, "x"));
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(FileStoreTest, writes_that_died_long_ago_are_cleared_at_the_start) {
  put("/a", "1");
  ObjectId old;  // of 1970
  old.bytes[11] = 1;
  bson::Builder write;
  write.append("_id", old).append("app", app_).append("kind", "\x01write");
  write.append("name", old.to_hex()).append("version", old);
  bson::Builder chunk;
  chunk.append("app", app_).append("version", old).append("n", std::int32_t{0});
  chunk.append_binary("data", 0, "lost");
  const bson::Document write_note = std::move(write).finish();
  const bson::Document piece = std::move(chunk).finish();
  const std::string database(auth::kStateDatabase);
  const datasource::Collection files(*cluster_, database, "files");
  const datasource::Collection chunks(*cluster_, database, "file_chunks");
  ASSERT_TRUE(TestCluster::wait(files.insert_one(write_note)));
  ASSERT_TRUE(TestCluster::wait(chunks.insert_one(piece)));
  ASSERT_TRUE(TestCluster::wait(store_.prepare()));
  EXPECT_EQ(stored("files"), 1);
  EXPECT_EQ(stored("file_chunks"), 1);
  EXPECT_EQ(get("/a")->content, "1");
}

}  // namespace
}  // namespace restitch::deployment
