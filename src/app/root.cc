#include "app/root.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "app/json_file.h"
#include "app/loader.h"

namespace restitch::app {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLevels = 8;

struct Candidate {
  std::string_view name;
  int config_version;
};

// Weakest first. root_config.json needs no config_version of its own.
constexpr std::array kCandidates = {
    Candidate{"realm_config.json", kVersion2021},
    Candidate{"config.json", kVersion2020},
    Candidate{"stitch.json", kVersion2018},
    Candidate{"root_config.json", kVersion2023},
};

bool is_file(const fs::path& path) {
  std::error_code failed;
  return fs::is_regular_file(path, failed);
}

std::optional<bson::Value> read_json(const fs::path& path) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  Findings unused;
  return parse_json_file(*text, path.filename().string(), unused);
}

int version_in(bson::ValueView content) {
  const auto object = content.as_object();
  if (!object) return 0;
  const auto version = object->find("config_version").as_integer();
  return version && *version > 0 && *version <= 99999999 ? static_cast<int>(*version) : 0;
}

void read_meta(const fs::path& directory, RootSearch& search) {
  for (const std::string_view name : {"app_meta.json", "meta.json"}) {
    const fs::path path = directory / ".mdb" / name;
    if (!is_file(path)) continue;
    const auto content = read_json(path);
    if (!content || content->type() != bson::Type::kObject) {
      if (search.broken_meta.empty()) search.broken_meta = path.string();
      continue;
    }
    if (search.meta_version == 0) search.meta_version = version_in(*content);
  }
}

}  // namespace

const RootFile* RootSearch::chosen() const {
  for (const Candidate& candidate : kCandidates) {
    if (candidate.config_version != meta_version) continue;
    const auto named = std::find_if(usable.begin(), usable.end(), [&](const RootFile& file) {
      return file.name == candidate.name;
    });
    if (named != usable.end()) return &*named;
  }
  return usable.empty() ? nullptr : &usable.back();
}

RootSearch search_root(const fs::path& directory) {
  RootSearch search;
  read_meta(directory, search);
  for (const Candidate& candidate : kCandidates) {
    const fs::path path = directory / candidate.name;
    if (!is_file(path)) continue;
    auto content = read_json(path);
    if (!content) {
      search.unparsable.emplace_back(candidate.name);
      continue;
    }
    int version = version_in(*content);
    const bool is_newest = candidate.config_version == kVersion2023;
    if (version == 0 && is_newest && content->type() == bson::Type::kObject) version = kVersion2023;
    if (version == 0) continue;
    search.usable.push_back({std::string(candidate.name), version, std::move(*content)});
  }
  return search;
}

Result<std::string> find_app_root(const std::string& path) {
  std::error_code failed;
  fs::path directory = fs::canonical(path, failed);
  if (failed) {
    return Error(ErrorCode::kNotFound, "directory '" + path + "' does not exist");
  }
  for (int level = 0; level <= kMaxLevels; ++level) {
    const RootSearch search = search_root(directory);
    if (!search.broken_meta.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "failed to parse app meta at " + search.broken_meta);
    }
    if (search.chosen() != nullptr) return directory.string();
    if (!search.unparsable.empty()) {
      return Error(
          ErrorCode::kInvalidArgument,
          "failed to parse app config at " + (directory / search.unparsable.front()).string());
    }
    if (directory == directory.parent_path()) break;
    directory = directory.parent_path();
  }
  return Error(ErrorCode::kNotFound,
               "directory '" + path + "' is not a supported Realm app project");
}

}  // namespace restitch::app
