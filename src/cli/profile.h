#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace restitch::cli {

// What the command line remembers of a server: ~/.config/restitch/<name>.yaml, for its owner only.
class Profile {
 public:
  // Empty if there is no such file.
  static Result<Profile> load(const std::string& name);
  static std::vector<std::string> names();

  const std::string& name() const { return name_; }
  std::string get(const std::string& key) const;               // "" if unset
  void set(const std::string& key, const std::string& value);  // "" takes it out
  Status save() const;

 private:
  std::string name_;
  std::map<std::string, std::string> values_;
};

// The folder of the profiles.
std::string profile_directory();

}  // namespace restitch::cli
