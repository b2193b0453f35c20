#include "server/shared_credentials.h"

#include "auth/state_queries.h"
#include "datasource/client.h"

namespace restitch::server {
namespace {

using bson::Document;

constexpr std::string_view kPurpose = "administrators' key pair";
constexpr std::string_view kId = "key_pair";

Result<AdminCredentials> open_credentials(const auth::SecretBox& box, bson::View stored) {
  const bson::ValueView sealed = stored["sealed"];
  auto text = sealed.type() == bson::Type::kBinary
                  ? box.open_sealed(sealed.get_binary().bytes, kPurpose)
                  : Result<std::string>(Error(ErrorCode::kCorrupt, "no key pair is stored"));
  if (!text) {
    return Error(ErrorCode::kInvalidArgument,
                 "this node's secret key is not that of the other nodes of --state: give it a copy "
                 "of theirs (DATA/secret.key of the first node) with --secret-key FILE");
  }
  return parse_admin_credentials(*text, "the stored key pair");
}

// A server that has the deployment as its embedded cluster keeps its own state in the same
// database.
Task<void> require_unused(const datasource::Collection& settings) {
  const Document filter = bson::make_document("_id", "administrators");
  RESTITCH_CO_TRY(const auto found, co_await settings.find_one(filter));
  if (!found) co_return Status();
  co_return Error(ErrorCode::kInvalidArgument,
                  "another server keeps its own state in the database " +
                      std::string(auth::kStateDatabase) +
                      " of --state: name another one in the URI, such as …/__restitch_nodes");
}

}  // namespace

Task<AdminCredentials> share_credentials(datasource::DataSource& state, auth::SecretBox box,
                                         AdminCredentials own) {
  const datasource::Collection settings = auth::collection(state, "settings");
  const Document who = bson::make_document("_id", kId);
  RESTITCH_CO_TRY(const auto known, co_await settings.find_one(who));
  if (!known) {
    RESTITCH_CO_CHECK(co_await require_unused(settings));
  }
  bson::Builder builder;
  builder.append_binary("sealed", 0, box.seal(to_json(own), kPurpose));
  const Document first = std::move(builder).finish();
  RESTITCH_CO_TRY(const Document stored, co_await auth::find_or_insert(settings, who, first));
  co_return open_credentials(box, stored);
}

}  // namespace restitch::server
