#pragma once

#include <string>

#include "app/config.h"

namespace restitch::deployment {

// TypeScript declarations of an app's own names, for editors: its functions, values, services and
// the values of its environment. worker/types/context.d.ts builds on them.
std::string type_declarations(const app::Config& config);

}  // namespace restitch::deployment
