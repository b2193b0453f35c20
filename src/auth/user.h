#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::auth {

struct Identity {
  std::string id;                 // the provider's id for the person
  std::string provider_type;
  bson::ObjectId provider_id;
  bson::Document data;            // metadata from the provider
};

// A user as the state store keeps one (collection `users`).
struct UserRecord {
  bson::ObjectId id;
  bson::ObjectId app_id;          // internal
  std::string type = "normal";    // normal, server
  std::vector<Identity> identities;
  bool disabled = false;
  bson::Date created;
  bson::Date last_authenticated;
  bson::Date last_active;         // sign of life since, noted at most once a day; 0 = none
  // Tokens issued before are void (revocation of all sessions), in milliseconds; 0 = never revoked.
  bson::Date not_before;

  bson::Document to_bson() const;
  static Result<UserRecord> from_bson(bson::View document);

  // Union of the identities' metadata, later identities winning.
  bson::Document merged_data() const;
  // Array of {id, provider_type, data}, as functions and rules see it.
  bson::Document identities_document() const;
  bool is_anonymous_only() const;
};

}  // namespace restitch::auth
