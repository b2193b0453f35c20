#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace restitch::auth {

// The forms of password.h other than the server's own Argon2id; check_foreign_hash takes that too.
bool verify_foreign_password(std::string_view password, const std::string& encoded);
Status check_foreign_hash(const std::string& encoded);

}  // namespace restitch::auth
