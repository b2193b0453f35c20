#include "cli/local_app.h"

#include <array>
#include <filesystem>

#include "app/loader.h"
#include "app/root.h"
#include "app/writing/archive.h"
#include "app/writing/files.h"
#include "app/writing/import_document.h"
#include "app/writing/layouts.h"
#include "bson/extended_json.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

Result<app::Files> fetch_export(AdminApi& api, const RemoteApp& app, int config_version,
                                bool as_template) {
  HttpCall call;
  const std::string version = config_version == 0 ? "" : std::to_string(config_version);
  RESTITCH_TRY(
      const HttpAnswer answer,
      api.exchange_raw(std::move(call),
                       app.path() + "/export" +
                           query({{"version", version},
                                  {as_template ? "template" : "source_control", "true"}})));
  auto files = app::read_archive(answer.body);
  if (!files) return std::move(files.error()).with_context("the exported app");
  return files;
}

// Files of the app that the export no longer has. What is never exported stays.
Status remove_stale(const std::string& directory, const app::Files& exported) {
  app::Findings unused;
  const auto present = app::read_tree(directory, unused);
  if (!present) return {};  // no app was there
  std::vector<std::string> paths;
  for (const auto& [path, content] : present->json) paths.push_back(path);
  for (const auto& [path, text] : present->sources) paths.push_back(path);
  for (const std::string& path : paths) {
    const bool is_kept = path == "secrets.json" || path.starts_with(".mdb/") ||
                         path.starts_with("hosting/") || path == present->root_file;
    std::error_code error;
    if (!is_kept && !exported.contents.contains(path))
      fs::remove(fs::path(directory) / path, error);
    if (error) return Error(ErrorCode::kIo, "cannot remove " + path + ": " + error.message());
  }
  return {};
}

// A directory that is removed when it is no longer needed.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (fs::temp_directory_path() / "restitch-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

Result<LocalConfiguration> read_configuration(const std::string& path) {
  LocalConfiguration out;
  RESTITCH_TRY(out.root, app::find_app_root(path.empty() ? "." : path));
  RESTITCH_TRY(out.tree, app::read_tree(out.root, out.findings));
  out.config = app::assemble(out.tree, out.findings);
  return out;
}

Status export_to(AdminApi& api, const RemoteApp& app, const std::string& directory,
                 int config_version, bool as_template) {
  RESTITCH_TRY(const app::Files files, fetch_export(api, app, config_version, as_template));
  RESTITCH_CHECK(app::write_directory(files, directory));
  return remove_stale(directory, files);
}

Status import_copy(AdminApi& api, const RemoteApp& from, const RemoteApp& to) {
  RESTITCH_TRY(const app::Files files, fetch_export(api, from, app::kVersion2021, false));
  const ScratchDirectory scratch;
  RESTITCH_CHECK(app::write_directory(files, scratch.path()));
  app::Findings findings;
  RESTITCH_TRY(const app::Tree tree, app::read_tree(scratch.path(), findings));
  const std::string body =
      bson::to_json(app::to_import_document(tree).view(), bson::JsonMode::kRelaxed);
  RESTITCH_CHECK(api.call("POST", to.path() + "/import?strategy=replace-by-name", body));
  return {};
}

Status remember_app(const std::string& root, const RemoteApp& app) {
  app::Findings findings;
  RESTITCH_TRY(const app::Tree tree, app::read_tree(root, findings));
  app::Files files;
  Members file(tree.as_written(tree.root_file));
  if (tree.config_version == app::kVersion2023) {
    Members meta(tree.as_written(".mdb/meta.json"));
    meta.set("config_version", bson::Value::of(std::int32_t{app::kVersion2023}));
    meta.set("app_id", bson::Value::of(app.id));
    meta.set("group_id", bson::Value::of(app.group_id));
    meta.set("client_app_id", bson::Value::of(app.client_app_id));
    files.contents[".mdb/meta.json"] = app::json_text(meta.value());
  } else if (file.text("app_id") != app.client_app_id) {
    file.set("app_id", bson::Value::of(app.client_app_id));
    constexpr std::array<std::string_view, 2> kFirst = {"config_version", "app_id"};
    file.order(kFirst);
    files.contents[tree.root_file] = app::json_text(file.value());
  }
  return app::write_directory(files, root);
}

}  // namespace restitch::cli
