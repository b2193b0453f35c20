#include "cli/dependencies.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "app/writing/archive.h"
#include "app/writing/files.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kLookAgain = std::chrono::milliseconds(500);
constexpr auto kInstallTime = std::chrono::minutes(20);
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{512} << 20U;

Result<std::string> read_file(const fs::path& path) {
  std::error_code error;
  if (fs::file_size(path, error) > kMaxFileBytes || error) {
    return Error(ErrorCode::kIo, path.string() + " cannot be read or is larger than 512 MiB");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(ErrorCode::kIo, path.string() + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// A directory as node_modules.zip.
Result<std::string> zip_directory(const fs::path& directory) {
  app::Files files;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(directory, options, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_symlink() || !it->is_regular_file()) continue;
    const std::string name = "node_modules/" + fs::relative(it->path(), directory).generic_string();
    RESTITCH_TRY(files.contents[name], read_file(it->path()));
  }
  if (error) return Error(ErrorCode::kIo, directory.string() + " cannot be read");
  return app::to_zip(files);
}

Result<HttpPart> find_archive(const fs::path& functions) {
  HttpPart part;
  part.name = "file";
  for (const char* ending : {".zip", ".tar", ".tgz", ".tar.gz"}) {
    const fs::path path = functions / (std::string("node_modules") + ending);
    if (!fs::is_regular_file(path)) continue;
    part.file_name = path.filename().string();
    RESTITCH_TRY(part.content, read_file(path));
    return part;
  }
  if (fs::is_directory(functions / "node_modules")) {
    part.file_name = "node_modules.zip";
    RESTITCH_TRY(part.content, zip_directory(functions / "node_modules"));
    return part;
  }
  std::error_code error;
  for (fs::directory_iterator it(functions, error), end; !error && it != end; it.increment(error)) {
    if (it->path().stem() != "node_modules") continue;
    return Error(ErrorCode::kInvalidArgument,
                 "failed to find supported archive file at " + functions.string() +
                     ": make sure file format is one of [.zip, .tar, .tgz, .tar.gz]");
  }
  return Error(ErrorCode::kInvalidArgument,
               "node_modules archive not found at '" + functions.string() + "'");
}

Result<HttpPart> find_package_json(const fs::path& functions) {
  HttpPart part;
  part.name = "file";
  part.file_name = "package.json";
  if (!fs::is_regular_file(functions / "package.json")) {
    return Error(ErrorCode::kInvalidArgument,
                 "package.json not found at '" + functions.string() + "'");
  }
  RESTITCH_TRY(part.content, read_file(functions / "package.json"));
  return part;
}

void add_lines(std::vector<std::string>& lines, const char* title, const char* sign,
               bson::ValueView packages) {
  const std::vector<bson::Value> list = app::elements_of(packages);
  if (list.empty()) return;
  lines.emplace_back(title);
  for (const bson::Value& value : list) {
    const Members package(value);
    const std::string former = package.text("previous_version");
    std::string line = std::string("  ") + sign + " " + package.text("name") + "@";
    if (!former.empty()) line.append(former + " -> " + package.text("name") + "@");
    lines.push_back(line + package.text("version"));
  }
}

}  // namespace

Status Dependencies::prepare(AdminApi& api, const RemoteApp& app, const std::string& root,
                             const DependencyChoice& choice) {
  if (!choice.node_modules && !choice.package_json) return {};
  const fs::path functions = fs::path(root) / "functions";
  RESTITCH_TRY(part_, choice.node_modules ? find_archive(functions) : find_package_json(functions));
  HttpCall call;
  call.method = "POST";
  call.parts = {part_};
  RESTITCH_TRY(const HttpAnswer answer,
               api.exchange_raw(std::move(call), app.path() + "/dependencies/diff"));
  const Members diff(parse_plain(answer.body));
  add_lines(lines_, "Added Dependencies", "+", diff["added"]);
  add_lines(lines_, "Removed Dependencies", "-", diff["deleted"]);
  add_lines(lines_, "Modified Dependencies", "*", diff["modified"]);
  return {};
}

Status Dependencies::push(AdminApi& api, const RemoteApp& app, Terminal& terminal) const {
  HttpCall call;
  call.method = "PUT";
  call.parts = {part_};
  call.time_limit_seconds = 1800;
  call.progress = [&](std::uint64_t sent, std::uint64_t of) {
    terminal.progress("Uploading dependencies", sent, of);
  };
  RESTITCH_CHECK(api.exchange_raw(std::move(call), app.path() + "/dependencies"));
  const auto started = std::chrono::steady_clock::now();
  while (true) {
    terminal.progress("Installing dependencies");
    RESTITCH_TRY(const bson::Value answer, api.get(app.path() + "/dependencies/status"));
    const Members status(answer);
    if (status.text("status") == "failed") {
      return Error(ErrorCode::kInvalidArgument,
                   "failed to install dependencies: " + status.text("status_message"));
    }
    if (status.text("status") != "created") return {};
    if (std::chrono::steady_clock::now() - started > kInstallTime) {
      return Error(ErrorCode::kInvalidArgument, "the dependencies were not installed in time");
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

Result<std::string> fetch_dependencies(AdminApi& api, const RemoteApp& app,
                                       const std::string& directory, bool as_archive) {
  RESTITCH_TRY(const HttpAnswer answer,
               api.exchange_raw({}, app.path() + (as_archive ? "/dependencies/archive"
                                                             : "/dependencies/export")));
  if (answer.body.empty()) return std::string();
  const std::string name = fs::path(answer.file_name).filename().string();
  const bool is_known = name == "package.json" || name.starts_with("node_modules.");
  if (!is_known) {
    return Error(ErrorCode::kInvalidArgument, "the server named the dependencies '" + name + "'");
  }
  app::Files files;
  files.contents["functions/" + name] = answer.body;
  RESTITCH_CHECK(app::write_directory(files, directory));
  return name;
}

}  // namespace restitch::cli
