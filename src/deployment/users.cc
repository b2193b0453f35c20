#include "deployment/users.h"

namespace restitch::deployment {

rules::User to_rules_user(const auth::CachedUser& user, bson::Document custom_data) {
  return rules::User{user.record.id.to_hex(), user.record.type, user.data, std::move(custom_data),
                     user.identities};
}

}  // namespace restitch::deployment
