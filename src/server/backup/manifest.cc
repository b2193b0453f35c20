#include "server/backup/manifest.h"

#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::server::backup {
namespace {

constexpr std::int32_t kFormatVersion = 1;

Result<BackedUpFile> parse_file(bson::View entry) {
  const auto path = entry["path"].as_string();
  const auto bytes = entry["bytes"].as_integer();
  const auto sha256 = entry["sha256"].as_string();
  if (!path || !bytes || *bytes < 0 || !sha256) {
    return Error(ErrorCode::kCorrupt, std::string(kManifestName) + " has a damaged entry");
  }
  return BackedUpFile{std::string(*path), static_cast<std::uint64_t>(*bytes), std::string(*sha256)};
}

}  // namespace

std::string to_text(const Manifest& manifest) {
  bson::Builder builder;
  builder.append("restitchBackup", kFormatVersion).append("version", manifest.server_version);
  builder.append("created", manifest.created).append("clusterTime", manifest.cluster_time);
  builder.open_array("files");
  for (const BackedUpFile& file : manifest.files) {
    builder.push_object();
    builder.append("path", file.path).append("bytes", static_cast<std::int64_t>(file.bytes));
    builder.append("sha256", file.sha256);
    builder.close();
  }
  builder.close();
  const std::string line =
      bson::to_json(std::move(builder).finish().view(), bson::JsonMode::kRelaxed);
  return line + "\n" + to_hex(auth::sha256(line)) + "\n";
}

Result<Manifest> parse_manifest(const std::string& text) {
  const Error damaged(ErrorCode::kCorrupt,
                      std::string(kManifestName) + " is damaged: its checksum is wrong");
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return damaged;
  const std::string line = text.substr(0, end);
  if (text.substr(end + 1) != to_hex(auth::sha256(line)) + "\n") return damaged;
  const auto document = bson::parse_json_document(line);
  if (!document) return damaged;
  const auto format = (*document)["restitchBackup"].as_integer();
  if (!format) return damaged;
  if (*format > kFormatVersion) {
    return Error(ErrorCode::kUnsupported, "the backup was written by a newer version (format " +
                                              std::to_string(*format) + ", this version knows " +
                                              std::to_string(kFormatVersion) + ")");
  }
  Manifest manifest;
  manifest.server_version = (*document)["version"].as_string().value_or("");
  const bson::ValueView created = (*document)["created"], time = (*document)["clusterTime"];
  if (created.type() != bson::Type::kDate || time.type() != bson::Type::kTimestamp) return damaged;
  manifest.created = created.get_date();
  manifest.cluster_time = time.get_timestamp();
  const auto files = (*document)["files"].as_array();
  if (!files) return damaged;
  const bson::View list = *files;
  for (const bson::Element& element : list) {
    const auto entry = element.value.as_object();
    if (!entry) return damaged;
    RESTITCH_TRY(BackedUpFile file, parse_file(*entry));
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

}  // namespace restitch::server::backup
