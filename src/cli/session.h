#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/admin_api.h"
#include "cli/profile.h"
#include "cli/terminal.h"

namespace restitch::cli {

// Options that every command has.
struct GlobalOptions {
  std::string profile = "default";
  std::string output_format, output_target;
  bool json = false, yes = false, plain = false;
  std::string url;
  std::string api_key, private_api_key;
  std::string data_directory;
  std::string project;  // group id
};

// An error of what a command was given, found before it did anything.
Error setup_error(std::string message);
bool is_setup_error(const Error& error);

// One run of a command.
class Session {
 public:
  explicit Session(const GlobalOptions& options);

  Terminal& terminal() { return terminal_; }
  const GlobalOptions& options() const { return options_; }

  // The profile and the server; made at their first use.
  Result<Profile*> profile();
  Result<AdminApi*> api();
  // The base URL of the server as options, environment, profile and default have it.
  Result<std::string> server_url();

  // The app that `wanted` names (its client app id, the beginning of one, or its name); if that is
  // empty, the app of the configuration directory that `local` lies in.
  Result<RemoteApp> find_app(const std::string& wanted, const std::string& local = {});
  // The same; nothing if there is no such app yet.
  Result<std::optional<RemoteApp>> look_for_app(const std::string& wanted,
                                                const std::string& local);

  // A hint printed below an error.
  void suggest(std::string command) { suggestion_ = std::move(command); }
  const std::string& suggestion() const { return suggestion_; }

 private:
  Result<Connection> connection();
  Result<std::optional<RemoteApp>> app_of_metadata(const Members& meta);
  Result<std::optional<RemoteApp>> choose(const std::string& wanted,
                                          std::vector<RemoteApp> matches);

  GlobalOptions options_;
  Terminal terminal_;
  std::optional<Profile> profile_;
  std::unique_ptr<AdminApi> api_;
  std::string suggestion_;
};

// The app that a directory says it is.
struct LocalApp {
  std::string root;  // directory
  std::string client_app_id, name;
  Members meta;  // .mdb/app_meta.json or .mdb/meta.json
};
Result<LocalApp> read_local_app(const std::string& path);

}  // namespace restitch::cli
