#include "deployment/repository/git.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/writing/archive.h"
#include "app/writing/files.h"
#include "base/encoding.h"
#include "deployment/repository/scratch_folder.h"
#include "functions/program.h"

namespace restitch::deployment {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 512ULL << 20U;
constexpr std::size_t kMaxOutputBytes = 600U << 20U;
constexpr std::size_t kMaxSaidBytes = 500;
constexpr std::string_view kArchive = "tree.tar";
constexpr app::ArchiveLimits kLimits{20'000, 64ULL << 20U, 256ULL << 20U, 1'024, true};

// What git needs of the server's environment: where hosts are, how to reach them, and what the
// operator has set up for signing in.
constexpr std::array<std::string_view, 17> kInherited = {
    "PATH",        "HOME",        "XDG_CONFIG_HOME", "TZ",       "LANG",       "SSH_AUTH_SOCK",
    "GIT_SSH",     "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "SSL_CERT_DIR", "SSL_CERT_FILE",
    "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY",        "http_proxy", "https_proxy", "no_proxy"};

std::vector<std::string> environment(const RepositoryLink& link, bool allows_files,
                                     const std::string& token) {
  std::vector<std::string> variables = functions::inherited(kInherited);
  const auto is_set = [&](std::string_view name) {
    return std::any_of(variables.begin(), variables.end(),
                       [&](const std::string& one) { return one.starts_with(name); });
  };
  if (!is_set("GIT_SSH=") && !is_set("GIT_SSH_COMMAND=")) {
    variables.emplace_back("GIT_SSH_COMMAND=ssh -o BatchMode=yes");
  }
  variables.emplace_back("GIT_TERMINAL_PROMPT=0");
  variables.emplace_back("LC_ALL=C.UTF-8");
  variables.emplace_back(allows_files ? "GIT_ALLOW_PROTOCOL=https:ssh:file"
                                      : "GIT_ALLOW_PROTOCOL=https:ssh");
  if (token.empty() || !link.repository.starts_with("https://")) return variables;
  // Not as an argument, which every user of the machine can read.
  const std::string credentials = to_base64("x-access-token:" + token);
  variables.emplace_back("GIT_CONFIG_COUNT=2");
  variables.emplace_back("GIT_CONFIG_KEY_0=http." + link.repository + ".extraHeader");
  variables.emplace_back("GIT_CONFIG_VALUE_0=Authorization: Basic " + credentials);
  variables.emplace_back("GIT_CONFIG_KEY_1=http.followRedirects");
  variables.emplace_back("GIT_CONFIG_VALUE_1=false");
  return variables;
}

Result<std::string> read_whole(const std::string& file) {
  std::error_code failed;
  const auto size = fs::file_size(file, failed);
  if (failed || size > kMaxOutputBytes) {
    return Error(ErrorCode::kIo, "what git wrote cannot be read");
  }
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The last lines of what it complained of, as one.
std::string complaint(const std::string& file) {
  std::ifstream in(file);
  std::string said;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || !is_valid_utf8(line)) continue;
    if (!said.empty()) said += "; ";
    said += line;
    if (said.size() > kMaxSaidBytes) break;
  }
  return said.empty() ? "no reason is told" : said;
}

bool is_commit(std::string_view text) {
  const bool has_length = text.size() == 40 || text.size() == 64;
  return has_length && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Error unavailable(const std::string& text) {
  return Error(ErrorCode::kSourceUnavailable, text);
}

}  // namespace

Git::Git(const GitSettings& settings, const RepositoryLink& link, std::string token)
    : settings_(settings), link_(link), token_(std::move(token)) {}

Result<std::string> Git::run(const std::string& folder, std::vector<std::string> arguments) const {
  functions::Program git;
  git.program = settings_.program;
  git.arguments = {"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",
                   "-c", "gc.auto=0",                "-c", "fetch.unpackLimit=1"};
  git.arguments.insert(git.arguments.end(), arguments.begin(), arguments.end());
  git.environment = environment(link_, settings_.allows_files, token_);
  git.folder = folder;
  git.output = folder + "/output";
  git.errors = folder + "/errors";
  git.time = settings_.time;
  git.max_file_bytes = kMaxFileBytes;
  git.stopping = settings_.stopping;
  const auto ended = functions::run_program(git);
  if (!ended) {
    return unavailable("'" + settings_.program + "' cannot be started: " + ended.error().message());
  }
  if (!ended->in_time) {
    return unavailable("git took longer than " + std::to_string(settings_.time.count()) + " s");
  }
  if (ended->exit_code != 0) return unavailable("git: " + complaint(git.errors));
  return read_whole(git.output);
}

Result<std::string> Git::head() const {
  RESTITCH_TRY(const auto scratch, ScratchFolder::make(settings_.scratch));
  const std::string& folder = scratch->path();
  const std::string reference = "refs/heads/" + link_.branch;
  RESTITCH_TRY(const std::string said,
               run(folder, {"ls-remote", "--", link_.repository, reference}));
  const std::string commit = said.substr(0, said.find('\t'));
  if (is_commit(commit)) return commit;
  return unavailable("the repository has no branch '" + link_.branch + "'");
}

Result<Checkout> Git::fetch(const std::string& target) const {
  RESTITCH_TRY(const auto scratch, ScratchFolder::make(settings_.scratch));
  const std::string& folder = scratch->path();
  RESTITCH_CHECK(run(folder, {"init", "--quiet", "--bare", "repository"}));
  const std::string where = "--git-dir=repository";
  RESTITCH_CHECK(run(folder, {where, "fetch", "--quiet", "--depth=1", "--no-tags",
                              "--no-recurse-submodules", "--", link_.repository,
                              "refs/heads/" + link_.branch}));
  RESTITCH_TRY(std::string commit, run(folder, {where, "rev-parse", "FETCH_HEAD"}));
  commit = commit.substr(0, commit.find('\n'));
  if (!is_commit(commit)) return unavailable("git names no commit");
  Status unpacked = unpack(folder, where, commit, target);
  const bool is_commits_fault =
      unpacked || unpacked.error().code() == ErrorCode::kInvalidArgument;
  if (!is_commits_fault) return std::move(unpacked).error();
  return Checkout{std::move(commit), std::move(unpacked)};
}

Status Git::unpack(const std::string& folder, const std::string& where, const std::string& commit,
                   const std::string& target) const {
  const std::string tree = commit + ":" + link_.directory;
  const auto type = run(folder, {where, "cat-file", "-t", tree});
  if (!type || *type != "tree\n") {
    return Error(ErrorCode::kInvalidArgument,
                 "the repository has no directory '" + link_.directory + "'");
  }
  const std::string archive(kArchive);
  RESTITCH_CHECK(run(folder, {where, "archive", "--format=tar", "--output=" + archive, tree}));
  RESTITCH_TRY(const std::string bytes, read_whole(folder + "/" + archive));
  const auto files = app::read_archive(bytes, kLimits);
  if (!files) {
    return Error(ErrorCode::kInvalidArgument,
                 "what the repository holds " + files.error().message());
  }
  return app::write_directory(*files, target);
}

}  // namespace restitch::deployment
