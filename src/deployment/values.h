#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/config.h"
#include "bson/document.h"

namespace restitch::deployment {

// The app's values by name, with secrets put in for those that name one; without those whose secret
// does not exist (app/secrets.h reports them).
bson::Document resolve_values(const app::Config& config,
                              const std::map<std::string, std::string>& secrets);

// The plain texts among `values`, as resolve_values() gives them, that come from secrets.
std::vector<std::string> secret_values(const app::Config& config, bson::View values);

// A secret_config (member to the name of a secret, or to a list of names) with the secrets put in.
bson::Document resolve_secret_config(bson::View secret_config,
                                     const std::map<std::string, std::string>& secrets);

// Values of the active environment.
bson::Document environment_values(const app::Config& config);

}  // namespace restitch::deployment
