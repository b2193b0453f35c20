#include "deployment/repository/repository_link.h"

#include <algorithm>
#include <string_view>

namespace restitch::deployment {
namespace {

constexpr std::size_t kMaxTextBytes = 1000;
constexpr std::int64_t kLeastPollSeconds = 5;
constexpr std::int64_t kMostPollSeconds = 7 * 24 * 3600;
constexpr std::string_view kDefaultBranch = "main";

Error invalid(std::string_view member, std::string_view reason) {
  return Error(ErrorCode::kInvalidArgument,
               "'" + std::string(member) + "' " + std::string(reason));
}

bool is_printable(char c) { return c > ' ' && c < '\x7f'; }

bool are_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_printable);
}

Status check_url(std::string_view url, bool allows_files) {
  constexpr std::string_view kMember = "repository";
  const std::size_t scheme_end = url.find("://");
  const std::string_view scheme =
      scheme_end == std::string_view::npos ? "" : url.substr(0, scheme_end);
  const bool is_remote = scheme == "https" || scheme == "ssh";
  if (scheme == "file" && !allows_files) {
    return invalid(kMember, "is on the server's machine, which the operator has not allowed");
  }
  if (!is_remote && scheme != "file") {
    return invalid(kMember, "must be a URL that begins with https:// or ssh://");
  }
  const std::string_view rest = url.substr(scheme_end + 3);
  if (rest.empty() || rest.front() == '-' || !are_printable(url)) {
    return invalid(kMember, "is no URL of a repository");
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const std::string_view user = authority.substr(0, authority.rfind('@') + 1);
  if (user.find(':') != std::string_view::npos || (scheme == "https" && !user.empty())) {
    return invalid(kMember, "must hold no user and password; use 'access_token'");
  }
  return {};
}

// What git takes as a branch's name, without its rarer characters.
Status check_branch(std::string_view branch) {
  const auto is_allowed = [](char c) {
    return is_printable(c) && std::string_view("~^:?*[\\").find(c) == std::string_view::npos;
  };
  const bool is_name = !branch.empty() && std::all_of(branch.begin(), branch.end(), is_allowed);
  const bool is_odd = branch.starts_with('-') || branch.starts_with('/') ||
                      branch.ends_with('/') || branch.ends_with('.') ||
                      branch.ends_with(".lock") || branch.find("..") != std::string_view::npos ||
                      branch.find("//") != std::string_view::npos ||
                      branch.find("@{") != std::string_view::npos;
  if (is_name && !is_odd) return {};
  return invalid("branch", "is no name of a branch");
}

Status check_directory(std::string_view directory) {
  while (!directory.empty()) {
    const std::size_t slash = directory.find('/');
    const std::string_view part = directory.substr(0, slash);
    const bool has_control =
        std::any_of(part.begin(), part.end(), [](char c) { return c >= 0 && c < ' '; });
    if (part.empty() || part == "." || part == ".." || has_control) {
      return invalid("directory", "must be a path inside the repository, like apps/shop");
    }
    directory = slash == std::string_view::npos ? "" : directory.substr(slash + 1);
  }
  return {};
}

Result<std::string> text(bson::View settings, std::string_view member) {
  const bson::ValueView value = settings[member];
  if (value.is_nullish()) return std::string();
  const auto string = value.as_string();
  if (!string) return invalid(member, "must be a string");
  if (string->size() > kMaxTextBytes) return invalid(member, "is longer than 1000 bytes");
  return std::string(*string);
}

Result<std::int64_t> poll_seconds(bson::ValueView value, std::int64_t fallback) {
  if (value.is_nullish()) return fallback;
  const auto seconds = value.as_integer();
  const bool is_pause =
      seconds && *seconds >= kLeastPollSeconds && *seconds <= kMostPollSeconds;
  if (seconds && (*seconds == 0 || is_pause)) return *seconds;
  return invalid("poll_seconds", "must be 0 or between 5 and 604800");
}

}  // namespace

Result<RepositoryLink> read_repository_link(bson::View settings, bool allows_files) {
  RepositoryLink link;
  const bson::ValueView enabled = settings["enabled"];
  if (!enabled.is_nullish() && !enabled.as_bool()) return invalid("enabled", "must be a boolean");
  link.is_enabled = enabled.as_bool().value_or(false);
  RESTITCH_TRY(link.repository, text(settings, "repository"));
  RESTITCH_TRY(link.branch, text(settings, "branch"));
  RESTITCH_TRY(link.directory, text(settings, "directory"));
  RESTITCH_TRY(link.poll_seconds, poll_seconds(settings["poll_seconds"], link.poll_seconds));
  if (link.branch.empty()) link.branch = kDefaultBranch;
  while (link.directory.ends_with('/')) link.directory.pop_back();
  if (!link.repository.empty()) RESTITCH_CHECK(check_url(link.repository, allows_files));
  RESTITCH_CHECK(check_branch(link.branch));
  RESTITCH_CHECK(check_directory(link.directory));
  if (link.is_enabled && link.repository.empty()) {
    return invalid("repository", "is needed for automatic deployment");
  }
  return link;
}

}  // namespace restitch::deployment
