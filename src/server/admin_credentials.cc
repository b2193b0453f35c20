#include "server/admin_credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "auth/crypto.h"
#include "bson/extended_json.h"

namespace restitch::server {
namespace {

Result<AdminCredentials> parse(const std::string& text, const std::string& path) {
  const Error invalid(ErrorCode::kCorrupt, path + " is not {\"publicApiKey\", \"privateApiKey\", \"groupId\"}");
  const auto document = bson::parse_json_document(text);
  if (!document) return invalid;
  const auto public_key = (*document)["publicApiKey"].as_string();
  const auto private_key = (*document)["privateApiKey"].as_string();
  const auto group = (*document)["groupId"].as_string();
  if (!public_key || !private_key || !group) return invalid;
  return AdminCredentials{std::string(*public_key), std::string(*private_key), std::string(*group)};
}

AdminCredentials make_fresh() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto group = [&] { return auth::random_text(4, kHex); };
  return {auth::random_text(8, kLetters),
          auth::random_text(8, kHex) + "-" + group() + "-" + group() + "-" + group() + "-" + auth::random_text(12, kHex),
          bson::ObjectId::generate().to_hex()};
}

Status store(const AdminCredentials& credentials, const std::string& path) {
  bson::Builder builder;
  builder.append("publicApiKey", credentials.public_api_key).append("privateApiKey", credentials.private_api_key);
  builder.append("groupId", credentials.group_id);
  const std::string text = bson::to_json(std::move(builder).finish().view()) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return Error(ErrorCode::kIo, "cannot create " + path + ": " + std::strerror(errno));
  const bool stored = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!stored) return Error(ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(errno));
  return {};
}

}  // namespace

Result<AdminCredentials> load_or_create_admin_credentials(const std::string& directory) {
  const std::string path = directory + "/admin.json";
  std::ifstream file(path, std::ios::binary);
  if (file) return parse({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}, path);
  AdminCredentials fresh = make_fresh();
  RESTITCH_CHECK(store(fresh, path));
  return fresh;
}

}  // namespace restitch::server
