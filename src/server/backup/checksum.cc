#include "server/backup/checksum.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/encoding.h"

namespace restitch::server::backup {

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  RESTITCH_ASSERT(context_ != nullptr &&
                  EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::add(std::string_view bytes) {
  RESTITCH_ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  std::string digest(32, '\0');
  RESTITCH_ASSERT(EVP_DigestFinal_ex(context_.get(),
                                     reinterpret_cast<unsigned char*>(digest.data()),
                                     nullptr) == 1);
  return to_hex(digest);
}

}  // namespace restitch::server::backup
