#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::deployment {

// A file of an app without its content.
struct FileInfo {
  std::string name;
  bson::ObjectId version;  // another one for every content
  std::int64_t size = 0;
  std::string md5;  // of the content, lower-case hex
  bson::Date modified{0};
  bson::Document attributes;  // whatever its owner keeps with it
};

struct StoredFile {
  FileInfo info;
  std::string content;
};

// Lower-case hex.
std::string md5_of(std::string_view content);

// Files of apps in the state store, by kind ("hosting", "packages", …) and name. A name is a key
// and nothing else: "/a/b" has no folder. A file is replaced as a whole: whoever reads gets the
// content before or after, and a server that dies meanwhile leaves the former one. Collections
// `files` (one document each) and `file_chunks` (the content, in pieces that belong to a version).
// Thread-safe; nodes that share the state store may use it at once.
class FileStore {
 public:
  static constexpr std::size_t kMaxFileBytes = std::size_t{100} << 20U;
  static constexpr std::size_t kMaxNameBytes = 1024;
  static constexpr std::size_t kChunkBytes = std::size_t{255} << 10U;

  explicit FileStore(std::shared_ptr<datasource::DataSource> state);

  // Indexes; and what was left of writes that never ended is deleted.
  Task<void> prepare();

  // Adds or replaces the file. kInvalidArgument for a bad name, or when the content's MD5 is not
  // `expected_md5` (unless that is ""); kRequestTooLarge beyond kMaxFileBytes.
  Task<FileInfo> put(bson::ObjectId app, std::string kind, std::string name, std::string content,
                     bson::Document attributes = {}, std::string expected_md5 = {}) const;
  Task<std::optional<StoredFile>> get(bson::ObjectId app, std::string kind, std::string name) const;
  Task<std::optional<FileInfo>> find(bson::ObjectId app, std::string kind, std::string name) const;
  // By name. `prefix` is what the names begin with.
  Task<std::vector<FileInfo>> list(bson::ObjectId app, std::string kind,
                                   std::string prefix = {}) const;
  Task<std::int64_t> count(bson::ObjectId app, std::string kind) const;
  // False when there is no such file; the time of its change becomes now.
  Task<bool> set_attributes(bson::ObjectId app, std::string kind, std::string name,
                            bson::Document attributes) const;
  // False when there is none of that name. A file that is called `to` is replaced.
  Task<bool> move(bson::ObjectId app, std::string kind, std::string from, std::string to) const;
  Task<bool> copy(bson::ObjectId app, std::string kind, std::string from, std::string to) const;
  // False when there was none.
  Task<bool> remove(bson::ObjectId app, std::string kind, std::string name) const;
  // Every file of the app, one after another: their contents may be many times the memory.
  Task<void> remove_all(bson::ObjectId app) const;

 private:
  Task<void> write_chunks(bson::ObjectId app, FileInfo& file, const std::string& content) const;
  Task<void> publish(bson::ObjectId app, std::string kind, const FileInfo& file) const;
  Task<void> forget(bson::ObjectId write, bson::ObjectId version) const;
  // Nothing when some of it is gone.
  Task<std::optional<std::string>> read_chunks(const FileInfo& file) const;
  Task<void> remove_leftovers() const;

  std::shared_ptr<datasource::DataSource> state_;
  datasource::Collection files_, chunks_;
};

}  // namespace restitch::deployment
