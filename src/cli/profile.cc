#include "cli/profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "app/names.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

std::string path_of(const std::string& name) { return profile_directory() + "/" + name + ".yaml"; }

Error cannot_write(const std::string& path) {
  return Error(ErrorCode::kIo, "cannot write " + path + ": " + std::strerror(errno));
}

}  // namespace

std::string profile_directory() {
  const char* own = std::getenv("RESTITCH_CONFIG_HOME");
  if (own != nullptr && *own != '\0') return own;
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config != '\0') return std::string(config) + "/restitch";
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "." : home) + "/.config/restitch";
}

Result<Profile> Profile::load(const std::string& name) {
  if (!app::has_name_characters(name)) {
    return Error(ErrorCode::kInvalidArgument, "'" + name + "' cannot be the name of a profile");
  }
  Profile profile;
  profile.name_ = name;
  const std::string path = path_of(name);
  std::error_code error;
  if (!fs::exists(path, error)) return profile;
  try {
    const YAML::Node root = YAML::LoadFile(path);
    const YAML::Node values = root[name];
    if (!values.IsDefined() || values.IsNull()) return profile;
    for (const auto& entry : values) {
      profile.values_[entry.first.as<std::string>()] = entry.second.as<std::string>();
    }
  } catch (const YAML::Exception& failure) {
    return Error(ErrorCode::kInvalidArgument, path + " is no valid profile: " + failure.what());
  }
  return profile;
}

std::vector<std::string> Profile::names() {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(profile_directory(), error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".yaml") names.push_back(it->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Profile::get(const std::string& key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? std::string() : it->second;
}

void Profile::set(const std::string& key, const std::string& value) {
  if (value.empty()) {
    values_.erase(key);
  } else {
    values_[key] = value;
  }
}

Status Profile::save() const {
  const std::string directory = profile_directory();
  std::error_code error;
  const bool is_new = !fs::exists(directory, error);
  fs::create_directories(directory, error);
  if (error) {
    return Error(ErrorCode::kIo, "cannot make " + directory + ": " + error.message());
  }
  if (is_new) fs::permissions(directory, fs::perms::owner_all, error);
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << name_ << YAML::Value << YAML::BeginMap;
  for (const auto& [key, value] : values_) {
    out << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
  }
  out << YAML::EndMap << YAML::EndMap;
  const std::string text = std::string(out.c_str()) + "\n";
  const std::string path = path_of(name_);
  const std::string fresh = path + ".new-" + std::to_string(::getpid());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return cannot_write(path);
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) return cannot_write(path);
  return {};
}

}  // namespace restitch::cli
