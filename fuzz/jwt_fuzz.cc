#include "auth/jwt.h"
#include "bson/validate.h"
#include "fuzz.h"

// Any text is refused or becomes a token with valid claims, which a key that did not sign it never
// verifies; any JSON is refused as a key or becomes one.
namespace {

using namespace restitch;

void check(const auth::Jwt& token) {
  static const auth::VerificationKey kSecret =
      auth::VerificationKey::from_secret(std::string(32, 'k'));
  RESTITCH_ASSERT(bson::validate(token.claims.bytes()));
  RESTITCH_ASSERT(!kSecret.verifies(token));
  const auto in_time = auth::check_times(token.claims, 1'000'000);
  const bool is_ours = auth::has_audience(token.claims, {"app"}, true);
  RESTITCH_ASSERT(in_time || !in_time.error().message().empty());
  RESTITCH_ASSERT(!is_ours || token.claims.view().contains("aud"));
  if (auto key = auth::VerificationKey::from_jwk(token.claims))
    RESTITCH_ASSERT(!key->verifies(token));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto token = auth::parse_jwt(text)) check(*token);
  const auto key = auth::VerificationKey::from_pem(text);
  RESTITCH_ASSERT(key || !key.error().message().empty());
  return 0;
}
