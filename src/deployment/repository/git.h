#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "deployment/repository/repository_link.h"

namespace restitch::deployment {

struct GitSettings {
  std::string program = "git";    // a path, or a name looked up in PATH
  std::string scratch;            // a folder for what is fetched, while it is looked at
  bool allows_files = false;      // repositories on this machine
  std::chrono::seconds time{60};  // for each run of the program
  const std::atomic<bool>* stopping = nullptr;  // ends a run when it becomes true
};

// What was fetched of a branch.
struct Checkout {
  std::string commit;
  Status unpacked;  // kInvalidArgument: no such directory, or more in it than is allowed
};

// The git program on one repository. Nothing is asked, no shell runs, no hook, and only the protocols
// of the link are spoken. Blocking. Errors are kSourceUnavailable with what git says; `token` ("" =
// none) signs in to https and appears nowhere.
class Git {
 public:
  Git(const GitSettings& settings, const RepositoryLink& link, std::string token);

  // The commit that the branch points to.
  Result<std::string> head() const;
  // Writes the files of the link's directory, as the branch has them now, below `target`, a new
  // folder; links are left out.
  Result<Checkout> fetch(const std::string& target) const;

 private:
  Result<std::string> run(const std::string& folder, std::vector<std::string> arguments) const;
  Status unpack(const std::string& folder, const std::string& where, const std::string& commit,
                const std::string& target) const;

  const GitSettings& settings_;
  const RepositoryLink& link_;
  std::string token_;
};

}  // namespace restitch::deployment
