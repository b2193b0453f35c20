#pragma once

#include <string>

#include "app/writing/files.h"
#include "base/result.h"

namespace restitch::cli {

// The files of a new app: "tasks", "endpoint" or "blank".
Result<app::Files> make_app(const std::string& name_of_template, const std::string& app_name,
                            int config_version);

}  // namespace restitch::cli
