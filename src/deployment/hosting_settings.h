#pragma once

#include <string>

#include "app/config.h"

namespace restitch::deployment {

// hosting/config.json of an app.
struct HostingSettings {
  bool is_enabled = false;
  std::string custom_domain;       // lower case; "" = none
  std::string default_error_path;  // what is served for a path without a file; "" = a plain page
  int default_error_status = 404;  // with which status: 200 for a single-page app
};
HostingSettings hosting_settings(const app::Config& config);

}  // namespace restitch::deployment
