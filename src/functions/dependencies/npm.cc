#include "functions/dependencies/npm.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "base/encoding.h"
#include "functions/program.h"

namespace restitch::functions {
namespace {

constexpr std::size_t kMaxSaidBytes = 1500;
constexpr std::size_t kMaxSaidLines = 6;
constexpr std::string_view kLogFile = "npm.log";
constexpr std::array<std::string_view, 2> kSettings = {"npm_config_", "NPM_CONFIG_"};

// What npm needs of the server's environment: where registries are, and how to reach them.
constexpr std::array<std::string_view, 14> kInherited = {"PATH",
                                                         "HOME",
                                                         "TZ",
                                                         "LANG",
                                                         "LC_ALL",
                                                         "SSL_CERT_DIR",
                                                         "SSL_CERT_FILE",
                                                         "NODE_EXTRA_CA_CERTS",
                                                         "HTTP_PROXY",
                                                         "HTTPS_PROXY",
                                                         "NO_PROXY",
                                                         "http_proxy",
                                                         "https_proxy",
                                                         "no_proxy"};

Error not_started(const std::string& program, const Error& error) {
  return Error(ErrorCode::kInvalidArgument, "'" + program + "' cannot be started: " +
                                                error.message() +
                                                "; install npm, or upload node_modules");
}

// The complaints of npm, without its prefixes.
std::string said_by_npm(const std::string& folder) {
  std::ifstream file(folder + "/" + std::string(kLogFile));
  std::string said;
  std::string line;
  for (std::size_t lines = 0; lines < kMaxSaidLines && std::getline(file, line);) {
    for (const std::string_view prefix : {"npm error ", "npm ERR! "}) {
      if (line.starts_with(prefix)) line.erase(0, prefix.size());
    }
    const bool is_noise = line.empty() || line.starts_with("npm ") || line.starts_with("code ") ||
                          line.find("complete log of this run") != std::string::npos;
    if (is_noise || !is_valid_utf8(line)) continue;
    if (!said.empty()) said += "; ";
    said += line;
    ++lines;
  }
  if (said.size() > kMaxSaidBytes) said.resize(kMaxSaidBytes);
  return is_valid_utf8(said) ? said : "no readable reason";
}

}  // namespace

Status npm_install(const std::string& folder, const NpmSettings& settings) {
  std::error_code ignored;
  const bool is_locked = std::filesystem::exists(folder + "/package-lock.json", ignored);
  Program npm;
  npm.program = settings.program;
  npm.arguments = {is_locked ? "ci" : "install", "--ignore-scripts",   "--omit=dev",
                   "--no-audit",                 "--no-fund",          "--no-progress",
                   "--no-update-notifier",       "--loglevel=error",   "--workspaces=false"};
  if (!is_locked) npm.arguments.emplace_back("--no-package-lock");
  if (!settings.cache.empty()) npm.arguments.emplace_back("--cache=" + settings.cache);
  npm.environment = inherited(kInherited, kSettings);
  npm.folder = folder;
  npm.errors = folder + "/" + std::string(kLogFile);
  npm.time = settings.time;
  const auto ended = run_program(npm);
  if (!ended) return not_started(settings.program, ended.error());
  if (!ended->in_time) {
    return Error(ErrorCode::kInvalidArgument,
                 "npm took longer than " + std::to_string(settings.time.count()) + " s");
  }
  if (ended->exit_code == 0) return {};
  return Error(ErrorCode::kInvalidArgument, "npm cannot install it: " + said_by_npm(folder));
}

}  // namespace restitch::functions
