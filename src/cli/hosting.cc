#include "cli/hosting.h"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/json_file.h"
#include "app/writing/files.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxAssetBytes = std::uintmax_t{25} << 20U;
constexpr std::size_t kMaxAssets = 20'000;

std::string md5(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

Result<std::string> read_file(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return Error(ErrorCode::kIo, path.string() + " cannot be read");
  if (size > kMaxAssetBytes) {
    return Error(ErrorCode::kInvalidArgument, path.string() + " is larger than 25 MB");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(ErrorCode::kIo, path.string() + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// "/a/b" of "a/b", "/a/b" or "a//b".
std::string normal_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '/' && out.ends_with('/')) continue;
    if (out.empty() && c != '/') out.push_back('/');
    out.push_back(c);
  }
  return out;
}

std::string sorted_attributes(bson::ValueView list) {
  std::vector<bson::Value> attributes = app::elements_of(list);
  std::stable_sort(attributes.begin(), attributes.end(), [](const auto& left, const auto& right) {
    return Members(left).text("name") < Members(right).text("name");
  });
  return bson::to_json(app::array_of(attributes).view(), bson::JsonMode::kRelaxed);
}

// The Content-Type that a path's extension implies; "" for an unknown one.
std::string_view implied_type(std::string_view path) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html"},        {".css", "text/css"},      {".js", "application/javascript"},
      {".json", "application/json"}, {".svg", "image/svg+xml"}, {".png", "image/png"},
      {".jpg", "image/jpeg"},        {".jpeg", "image/jpeg"},   {".gif", "image/gif"},
      {".txt", "text/plain"},        {".ico", "image/x-icon"},  {".xml", "text/xml"},
      {".pdf", "application/pdf"},   {".woff2", "font/woff2"},  {".woff", "font/woff"}};
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return {};
}

void add_lines(std::vector<std::string>& lines, const char* title, const char* sign,
               const std::vector<std::string>& paths) {
  if (paths.empty()) return;
  lines.emplace_back(title);
  for (const std::string& path : paths) lines.push_back(std::string("  ") + sign + " " + path);
}

}  // namespace

Status Hosting::read_files(const std::string& root) {
  const fs::path directory = fs::path(root) / "hosting" / "files";
  std::error_code error;
  if (!fs::is_directory(directory, error)) return {};
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_symlink() || !it->is_regular_file()) continue;
    if (local_.size() == kMaxAssets) {
      return Error(ErrorCode::kInvalidArgument, "hosting/files has more than 20000 files");
    }
    const std::string path = "/" + fs::relative(it->path(), directory).generic_string();
    RESTITCH_TRY(const std::string content, read_file(it->path()));
    local_[path] = {it->path().string(), md5(content), "[]"};
  }
  if (error) return Error(ErrorCode::kIo, directory.string() + " cannot be read");
  return {};
}

Status Hosting::read_metadata(const std::string& root, Terminal& terminal) {
  const fs::path path = fs::path(root) / "hosting" / "metadata.json";
  if (!fs::exists(path)) return {};
  RESTITCH_TRY(const std::string text, app::read_text(path));
  const bson::Value list = app::parse_plain_json(text).value_or(bson::Value());
  for (const bson::Value& value : app::elements_of(list)) {
    const Members entry(value);
    const auto asset = local_.find(normal_path(entry.text("path")));
    if (asset == local_.end()) {
      terminal.warn("warning: file '" + entry.text("path") +
                    "' has an entry in metadata file, but does not appear in files directory");
      continue;
    }
    asset->second.attributes = sorted_attributes(entry["attrs"]);
  }
  return {};
}

Status Hosting::prepare(AdminApi& api, const RemoteApp& app, const std::string& root,
                        Terminal& terminal) {
  RESTITCH_CHECK(read_files(root));
  RESTITCH_CHECK(read_metadata(root, terminal));
  RESTITCH_TRY(const bson::Value remote, api.get(app.path() + "/hosting/assets?recursive=true"));
  std::map<std::string, Members> known;
  for (const bson::Value& value : app::elements_of(remote)) {
    Members asset(value);
    const std::string path = normal_path(asset.text("path"));
    if (!path.ends_with('/')) known.emplace(path, std::move(asset));
  }
  for (const auto& [path, asset] : local_) {
    const auto there = known.find(path);
    if (there == known.end()) {
      added_.push_back(path);
    } else if (there->second.text("hash") != asset.hash) {
      changed_.push_back(path);
    } else if (asset.attributes != "[]" &&
               sorted_attributes(there->second["attrs"]) != asset.attributes) {
      with_new_attributes_.push_back(path);
    }
  }
  for (const auto& [path, asset] : known) {
    if (!local_.contains(path)) removed_.push_back(path);
  }
  add_lines(lines_, "New hosting files", "+", added_);
  add_lines(lines_, "Removed hosting files", "-", removed_);
  std::vector<std::string> modified = changed_;
  modified.insert(modified.end(), with_new_attributes_.begin(), with_new_attributes_.end());
  std::sort(modified.begin(), modified.end());
  add_lines(lines_, "Modified hosting files", "*", modified);
  return {};
}

Status Hosting::upload(AdminApi& api, const RemoteApp& app, const std::string& path) const {
  const Asset& asset = local_.at(path);
  RESTITCH_TRY(std::string content, read_file(asset.file));
  Members meta;
  meta.set("appId", bson::Value::of(app.id));
  meta.set("path", bson::Value::of(path));
  meta.set("hash", bson::Value::of(asset.hash));
  meta.set("size", bson::Value::of(static_cast<std::int64_t>(content.size())));
  meta.set("attrs", parse_plain(asset.attributes));
  HttpCall call;
  call.method = "PUT";
  call.parts.push_back({"meta", "", "", to_text(meta)});
  call.parts.push_back({"file", "", "", std::move(content)});
  RESTITCH_CHECK(api.exchange_raw(std::move(call), app.path() + "/hosting/assets/asset"));
  return {};
}

Status Hosting::push(AdminApi& api, const RemoteApp& app, Terminal& terminal) const {
  const std::size_t all =
      added_.size() + changed_.size() + removed_.size() + with_new_attributes_.size();
  std::size_t done = 0;
  const auto step = [&] { terminal.progress("Hosting", ++done, all); };
  for (const auto* paths : {&added_, &changed_}) {
    for (const std::string& path : *paths) {
      RESTITCH_CHECK(upload(api, app, path));
      step();
    }
  }
  for (const std::string& path : with_new_attributes_) {
    const std::string body = R"({"attributes":)" + local_.at(path).attributes + "}";
    RESTITCH_CHECK(
        api.call("PATCH", app.path() + "/hosting/assets/asset" + query({{"path", path}}), body));
    step();
  }
  for (const std::string& path : removed_) {
    RESTITCH_CHECK(
        api.call("DELETE", app.path() + "/hosting/assets/asset" + query({{"path", path}})));
    step();
  }
  return {};
}

Status fetch_hosting(AdminApi& api, const RemoteApp& app, const std::string& directory,
                     Terminal& terminal) {
  RESTITCH_TRY(const bson::Value list, api.get(app.path() + "/hosting/assets?recursive=true"));
  const std::vector<bson::Value> assets = app::elements_of(list);
  app::Files files;
  std::vector<bson::Value> metadata;
  std::size_t done = 0;
  for (const bson::Value& value : assets) {
    const Members asset(value);
    const std::string path = normal_path(asset.text("path"));
    if (path.empty() || path.ends_with('/')) continue;
    HttpCall call;
    call.url = asset.text("url");
    RESTITCH_TRY(HttpAnswer answer, exchange(call));
    if (answer.status != 200) {
      return Error(ErrorCode::kInvalidArgument, "cannot fetch " + path + ": the server answered " +
                                                    std::to_string(answer.status));
    }
    files.contents["hosting/files" + path] = std::move(answer.body);
    terminal.progress("Fetching hosting assets", ++done, assets.size());
    const std::vector<bson::Value> attributes = app::elements_of(asset["attrs"]);
    const bool is_implied = attributes.size() == 1 &&
                            Members(attributes[0]).text("name") == "Content-Type" &&
                            Members(attributes[0]).text("value") == implied_type(path);
    if (attributes.empty() || is_implied) continue;
    Members entry;
    entry.set("path", bson::Value::of(path));
    entry.set("attrs", app::array_of(attributes));
    metadata.push_back(entry.value());
  }
  files.contents["hosting/metadata.json"] = app::json_text(app::array_of(metadata));
  return app::write_directory(files, directory);
}

}  // namespace restitch::cli
