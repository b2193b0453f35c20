#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/config.h"

namespace restitch::app {

// A place that names a secret.
struct SecretReference {
  std::string name;
  std::string file, pointer;
};

std::vector<SecretReference> secret_references(const Config& config);

// Reports every reference to a secret that `known` (by name) does not hold: the secrets stored for
// the app and those of Config::secrets.
void check_secret_references(const Config& config, const std::map<std::string, std::string>& known,
                             Findings& findings);

}  // namespace restitch::app
