#pragma once

#include <string>
#include <vector>

#include "cli/admin_api.h"
#include "cli/terminal.h"

namespace restitch::cli {

struct DependencyChoice {
  bool node_modules = false, package_json = false;
};

// The npm packages of a directory on their way to the server.
class Dependencies {
 public:
  // Finds what `choice` asks for below `root`/functions and asks the server what would change.
  Status prepare(AdminApi& api, const RemoteApp& app, const std::string& root,
                 const DependencyChoice& choice);
  bool has_changes() const { return !lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }
  // Uploads and waits until they are installed.
  Status push(AdminApi& api, const RemoteApp& app, Terminal& terminal) const;

 private:
  HttpPart part_;
  std::vector<std::string> lines_;
};

// Fetches the packages of the app into `directory`/functions; the file's name, "" if it has none.
Result<std::string> fetch_dependencies(AdminApi& api, const RemoteApp& app,
                                       const std::string& directory, bool as_archive);

}  // namespace restitch::cli
