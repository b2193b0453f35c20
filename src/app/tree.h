#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "app/config.h"
#include "base/result.h"
#include "bson/document.h"

namespace restitch::app {

// The files of a configuration by their path relative to the app root, in the layout of
// `config_version`. Made from a directory, or from anything else that can name its parts so.
struct Tree {
  int config_version = 0;
  std::string root_file;                     // path of the file with the app's name
  std::string fallback_name;                 // name of the app if the root file has none
  std::map<std::string, bson::Value> json;   // parsed, Extended JSON decoded
  std::map<std::string, bson::Value> plain;  // as written, where that differs: wrappers not decoded
  std::map<std::string, std::string> sources;  // JavaScript
  std::set<std::string> broken;                // there, but not readable; reported already

  // The two oldest layouts: auth_providers/, services/, one directory a function.
  bool is_legacy() const { return config_version < 20210101; }
  bson::ValueView find(const std::string& path) const;
  // The file as it is written: wrappers of Extended JSON are plain objects.
  bson::ValueView as_written(const std::string& path) const;
  // Puts a file as it is written in the place of what was there.
  void put(const std::string& path, bson::Value as_written);
  void remove(const std::string& path);
};

// Reads the files that the layout knows; every other file is left alone. Links that lead out of the
// directory are not followed. An Error comes back if `path` is no app root.
Result<Tree> read_tree(const std::string& path, Findings& findings);

// Replaces every %(%%environment.…) in the JSON files by the values of the app's environment; what
// cannot be replaced is reported. `assemble` does it by itself.
void expand_templates(Tree& tree, Findings& findings);

// Checks the files and puts them together. All problems go to `findings`.
Config assemble(Tree tree, Findings& findings);

}  // namespace restitch::app
