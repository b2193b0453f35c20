#include "server/hosted_deployment.h"

#include <map>

#include "app/hosted_files.h"
#include "base/log.h"
#include "runtime/run_and_wait.h"

namespace restitch::server {
namespace {

using deployment::FileInfo;
using Stored = std::map<std::string, FileInfo>;

Result<Stored> stored_files(bson::ObjectId app, const deployment::HostedFiles& files,
                            runtime::IoThreads& threads) {
  RESTITCH_TRY(std::vector<FileInfo> list,
               runtime::run_and_wait(threads.context(0), files.list(app, "")));
  Stored stored;
  for (FileInfo& info : list) stored.emplace(info.name, std::move(info));
  return stored;
}

// True when it had to be changed.
Result<bool> deploy_file(const std::string& path, const app::HostedDirectory::File& file,
                         const FileInfo* former, bson::ObjectId app,
                         const deployment::HostedFiles& files, runtime::IoThreads& threads) {
  RESTITCH_TRY(std::string content, app::read_hosted_file(file.file));
  if (former == nullptr || former->md5 != deployment::md5_of(content)) {
    RESTITCH_CHECK(runtime::run_and_wait(
        threads.context(0), files.put(app, path, std::move(content), file.attributes)));
    return true;
  }
  if (app::are_same_attributes(path, deployment::attributes_of(*former), file.attributes)) {
    return false;
  }
  RESTITCH_CHECK(runtime::run_and_wait(threads.context(0),
                                       files.set_attributes(app, path, file.attributes)));
  return true;
}

void log_failure(const std::string& root, const std::string& path, const Error& error) {
  RESTITCH_LOG(kError, kApp, 2011, "Hosted files not deployed", {"directory", root},
               {"path", path}, {"error", error.message()});
}

}  // namespace

void deploy_hosted_files(const std::string& root, bson::ObjectId app,
                         const deployment::HostedFiles& files, runtime::IoThreads& threads) {
  const auto directory = app::read_hosted_directory(root);
  if (!directory) return log_failure(root, "", directory.error());
  for (const std::string& path : directory->absent_files) {
    RESTITCH_LOG(kWarning, kApp, 2012, "An entry of hosting/metadata.json has no file",
                 {"directory", root}, {"path", path});
  }
  if (!directory->has_files_folder) return;
  const auto stored = stored_files(app, files, threads);
  if (!stored) return log_failure(root, "", stored.error());
  std::size_t changed = 0;
  for (const auto& [path, file] : directory->files) {
    const auto former = stored->find(path);
    const auto deployed = deploy_file(path, file, former == stored->end() ? nullptr : &former->second,
                                      app, files, threads);
    if (!deployed) log_failure(root, path, deployed.error());
    if (deployed && *deployed) ++changed;
  }
  std::size_t removed = 0;
  for (const auto& [path, info] : *stored) {
    if (directory->files.contains(path)) continue;
    const auto done = runtime::run_and_wait(threads.context(0), files.remove(app, path));
    if (!done) log_failure(root, path, done.error());
    ++removed;
  }
  if (changed + removed == 0) return;
  RESTITCH_LOG(kInfo, kApp, 2013, "Hosted files deployed", {"directory", root},
               {"changed", changed}, {"removed", removed});
}

}  // namespace restitch::server
