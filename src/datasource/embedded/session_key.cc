#include "datasource/embedded/session_key.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "datasource/embedded/operation.h"
#include "datasource/embedded/users/authentication.h"

namespace restitch::datasource::embedded {

namespace {

// SHA-256 of no bytes.
constexpr std::string_view kNobody(
    "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
    "\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55",
    kSessionOwnerBytes);

}  // namespace

std::string session_owner(std::string_view full_name) {
  std::string owner(kSessionOwnerBytes, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(owner.data());
  const int done =
      EVP_Digest(full_name.data(), full_name.size(), bytes, nullptr, EVP_sha256(), nullptr);
  RESTITCH_ASSERT(done == 1);
  return owner;
}

std::string_view session_owner_of(const Operation& operation) {
  return operation.user ? std::string_view(operation.user->session_owner) : kNobody;
}

std::string session_key(std::string_view id, std::string_view owner) {
  std::string key;
  key.reserve(id.size() + owner.size());
  return key.append(id).append(owner);
}

std::string session_key_of(const Operation& operation) {
  const auto lsid = operation.command.view()["lsid"].as_object();
  const bson::ValueView id = lsid ? (*lsid)["id"] : bson::ValueView();
  if (id.type() != bson::Type::kBinary) return {};
  const std::string_view bytes = id.get_binary().bytes;
  if (bytes.size() != kSessionIdBytes) return {};
  return session_key(bytes, session_owner_of(operation));
}

std::string_view owner_in(std::string_view session_key) {
  return session_key.substr(kSessionIdBytes);
}

void append_session(bson::Builder& builder, std::string_view session_key) {
  builder.append_binary("id", 4, session_key.substr(0, kSessionIdBytes));
  builder.append_binary("uid", 0, owner_in(session_key));
}

}  // namespace restitch::datasource::embedded
