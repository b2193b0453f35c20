#include "cli/hosting.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "app/writing/files.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::cli {
namespace {

constexpr std::size_t kWorkers = 4;

std::string md5(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

void add_lines(std::vector<std::string>& lines, const char* title, const char* sign,
               const std::vector<std::string>& paths) {
  if (paths.empty()) return;
  lines.emplace_back(title);
  for (const std::string& path : paths) lines.push_back(std::string("  ") + sign + " " + path);
}

struct Job {
  std::string path;
  std::function<Status(AdminApi&)> run;
};
using Jobs = std::vector<Job>;

// Several at a time, each worker with a session of its own; `step` is called behind each, one at a
// time. The first failure ends it.
Status run_jobs(const Jobs& jobs, const Connection& connection, const std::function<void()>& step) {
  std::mutex mutex;
  std::size_t next = 0;
  std::optional<Error> failure;
  const auto work = [&] {
    AdminApi api(connection, nullptr);
    for (;;) {
      const Job* job = nullptr;
      {
        const std::lock_guard lock(mutex);
        if (failure || next == jobs.size()) return;
        job = &jobs[next++];
      }
      Status ended = job->run(api);
      const std::lock_guard lock(mutex);
      if (ended) {
        step();
      } else if (!failure) {
        failure = std::move(ended.error()).with_context(job->path);
      }
    }
  };
  std::vector<std::thread> workers(std::min(kWorkers, jobs.size()));
  for (std::thread& worker : workers) worker = std::thread(work);
  for (std::thread& worker : workers) worker.join();
  if (failure) return std::move(*failure);
  return {};
}

}  // namespace

Status Hosting::read_local(const std::string& root, Terminal& terminal) {
  RESTITCH_TRY(app::HostedDirectory directory, app::read_hosted_directory(root));
  for (auto& [path, file] : directory.files) {
    RESTITCH_TRY(const std::string content, app::read_hosted_file(file.file));
    local_[path] = {std::move(file.file), md5(content), std::move(file.attributes)};
  }
  for (const std::string& path : directory.absent_files) {
    terminal.warn("warning: file '" + path +
                  "' has an entry in metadata file, but does not appear in files directory");
  }
  return {};
}

Status Hosting::prepare(AdminApi& api, const RemoteApp& app, const std::string& root,
                        Terminal& terminal) {
  RESTITCH_CHECK(read_local(root, terminal));
  RESTITCH_TRY(const bson::Value remote, api.get(app.path() + "/hosting/assets?recursive=true"));
  std::map<std::string, Members> known;
  for (const bson::Value& value : app::elements_of(remote)) {
    Members asset(value);
    const std::string path = app::asset_path(asset.text("path"));
    if (!path.ends_with('/')) known.emplace(path, std::move(asset));
  }
  for (const auto& [path, asset] : local_) {
    const auto there = known.find(path);
    if (there == known.end()) {
      added_.push_back(path);
    } else if (there->second.text("hash") != asset.hash) {
      changed_.push_back(path);
    } else if (!app::are_same_attributes(path, asset.attributes,
                                         app::hosted_attributes(there->second["attrs"]))) {
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
  RESTITCH_TRY(std::string content, app::read_hosted_file(asset.file));
  Members meta;
  meta.set("appId", bson::Value::of(app.id));
  meta.set("path", bson::Value::of(path));
  meta.set("hash", bson::Value::of(asset.hash));
  meta.set("size", bson::Value::of(static_cast<std::int64_t>(content.size())));
  meta.set("attrs", app::to_value(asset.attributes));
  HttpCall call;
  call.method = "PUT";
  call.parts.push_back({"meta", "", "", to_text(meta)});
  call.parts.push_back({"file", "", "", std::move(content)});
  RESTITCH_CHECK(api.exchange_raw(std::move(call), app.path() + "/hosting/assets/asset"));
  return {};
}

Status Hosting::set_attributes(AdminApi& api, const RemoteApp& app, const std::string& path) const {
  Members body;
  body.set("attributes", app::to_value(local_.at(path).attributes));
  RESTITCH_CHECK(api.call("PATCH", app.path() + "/hosting/assets/asset" + query({{"path", path}}),
                          to_text(body)));
  return {};
}

// Pages come after what they refer to, and what they may have referred to goes last.
Status Hosting::push(AdminApi& api, const RemoteApp& app, Terminal& terminal) const {
  std::array<Jobs, 3> phases;
  for (const auto* paths : {&added_, &changed_}) {
    for (const std::string& path : *paths) {
      phases[path.ends_with(".html") ? 1 : 0].push_back(
          {path, [&](AdminApi& own) { return upload(own, app, path); }});
    }
  }
  for (const std::string& path : with_new_attributes_) {
    phases[1].push_back({path, [&](AdminApi& own) { return set_attributes(own, app, path); }});
  }
  for (const std::string& path : removed_) {
    phases[2].push_back({path, [&](AdminApi& own) -> Status {
      RESTITCH_CHECK(
          own.call("DELETE", app.path() + "/hosting/assets/asset" + query({{"path", path}})));
      return {};
    }});
  }
  const std::size_t all = phases[0].size() + phases[1].size() + phases[2].size();
  std::size_t done = 0;
  const auto step = [&] { terminal.progress("Hosting", ++done, all); };
  for (const Jobs& jobs : phases) RESTITCH_CHECK(run_jobs(jobs, api.connection(), step));
  return {};
}

Status fetch_hosting(AdminApi& api, const RemoteApp& app, const std::string& directory,
                     Terminal& terminal) {
  RESTITCH_TRY(const bson::Value list, api.get(app.path() + "/hosting/assets?recursive=true"));
  const std::vector<bson::Value> assets = app::elements_of(list);
  std::vector<bson::Value> metadata;
  std::size_t done = 0;
  for (const bson::Value& value : assets) {
    const Members asset(value);
    const std::string path = app::asset_path(asset.text("path"));
    if (path.empty() || path.ends_with('/')) continue;
    HttpCall call;
    call.url = asset.text("url");
    RESTITCH_TRY(HttpAnswer answer, exchange(call));
    if (answer.status != 200) {
      return Error(ErrorCode::kInvalidArgument, "cannot fetch " + path + ": the server answered " +
                                                    std::to_string(answer.status));
    }
    app::Files file;
    file.contents["hosting/files" + path] = std::move(answer.body);
    RESTITCH_CHECK(app::write_directory(file, directory));
    terminal.progress("Fetching hosting assets", ++done, assets.size());
    const app::HostedAttributes attributes = app::hosted_attributes(asset["attrs"]);
    if (app::are_same_attributes(path, attributes, {})) continue;
    Members entry;
    entry.set("path", bson::Value::of(path));
    entry.set("attrs", app::to_value(attributes));
    metadata.push_back(entry.value());
  }
  app::Files described;
  described.contents["hosting/metadata.json"] = app::json_text(app::array_of(metadata));
  return app::write_directory(described, directory);
}

}  // namespace restitch::cli
