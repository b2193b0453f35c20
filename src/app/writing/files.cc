#include "app/writing/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::app {
namespace {

namespace fs = std::filesystem;

void write_value(std::string& out, bson::ValueView value, std::size_t indent, std::size_t depth) {
  const bool is_object = value.type() == bson::Type::kObject;
  if (!is_object && value.type() != bson::Type::kArray) {
    bson::append_json(out, value, bson::JsonMode::kRelaxed);
    return;
  }
  const bson::View members = value.get_document();
  if (members.empty()) {
    out.append(is_object ? "{}" : "[]");
    return;
  }
  out.push_back(is_object ? '{' : '[');
  bool is_first = true;
  for (const bson::Element& element : members) {
    out.append(is_first ? "\n" : ",\n").append((depth + 1) * indent, ' ');
    is_first = false;
    if (is_object) {
      bson::append_json(out, bson::Value::of(element.name), bson::JsonMode::kRelaxed);
      out.append(": ");
    }
    write_value(out, element.value, indent, depth + 1);
  }
  out.append("\n").append(depth * indent, ' ');
  out.push_back(is_object ? '}' : ']');
}

Error failed(const fs::path& path) {
  return Error(ErrorCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
}

Status write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error(ErrorCode::kIo, std::strerror(errno));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Into a new file beside the target, which then takes its place.
Status write_file(const fs::path& path, const std::string& text) {
  const std::string fresh = path.string() + ".new-" + std::to_string(::getpid());
  const int file =
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0) return failed(path);
  Status written = write_all(file, text);
  if (::close(file) != 0 && written) written = failed(path);
  if (written && ::rename(fresh.c_str(), path.c_str()) != 0) written = failed(path);
  if (!written) ::unlink(fresh.c_str());
  return written;
}

// Makes the directories of `relative` below `root`; a link among them must not lead out.
Status make_directories(const fs::path& root, const fs::path& relative) {
  fs::path at = root;
  for (const fs::path& component : relative) {
    at /= component;
    std::error_code error;
    if (fs::is_symlink(at, error)) {
      return Error(ErrorCode::kInvalidArgument, at.string() + " is a link and is not followed");
    }
    if (!fs::is_directory(at, error)) fs::create_directory(at, error);
    if (error) {
      return Error(ErrorCode::kIo,
                   "cannot make the directory " + at.string() + ": " + error.message());
    }
  }
  return {};
}

}  // namespace

std::string json_text(bson::ValueView value, std::size_t indent) {
  std::string out;
  write_value(out, value, indent, 0);
  out.push_back('\n');
  return out;
}

Files to_files(const Tree& tree) {
  Files files;
  for (const auto& [path, content] : tree.json)
    files.contents[path] = json_text(tree.as_written(path));
  for (const auto& [path, text] : tree.sources) files.contents[path] = text;
  for (const char* directory : {"values", "graphql/custom_resolvers"}) {
    const std::string prefix = std::string(directory) + "/";
    const auto first = tree.json.lower_bound(prefix);
    if (first == tree.json.end() || !first->first.starts_with(prefix)) {
      files.directories.insert(directory);
    }
  }
  return files;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.front() == '/' || !is_valid_utf8(path)) return false;
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    for (const char c : component) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\') return false;
    }
    if (component.size() > 1 && component[1] == ':') return false;  // a drive
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

Status write_directory(const Files& files, const std::string& directory) {
  for (const auto& [path, text] : files.contents) {
    if (!is_safe_path(path)) {
      return Error(ErrorCode::kInvalidArgument, "'" + path + "' cannot be the path of a file");
    }
  }
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return Error(ErrorCode::kIo, "cannot make the directory " + directory + ": " + error.message());
  }
  const fs::path root = fs::canonical(directory, error);
  if (error) return Error(ErrorCode::kIo, "cannot open " + directory + ": " + error.message());
  for (const std::string& name : files.directories) {
    if (is_safe_path(name)) RESTITCH_CHECK(make_directories(root, name));
  }
  for (const auto& [path, text] : files.contents) {
    const fs::path relative(path);
    RESTITCH_CHECK(make_directories(root, relative.parent_path()));
    RESTITCH_CHECK(write_file(root / relative, text));
  }
  return {};
}

}  // namespace restitch::app
