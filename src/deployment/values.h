#pragma once

#include <map>
#include <string>

#include "app/config.h"
#include "bson/document.h"

namespace restitch::deployment {

// The app's values by name, with secrets put in for those that name one. A secret that does not exist is a finding.
bson::Document resolve_values(const app::Config& config, const std::map<std::string, std::string>& secrets,
                              app::Findings& findings);

// Values of the active environment.
bson::Document environment_values(const app::Config& config);

}  // namespace restitch::deployment
