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

bool is_known_name(std::string_view name) {
  return name == "package.json" || name == "node_modules.zip" || name == "node_modules.tar" ||
         name == "node_modules.tgz" || name == "node_modules.tar.gz";
}

// Puts the file in the place of all others of the folder.
Status replace_folder(const std::string& folder, const std::string& name,
                      const std::string& content) {
  std::error_code failed;
  fs::remove_all(folder, failed);
  fs::create_directories(folder, failed);
  std::ofstream out(folder + "/" + name, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) return Error(ErrorCode::kIo, "cannot store the dependencies");
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
  const std::string root = packages_of(*app);
  const auto write = [&] { return replace_folder(root + "/functions", name, content); };
  RESTITCH_CO_CHECK(co_await deployer_.packages_pool().run(write));
  const bson::Value begun = described(name, actor, list, "created", "processing request");
  RESTITCH_CO_CHECK(co_await apps_.set_extra(app->identity().id, "dependencies", begun));
  RESTITCH_CO_CHECK(
      co_await apps_.set_extra(app->identity().id, "packages", bson::Value::of(root)));
  {
    const std::lock_guard lock(app->mutex_);
    app->packages_ = root;
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
  const std::string path = packages_of(*app) + "/functions/" + name;
  const auto read = [&]() -> Result<std::string> {
    std::ifstream in(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in) return Error(ErrorCode::kNotFound, "no dependencies were uploaded");
    return bytes;
  };
  co_return co_await deployer_.packages_pool().run(read);
}

}  // namespace restitch::deployment
