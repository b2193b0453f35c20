#include "server/backup/restore.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "base/kill_point.h"
#include "base/log.h"
#include "server/backup/backup.h"
#include "server/backup/checksum.h"
#include "server/backup/container.h"
#include "server/backup/files.h"
#include "server/backup/manifest.h"
#include "server/backup/progress.h"
#include "server/data_directory.h"
#include "storage/engine.h"

namespace restitch::server::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 1U << 20U;
constexpr std::uint64_t kMostManifestBytes = 64U << 20U;
// The whole new content lies here until the exchange; the file in it says that the exchange has
// begun.
constexpr const char* kStaging = "restore.staged";
constexpr const char* kDecided = "DECIDED";

Error failed(const std::string& what, const std::error_code& error) {
  return Error(ErrorCode::kIo, "cannot " + what + ": " + error.message());
}

Status clear_away(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return failed("remove " + path.string(), error);
  return {};
}

// Moves the staged content over the old one. Can be repeated from any point.
Status exchange(const fs::path& directory) {
  const fs::path staging = directory / kStaging;
  std::vector<fs::path> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(staging, error)) {
    if (entry.path().filename() != kDecided) names.push_back(entry.path().filename());
  }
  if (error) return failed("read " + staging.string(), error);
  for (const fs::path& name : names) {
    RESTITCH_CHECK(clear_away(directory / name));
    kill_point::reach("restore.between");
    fs::rename(staging / name, directory / name, error);
    if (error) return failed("move " + (staging / name).string(), error);
  }
  RESTITCH_CHECK(sync_directory(staging.string()));
  RESTITCH_CHECK(sync_directory(directory.string()));
  kill_point::reach("restore.exchanged");
  return clear_away(staging);
}

// Copies one file of the backup and returns what it is.
Result<BackedUpFile> stage(Reader& reader, const FileHeader& header, Writer& writer,
                           Progress& progress, std::string& buffer) {
  RESTITCH_CHECK(writer.begin_file(header.path, header.bytes));
  Sha256 sum;
  for (std::uint64_t left = header.bytes; left > 0;) {
    RESTITCH_TRY(const std::size_t count, reader.read(buffer.data(), buffer.size()));
    if (count == 0) return Error(ErrorCode::kCorrupt, header.path + " ends early");
    const std::string_view bytes(buffer.data(), count);
    sum.add(bytes);
    RESTITCH_CHECK(writer.write(bytes));
    left -= std::min<std::uint64_t>(left, count);
    progress.add(count);
  }
  RESTITCH_CHECK(writer.end_file());
  return BackedUpFile{header.path, header.bytes, sum.hex()};
}

Result<std::string> read_manifest(Reader& reader, const FileHeader& header) {
  if (header.bytes > kMostManifestBytes)
    return Error(ErrorCode::kCorrupt, std::string(kManifestName) + " is too large");
  std::string text(static_cast<std::size_t>(header.bytes), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    RESTITCH_TRY(const std::size_t count, reader.read(text.data() + done, text.size() - done));
    if (count == 0) return Error(ErrorCode::kCorrupt, std::string(kManifestName) + " ends early");
    done += count;
  }
  return text;
}

bool belongs_in_backup(const std::string& path) {
  return path == "secret.key" || path == "admin.json" ||
         (path.starts_with("cluster/") && path.find('/', 8) == std::string::npos);
}

Status compare(const Manifest& manifest, std::map<std::string, BackedUpFile>& found) {
  for (const BackedUpFile& file : manifest.files) {
    const auto at = found.find(file.path);
    if (at == found.end())
      return Error(ErrorCode::kCorrupt, file.path + " is missing in the backup");
    if (at->second.bytes != file.bytes) {
      return Error(ErrorCode::kCorrupt, file.path + " is damaged: it has " +
                                            std::to_string(at->second.bytes) +
                                            " bytes instead of " + std::to_string(file.bytes));
    }
    if (at->second.sha256 != file.sha256) {
      return Error(ErrorCode::kCorrupt, file.path + " is damaged: its checksum is wrong");
    }
    found.erase(at);
  }
  if (!found.empty())
    return Error(ErrorCode::kCorrupt, found.begin()->first + " does not belong to the backup");
  return {};
}

Status stage_all(const RestoreOptions& options, const fs::path& staging) {
  RESTITCH_TRY(const auto reader, Reader::open(options.source));
  RESTITCH_TRY(const auto writer, Writer::create(staging.string()));
  std::string buffer(kBufferBytes, '\0');
  std::map<std::string, BackedUpFile> found;
  std::optional<std::string> manifest_text;
  Progress progress("restored", 0);
  while (true) {
    RESTITCH_TRY(const std::optional<FileHeader> header, reader->next());
    if (!header) break;
    if (header->path == kManifestName) {
      RESTITCH_TRY(manifest_text, read_manifest(*reader, *header));
      continue;
    }
    if (!belongs_in_backup(header->path)) {
      return Error(ErrorCode::kCorrupt, "'" + header->path + "' does not belong in a backup");
    }
    RESTITCH_TRY(BackedUpFile file, stage(*reader, *header, *writer, progress, buffer));
    found[header->path] = std::move(file);
  }
  if (!manifest_text) {
    return Error(ErrorCode::kCorrupt,
                 "the backup is not complete: it has no " + std::string(kManifestName));
  }
  RESTITCH_TRY(const Manifest manifest, parse_manifest(*manifest_text));
  RESTITCH_CHECK(compare(manifest, found));
  progress.finish();
  return writer->finish();
}

// Opens the staged data as a server would, which checks what checksums of files cannot.
Status open_once(const fs::path& staging) {
  storage::EngineOptions options;
  options.directory = (staging / "cluster").string();
  RESTITCH_TRY(auto engine, storage::Engine::open(options));
  RESTITCH_CHECK(engine->catalog_rows());
  return engine->close();
}

Status decide(const fs::path& staging) {
  {
    RESTITCH_TRY(File file, File::create((staging / kDecided).string()));
    RESTITCH_CHECK(file.sync());
  }
  return sync_directory(staging.string());
}

Status check_target(const RestoreOptions& options) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options.data_directory, error)) {
    if (options.replace) break;
    return Error(ErrorCode::kInvalidArgument, options.data_directory + " is not empty (it holds '" +
                                                  entry.path().filename().string() +
                                                  "'); --replace gives up what it holds");
  }
  if (error) return failed("read " + options.data_directory, error);
  return {};
}

Status restore(const RestoreOptions& options) {
  RESTITCH_TRY(const DataDirectory directory, DataDirectory::open(options.data_directory));
  RESTITCH_CHECK(check_target(options));
  const fs::path staging = fs::path(options.data_directory) / kStaging;
  Status staged = stage_all(options, staging);
  kill_point::reach("restore.staged");
  if (staged) staged = open_once(staging);
  if (!staged) {
    static_cast<void>(clear_away(staging));
    return staged;
  }
  RESTITCH_CHECK(decide(staging));
  kill_point::reach("restore.decided");
  return exchange(options.data_directory);
}

}  // namespace

Status settle_restore(const std::string& data_directory) {
  const fs::path directory(data_directory);
  const fs::path staging = directory / kStaging;
  std::error_code error;
  RESTITCH_CHECK(clear_away(checkpoint_directory(data_directory)));
  if (!fs::exists(staging, error)) return {};
  if (fs::exists(staging / kDecided, error)) return exchange(directory);
  return clear_away(staging);
}

int run_restore(const RestoreOptions& options) {
  log::set_level_of_all(log::Severity::kFatal);
  std::error_code error;
  Status done = restore(options);
  if (done) {
    std::cerr << "restored " << options.source << " into " << options.data_directory << "\n";
    if (!fs::exists(options.data_directory + "/secret.key", error)) {
      std::cerr << "The backup holds no keys: put secret.key into the directory before the server "
                   "starts, or stored "
                   "secrets and sessions are lost.\n";
    }
    return 0;
  }
  std::cerr << "restitch restore: " << done.error().message() << "\n";
  return done.error().code() == ErrorCode::kIo ? 2 : 1;
}

}  // namespace restitch::server::backup
