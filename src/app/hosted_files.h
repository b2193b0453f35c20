#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "bson/document.h"

namespace restitch::app {

inline constexpr std::size_t kMaxHostedFileBytes = std::size_t{25} << 20U;
inline constexpr std::size_t kMaxHostedFiles = 20'000;

// The media type that a path's extension implies, as it is registered; "" for an unknown one.
std::string_view implied_media_type(std::string_view path);
// Whether `type` is what the extension implies, by today's name or by the one that the official
// command line sends.
bool is_implied_media_type(std::string_view path, std::string_view type);

struct HostedAttribute {
  std::string name, value;

  bool operator==(const HostedAttribute&) const = default;
  auto operator<=>(const HostedAttribute&) const = default;
};
using HostedAttributes = std::vector<HostedAttribute>;

// [{name, value}]; entries that lack either are left out.
HostedAttributes hosted_attributes(bson::ValueView list);
bson::Value to_value(const HostedAttributes& attributes);
// Whether they mean the same for a file: in any order, and with or without the Content-Type that the
// path implies.
bool are_same_attributes(std::string_view path, HostedAttributes left, HostedAttributes right);

// "/a/b" of "a/b", "/a/b" or "a//b".
std::string asset_path(std::string_view path);

// hosting/files and hosting/metadata.json of a configuration directory.
struct HostedDirectory {
  struct File {
    std::string file;  // on disk
    HostedAttributes attributes;
  };
  bool has_files_folder = false;
  std::map<std::string, File> files;     // by path, "/a/b"
  std::vector<std::string> absent_files;  // paths of metadata.json that no file has, as written
};
// Links are not followed. kInvalidArgument for more than kMaxHostedFiles files, kIo for what cannot
// be read.
Result<HostedDirectory> read_hosted_directory(const std::string& root);

// Warns of what cannot be deployed: files above the limits, entries of metadata.json without a file.
void check_hosted_files(const std::string& root, Findings& findings);

// kInvalidArgument above kMaxHostedFileBytes.
Result<std::string> read_hosted_file(const std::string& file);

}  // namespace restitch::app
