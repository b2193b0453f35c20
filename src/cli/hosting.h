#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/hosted_files.h"
#include "cli/admin_api.h"
#include "cli/terminal.h"

namespace restitch::cli {

// The hosted files of a directory on their way to the server.
class Hosting {
 public:
  // Compares hosting/files and hosting/metadata.json below `root` with what the server has.
  Status prepare(AdminApi& api, const RemoteApp& app, const std::string& root, Terminal& terminal);
  bool has_changes() const { return !lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }
  Status push(AdminApi& api, const RemoteApp& app, Terminal& terminal) const;

 private:
  struct Asset {
    std::string file;  // on disk
    std::string hash;  // MD5, hex
    app::HostedAttributes attributes;
  };
  using Assets = std::map<std::string, Asset>;  // by path, "/a/b"

  Status read_local(const std::string& root, Terminal& terminal);
  Status upload(AdminApi& api, const RemoteApp& app, const std::string& path) const;
  Status set_attributes(AdminApi& api, const RemoteApp& app, const std::string& path) const;

  Assets local_;
  std::vector<std::string> added_, removed_, changed_, with_new_attributes_;
  std::vector<std::string> lines_;
};

// Fetches the hosted files of an app into `directory`/hosting.
Status fetch_hosting(AdminApi& api, const RemoteApp& app, const std::string& directory,
                     Terminal& terminal);

}  // namespace restitch::cli
