#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/hosted_files.h"
#include "deployment/content_cache.h"
#include "deployment/file_store.h"

namespace restitch::deployment {

// A hosted file as it is served.
struct HostedAsset {
  FileInfo info;
  app::HostedAttributes attributes;
  std::shared_ptr<const std::string> content;
};

app::HostedAttributes attributes_of(const FileInfo& info);

// The hosted files of all apps, in the file store. Thread-safe. Contents that were read lately stay
// in memory, by version: what is served is always the file that the store has now.
class HostedFiles {
 public:
  static constexpr std::string_view kKind = "hosting";
  static constexpr std::size_t kCacheBytes = std::size_t{64} << 20U;

  explicit HostedFiles(const FileStore& files) : files_(files), cache_(kCacheBytes) {}

  Task<std::vector<FileInfo>> list(bson::ObjectId app, std::string prefix) const;
  Task<std::optional<FileInfo>> find(bson::ObjectId app, std::string path) const;
  Task<std::optional<HostedAsset>> read(bson::ObjectId app, std::string path);

  // kInvalidArgument for a bad path or attribute, or a content whose MD5 is not `expected_md5`
  // (unless that is ""); kRequestTooLarge beyond 25 MB; kRefused for more than 20,000 files.
  Task<void> put(bson::ObjectId app, std::string path, std::string content,
                 app::HostedAttributes attributes, std::string expected_md5 = {}) const;
  // These are kNotFound when there is no such file.
  Task<void> set_attributes(bson::ObjectId app, std::string path,
                            app::HostedAttributes attributes) const;
  Task<void> move(bson::ObjectId app, std::string from, std::string to) const;
  Task<void> copy(bson::ObjectId app, std::string from, std::string to) const;
  Task<void> remove(bson::ObjectId app, std::string path) const;

  void forget_contents() { cache_.clear(); }

 private:
  Task<void> check_count(bson::ObjectId app, std::string path) const;

  const FileStore& files_;
  ContentCache cache_;
};

}  // namespace restitch::deployment
