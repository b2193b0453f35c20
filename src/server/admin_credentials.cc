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

AdminCredentials make_fresh() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto group = [&] { return auth::random_text(4, kHex); };
  return {auth::random_text(8, kLetters),
          auth::random_text(8, kHex) + "-" + group() + "-" + group() + "-" + group() + "-" + auth::random_text(12, kHex),
          bson::ObjectId::generate().to_hex()};
}

Status store(const AdminCredentials& credentials, const std::string& path) {
  const std::string text = to_json(credentials) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return Error(ErrorCode::kIo, "cannot create " + path + ": " + std::strerror(errno));
  const bool stored = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!stored) return Error(ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(errno));
  return {};
}

std::string path_in(const std::string& directory) { return directory + "/admin.json"; }

}  // namespace

Result<AdminCredentials> parse_admin_credentials(const std::string& text, const std::string& where) {
  const Error invalid(ErrorCode::kCorrupt, where + " is not {\"publicApiKey\", \"privateApiKey\", \"groupId\"}");
  const auto document = bson::parse_json_document(text);
  if (!document) return invalid;
  const auto public_key = (*document)["publicApiKey"].as_string();
  const auto private_key = (*document)["privateApiKey"].as_string();
  const auto group = (*document)["groupId"].as_string();
  if (!public_key || !private_key || !group) return invalid;
  return AdminCredentials{std::string(*public_key), std::string(*private_key), std::string(*group)};
}

std::string to_json(const AdminCredentials& credentials) {
  bson::Builder builder;
  builder.append("publicApiKey", credentials.public_api_key).append("privateApiKey", credentials.private_api_key);
  builder.append("groupId", credentials.group_id);
  return bson::to_json(std::move(builder).finish().view());
}

Result<AdminCredentials> load_or_create_admin_credentials(const std::string& directory) {
  const std::string path = path_in(directory);
  std::ifstream file(path, std::ios::binary);
  if (file) return parse_admin_credentials({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}, path);
  AdminCredentials fresh = make_fresh();
  RESTITCH_CHECK(store(fresh, path));
  return fresh;
}

Status replace_admin_credentials(const std::string& directory, const AdminCredentials& credentials) {
  const std::string path = path_in(directory), next = path + ".next";
  ::unlink(next.c_str());
  RESTITCH_CHECK(store(credentials, next));
  if (::rename(next.c_str(), path.c_str()) == 0) return {};
  return Error(ErrorCode::kIo, "cannot replace " + path + ": " + std::strerror(errno));
}

}  // namespace restitch::server
