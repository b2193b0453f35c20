#pragma once

#include <cstdint>
#include <string>

#include "datasource/client.h"

namespace restitch::deployment {

// Has documents removed `days` after the time in their member `member`, by an index. The index that a
// server with another setting has made is changed in place.
Task<void> ensure_expiry(datasource::Collection collection, std::string member, std::int64_t days);

}  // namespace restitch::deployment
