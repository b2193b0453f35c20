#include "server/backup/backup.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/encoding.h"
#include "base/log.h"
#include "server/backup/checksum.h"
#include "server/backup/container.h"
#include "server/backup/control_socket.h"
#include "server/backup/files.h"
#include "server/backup/manifest.h"
#include "server/backup/progress.h"
#include "server/data_directory.h"
#include "storage/engine.h"

namespace restitch::server::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 1U << 20U;
constexpr const char* kKeyFiles[] = {"secret.key", "admin.json"};

struct Source {
  std::string file;  // on this machine
  std::string path;  // in the backup
  std::uint64_t bytes = 0;
};

Status add_source(std::vector<Source>& sources, const fs::path& file, std::string path) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  if (error) return Error(ErrorCode::kIo, "cannot read " + file.string() + ": " + error.message());
  sources.push_back({file.string(), std::move(path), bytes});
  return {};
}

Result<std::vector<Source>> sources_of(const BackupOptions& options,
                                       const std::string& checkpoint) {
  std::vector<Source> sources;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoint, error)) {
    RESTITCH_CHECK(
        add_source(sources, entry.path(), "cluster/" + entry.path().filename().string()));
  }
  if (error) return Error(ErrorCode::kIo, "cannot read " + checkpoint + ": " + error.message());
  for (const char* name : kKeyFiles) {
    const fs::path file = fs::path(options.data_directory) / name;
    if (!options.without_keys && fs::exists(file, error))
      RESTITCH_CHECK(add_source(sources, file, name));
  }
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

Result<BackedUpFile> copy(const Source& source, Writer& writer, Progress& progress,
                          std::string& buffer) {
  RESTITCH_TRY(File file, File::open_to_read(source.file));
  RESTITCH_CHECK(writer.begin_file(source.path, source.bytes));
  Sha256 sum;
  for (std::uint64_t left = source.bytes; left > 0;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    RESTITCH_TRY(const std::size_t count, file.read(buffer.data(), wanted));
    if (count != wanted)
      return Error(ErrorCode::kIo, source.file + " became shorter while it was copied");
    const std::string_view bytes(buffer.data(), count);
    sum.add(bytes);
    RESTITCH_CHECK(writer.write(bytes));
    left -= count;
    progress.add(count);
  }
  RESTITCH_CHECK(writer.end_file());
  return BackedUpFile{source.path, source.bytes, sum.hex()};
}

Status copy_all(const std::vector<Source>& sources, bson::Timestamp cluster_time, Writer& writer) {
  std::uint64_t total = 0;
  for (const Source& source : sources) total += source.bytes;
  Progress progress("copied", total);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  Manifest manifest{RESTITCH_VERSION,
                    {std::chrono::duration_cast<std::chrono::milliseconds>(now).count()},
                    cluster_time,
                    {}};
  std::string buffer(kBufferBytes, '\0');
  for (const Source& source : sources) {
    RESTITCH_TRY(BackedUpFile file, copy(source, writer, progress, buffer));
    manifest.files.push_back(std::move(file));
  }
  const std::string text = to_text(manifest);
  RESTITCH_CHECK(writer.begin_file(kManifestName, text.size()));
  RESTITCH_CHECK(writer.write(text));
  RESTITCH_CHECK(writer.end_file());
  RESTITCH_CHECK(writer.finish());
  progress.finish();
  return {};
}

// Of a directory that no server runs on.
Status back_up_closed(const BackupOptions& options) {
  storage::EngineOptions engine_options;
  engine_options.directory = options.data_directory + "/cluster";
  RESTITCH_TRY(auto engine, storage::Engine::open(engine_options));
  const std::string checkpoint = checkpoint_directory(options.data_directory);
  RESTITCH_CHECK(engine->checkpoint(checkpoint));
  const bson::Timestamp time = engine->last_committed();
  Status written = engine->close();
  if (written) written = write_backup(options, checkpoint, time);
  std::error_code ignored;
  fs::remove_all(checkpoint, ignored);
  return written;
}

Status back_up(const BackupOptions& options) {
  std::error_code error;
  if (!fs::is_directory(options.data_directory + "/cluster", error)) {
    return Error(ErrorCode::kInvalidArgument,
                 options.data_directory + " holds no data of a server");
  }
  auto directory = DataDirectory::open(options.data_directory);
  if (directory) return back_up_closed(options);
  if (directory.error().code() != ErrorCode::kClosing) return std::move(directory).error();
  RESTITCH_TRY(FrozenCopy copy, FrozenCopy::request(options.data_directory));
  return write_backup(options, checkpoint_directory(options.data_directory), copy.cluster_time());
}

}  // namespace

std::string checkpoint_directory(const std::string& data_directory) {
  return data_directory + "/cluster.frozen";
}

Status write_backup(const BackupOptions& options, const std::string& checkpoint,
                    bson::Timestamp cluster_time) {
  RESTITCH_TRY(const std::vector<Source> sources, sources_of(options, checkpoint));
  RESTITCH_TRY(const auto writer, Writer::create(options.target));
  Status copied = copy_all(sources, cluster_time, *writer);
  if (!copied && options.target != "-") {
    std::error_code ignored;
    fs::remove_all(options.target, ignored);
  }
  return copied;
}

int run_backup(const BackupOptions& options) {
  log::set_level_of_all(log::Severity::kFatal);  // standard output may be the archive
  const Status done = back_up(options);
  if (done) {
    std::cerr << "backed up " << options.data_directory << " into " << options.target << "\n";
    return 0;
  }
  Status failed = done;
  std::cerr << "restitch backup: " << failed.error().message() << "\n";
  return failed.error().code() == ErrorCode::kIo ? 2 : 1;
}

}  // namespace restitch::server::backup
