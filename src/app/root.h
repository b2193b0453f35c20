#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "bson/document.h"

namespace restitch::app {

inline constexpr int kVersion2018 = 20180301;
inline constexpr int kVersion2020 = 20200603;
inline constexpr int kVersion2021 = 20210101;
inline constexpr int kVersion2023 = 20230101;

// The file that makes a directory an app root.
struct RootFile {
  std::string name;
  int config_version = 0;
  bson::Value content;
};

// What root files a directory has.
struct RootSearch {
  std::vector<RootFile> usable;  // weakest first; the last one counts unless `selected` is set
  std::vector<std::string> unparsable;  // root files that are no JSON
  int meta_version = 0;                 // config_version of the .mdb metadata, 0 = none
  std::string broken_meta;              // metadata file that does not parse

  // The root file that counts, or null. The metadata decide if they name one that is there.
  const RootFile* chosen() const;
};

RootSearch search_root(const std::filesystem::path& directory);

}  // namespace restitch::app
