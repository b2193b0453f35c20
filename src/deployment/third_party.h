#pragma once

#include <vector>

#include "app/config.h"
#include "functions/function_service.h"

namespace restitch::deployment {

// The third-party services of a configuration: aws, twilio, github, gcm and http.
std::vector<functions::ThirdPartyService> third_party_services(const app::Config& config);

}  // namespace restitch::deployment
