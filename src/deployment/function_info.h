#pragma once

#include "app/config.h"
#include "functions/function_service.h"

namespace restitch::deployment {

// What the workers must know of an app's configuration; ids, values and packages are left to the
// caller.
functions::FunctionAppInfo function_info(const app::Config& config);

}  // namespace restitch::deployment
