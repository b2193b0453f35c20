#include "datasource/embedded/identity.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "base/log.h"
#include "datasource/embedded/catalog.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::string_view kRow = "identity";
constexpr std::size_t kSecretBytes = 32;

std::string random_secret() {
  std::random_device device;
  std::string secret(kSecretBytes, '\0');
  for (char& byte : secret) byte = static_cast<char>(device() & 0xFFU);
  return secret;
}

std::int64_t seconds_of_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

Result<ClusterIdentity> begin_term(storage::Engine& engine) {
  ClusterIdentity identity;
  RESTITCH_TRY(const auto rows, engine.catalog_rows());
  for (const auto& [key, row] : rows) {
    if (key != kRow) continue;
    identity.term = row["term"].as_integer().value_or(0);
    const bson::ValueView secret = row["secret"];
    if (secret.type() == bson::Type::kBinary) identity.secret = secret.get_binary().bytes;
  }
  if (identity.secret.size() != kSecretBytes) identity.secret = random_secret();
  identity.term = std::max(identity.term + 1, seconds_of_clock());

  bson::Builder row;
  row.append("term", identity.term).append_binary("secret", 0, identity.secret);
  auto transaction = engine.begin(storage::Transaction::Mode::kLatest);
  transaction->put_catalog_row(kRow, std::move(row).finish());
  const auto committed = commit_and_wait(engine, std::move(transaction));
  if (!committed) {
    RESTITCH_LOG(kWarning, kSource, 5140, "The new term is not stored",
                 {"error", committed.error().message()});
  }
  return identity;
}

}  // namespace restitch::datasource::embedded
