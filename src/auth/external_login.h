#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "auth/key_sets.h"
#include "bson/document.h"
#include "net/outbound.h"
#include "runtime/task.h"

namespace restitch::auth {

// Where the identity providers are. Tests put their own in place.
struct IdentityEndpoints {
  std::string google_authorize = "https://accounts.google.com/o/oauth2/v2/auth";
  std::string google_token = "https://oauth2.googleapis.com/token";
  std::string google_userinfo = "https://www.googleapis.com/oauth2/v3/userinfo";
  std::string google_keys = "https://www.googleapis.com/oauth2/v3/certs";
  std::string facebook_dialog = "https://www.facebook.com/dialog/oauth";
  std::string facebook_graph = "https://graph.facebook.com";
  std::string apple_authorize = "https://appleid.apple.com/auth/authorize";
  std::string apple_token = "https://appleid.apple.com/auth/token";
  std::string apple_keys = "https://appleid.apple.com/auth/keys";
};

// What a provider says of a person.
struct ExternalIdentity {
  std::string id;
  bson::Document data;  // metadata, as the provider's configuration maps it
};

// One attempt to sign in with a provider that vouches for the person.
struct ExternalAttempt {
  const app::AuthProviderConfig& provider;
  const bson::Document& secrets;     // the provider's secret_config with the secrets' values
  const bson::Document& credential;  // as the client sent it
  std::string client_app_id;         // the audience when none is configured
};

// What a provider hands to the page that it sends the person back to.
struct RedirectCode {
  std::string code;
  std::string redirect_uri;  // of that page, as it was named when the person was sent away
};

// Verifies credentials of custom-token, oauth2-google, oauth2-facebook and oauth2-apple (spec:
// client-api §7.1, §7.3). Thread-safe. Whatever is wrong with a credential is kInvalidSession,
// `unauthorized`, with the reason as detail; a member that is missing or of a wrong type is
// kMissingParameter or kInvalidArgument.
class ExternalLogin {
 public:
  ExternalLogin(net::Outbound& outbound, IdentityEndpoints endpoints)
      : outbound_(outbound), endpoints_(std::move(endpoints)), key_sets_(outbound) {}

  static bool serves(std::string_view provider_type);
  // `attempt` and what it refers to are kept by the caller until the end.
  Task<ExternalIdentity> verify(const ExternalAttempt& attempt);

  // The redirect flow of oauth2-google, oauth2-facebook and oauth2-apple: where to send the person…
  std::string authorization_url(const app::AuthProviderConfig& provider,
                                const std::string& redirect_uri, const std::string& state) const;
  // …and who came back.
  Task<ExternalIdentity> redeem(const ExternalAttempt& attempt, RedirectCode code);

 private:
  Task<ExternalIdentity> verify_custom_token(const ExternalAttempt& attempt);
  Task<ExternalIdentity> verify_google_code(const ExternalAttempt& attempt, std::string code);
  Task<ExternalIdentity> google_person(const ExternalAttempt& attempt, std::string access_token);
  Task<ExternalIdentity> verify_facebook(const ExternalAttempt& attempt, std::string access_token);
  Task<ExternalIdentity> id_token_person(const ExternalAttempt& attempt, std::string token);
  // What the provider gives for a code.
  Task<bson::Document> exchange(const ExternalAttempt& attempt, const std::string& url, RedirectCode code);
  // An OpenID Connect token of Google or Apple: RS256 under the issuer's key set.
  Task<bson::Document> verify_id_token(std::string token, std::string keys_url,
                                       std::vector<std::string> issuers, std::string audience);
  Task<bson::Document> fetch_json(net::OutboundRequest request);

  net::Outbound& outbound_;
  IdentityEndpoints endpoints_;
  KeySets key_sets_;
};

}  // namespace restitch::auth
