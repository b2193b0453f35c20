#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/tree.h"
#include "cli/admin_api.h"

namespace restitch::cli {

// A configuration directory that was read and checked as far as that is possible without the
// server.
struct LocalConfiguration {
  std::string root;
  app::Tree tree;
  app::Config config;
  app::Findings findings;
};
Result<LocalConfiguration> read_configuration(const std::string& path);

// Writes the export of an app into `directory` (version 0: the server's default), with the metadata
// by which later commands find the app; `as_template` leaves out what makes it this very app.
Status export_to(AdminApi& api, const RemoteApp& app, const std::string& directory,
                 int config_version, bool as_template = false);

// Imports the configuration of one app into another one.
Status import_copy(AdminApi& api, const RemoteApp& from, const RemoteApp& to);

// Puts the id of an app that was just made into the directory's root file.
Status remember_app(const std::string& root, const RemoteApp& app);

}  // namespace restitch::cli
