#pragma once

#include <string_view>
#include <vector>

#include "app/config.h"
#include "functions/function_service.h"

namespace restitch::deployment {

// The third-party services of a configuration: aws, twilio, github, gcm and http.
std::vector<functions::ThirdPartyService> third_party_services(const app::Config& config);

// Whether there is a push service of that name, with which devices register.
bool has_push_service(const app::Config& config, std::string_view name);

}  // namespace restitch::deployment
