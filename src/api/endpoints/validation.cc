#include "api/endpoints/validation.h"

#include <algorithm>
#include <array>

#include "auth/crypto.h"
#include "base/encoding.h"

namespace restitch::api::endpoints {
namespace {

// The last one is what GitHub sends.
constexpr std::array<std::string_view, 3> kSignatureHeaders{
    "Endpoint-Signature", "X-Hook-Signature", "X-Hub-Signature-256"};
constexpr std::string_view kTwilioHeader = "X-Twilio-Signature";

Error refused(std::string reason) {
  return Error(ErrorCode::kAuthFailed, "failed to validate the request")
      .with_detail(std::move(reason));
}

Status check_secret(const std::string& secret, const net::HttpRequest& request) {
  for (const auto& [name, value] : net::parse_query(request.query())) {
    if (name != "secret") continue;
    if (auth::equal_in_constant_time(value, secret)) return {};
    return refused("the query's secret is not the right one");
  }
  return refused("the query holds no secret");
}

Status check_signature(const std::string& secret, const net::HttpRequest& request) {
  for (const std::string_view header : kSignatureHeaders) {
    const std::string_view signature = request.header(header);
    if (signature.empty()) continue;
    const std::string right = "sha256=" + to_hex(auth::hmac_sha256(secret, request.body()));
    if (auth::equal_in_constant_time(signature, right)) return {};
    return refused("the signature does not fit the body");
  }
  return refused("there is no Endpoint-Signature header");
}

// Twilio signs the URL that it was given, followed by the form's members in the order of their
// names.
Status check_twilio(const std::string& secret, const net::HttpRequest& request,
                    const std::string& base_url) {
  auto members = net::parse_query(request.body());
  std::sort(members.begin(), members.end());
  std::string text = base_url + std::string(request.target());
  for (const auto& [name, value] : members) text.append(name).append(value);
  const std::string right = to_base64(auth::hmac_sha1(secret, text));
  if (auth::equal_in_constant_time(request.header(kTwilioHeader), right)) return {};
  return refused("the X-Twilio-Signature does not fit the URL and the form");
}

}  // namespace

Status check_validation(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                        const std::string& base_url) {
  if (endpoint.validation == app::RequestValidation::kNone) return {};
  if (endpoint.secret.empty()) return refused("the endpoint has no secret");
  if (endpoint.validation == app::RequestValidation::kSecretInQuery) {
    return check_secret(endpoint.secret, request);
  }
  if (endpoint.service_type == "twilio" && !request.header(kTwilioHeader).empty()) {
    return check_twilio(endpoint.secret, request, base_url);
  }
  return check_signature(endpoint.secret, request);
}

}  // namespace restitch::api::endpoints
