#include <boost/asio/co_spawn.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/writing/members.h"
#include "base/log.h"
#include "deployment/app_manager.h"

namespace restitch::deployment {
namespace {

namespace fs = std::filesystem;

// What the member `packages` of an app's document says when they were uploaded: "file:<name>", else
// the folder that the app was deployed from. In the file store they are of kind kPackages.
constexpr std::string_view kUploaded = "file:";
const std::string kPackages = "packages";

bool is_known_name(std::string_view name) {
  return name == "package.json" || name == "node_modules.zip" || name == "node_modules.tar" ||
         name == "node_modules.tgz" || name == "node_modules.tar.gz";
}

// A new folder with the file in it: whole, or not there.
Status make_folder(const std::string& folder, const std::string& name,
                      const std::string& content) {
  std::error_code failed;
  const std::string next = folder + ".next";
  fs::create_directories(next, failed);
  std::ofstream out(next + "/" + name, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) return Error(ErrorCode::kIo, "cannot store the dependencies");
  fs::rename(next, folder, failed);
  if (failed) return Error(ErrorCode::kIo, "cannot store the dependencies: " + failed.message());
  return {};
}

bson::Value described(const std::string& name, const Actor& actor, const bson::Value& list,
                      const char* status, const std::string& message) {
  app::Members out;
  out.set("filename", bson::Value::of(name));
  out.set("user_id", bson::Value::of(actor.administrator));
  out.set("last_modified", bson::Value::of(now_in_seconds()));
  out.set("list", list);
  out.set("status", bson::Value::of(status));
  out.set("status_message", bson::Value::of(message));
  return out.value();
}

}  // namespace

std::string AppManager::packages_of(const ManagedApp& app) const {
  return uploads_ + "/" + app.identity().id.to_hex();
}

Task<void> AppManager::put_packages(ManagedAppPtr app, Actor actor, std::string name,
                                    std::string content, bson::Value list) {
  if (!is_known_name(name)) {
    co_return Error(
        ErrorCode::kInvalidArgument,
        "'" + name + "' is none of package.json, node_modules.zip, .tar, .tgz, .tar.gz");
  }
  auto turn = co_await app->turns_.take();
  const std::string uploaded = std::string(kUploaded) + name;
  const bson::ObjectId id = app->identity().id;
  RESTITCH_CO_CHECK(co_await files_.put(id, kPackages, name, std::move(content)));
  RESTITCH_CO_TRY(const auto files, co_await files_.list(id, kPackages));
  for (const FileInfo& former : files) {
    if (former.name == name) continue;
    RESTITCH_CO_CHECK(co_await files_.remove(id, kPackages, former.name));
  }
  const bson::Value begun = described(name, actor, list, "created", "processing request");
  RESTITCH_CO_CHECK(co_await apps_.set_extra(app->identity().id, "dependencies", begun));
  RESTITCH_CO_CHECK(
      co_await apps_.set_extra(app->identity().id, "packages", bson::Value::of(uploaded)));
  {
    const std::lock_guard lock(app->mutex_);
    app->packages_ = uploaded;
  }
  boost::asio::co_spawn(co_await asio::this_coro::executor,
                        install_packages(app, std::move(actor), std::move(name), std::move(list)),
                        [](std::exception_ptr) {});
  co_return Status();
}

// The app runs with the packages when this ends, or says in its status why not.
asio::awaitable<void> AppManager::install_packages(ManagedAppPtr app, Actor actor, std::string name,
                                                   bson::Value list) {
  const auto built = co_await rebuild(app);
  const bson::Value ended = built ? described(name, actor, list, "successful", "")
                                  : described(name, actor, list, "failed", built.error().message());
  const auto noted = co_await apps_.set_extra(app->identity().id, "dependencies", ended);
  if (!noted) {
    RESTITCH_LOG(kWarning, kApp, 2007, "Cannot note how an installation ended",
                 {"app", app->identity().client_app_id}, {"error", noted.error().message()});
  }
}

Task<std::string> AppManager::read_packages(ManagedAppPtr app, std::string name) {
  RESTITCH_CO_TRY(auto file, co_await files_.get(app->identity().id, kPackages, std::move(name)));
  if (!file) co_return Error(ErrorCode::kNotFound, "no dependencies were uploaded");
  co_return std::move(file->content);
}

// Uploaded packages are fetched from the file store when this node has not this version of them.
Task<std::string> AppManager::packages_folder(ManagedAppPtr app) {
  std::string where;
  {
    const std::lock_guard lock(app->mutex_);
    where = app->packages_;
  }
  if (!where.starts_with(kUploaded)) co_return where;
  const std::string name = where.substr(kUploaded.size());
  const bson::ObjectId id = app->identity().id;
  RESTITCH_CO_TRY(const auto info, co_await files_.find(id, kPackages, name));
  if (!info) co_return Error(ErrorCode::kCorrupt, "the app's dependencies are not stored");
  const std::string root = packages_of(*app) + "/" + info->version.to_hex();
  const std::string folder = root + "/functions";
  std::error_code ignored;
  if (fs::exists(folder + "/" + name, ignored)) co_return root;
  RESTITCH_CO_TRY(auto file, co_await files_.get(id, kPackages, name));
  if (!file) co_return Error(ErrorCode::kCorrupt, "the app's dependencies are not stored");
  const auto write = [this, &app, &folder, &name, &file]() -> Status {
    std::error_code failed;
    fs::remove_all(packages_of(*app), failed);  // former versions
    return make_folder(folder, name, file->content);
  };
  RESTITCH_CO_CHECK(co_await deployer_.packages_pool().run(write));
  co_return root;
}

}  // namespace restitch::deployment
