#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "app/json_file.h"
#include "app/loader.h"
#include "app/names.h"
#include "app/paths.h"
#include "app/root.h"
#include "app/tree.h"
#include "base/encoding.h"

namespace restitch::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 50000;
constexpr std::size_t kMaxDirectoryDepth = 32;

// False if the text does not parse (reported).
bool add_json(Tree& tree, const std::string& name, const std::string& text, Findings& findings) {
  auto content = parse_json_file(text, name, findings);
  if (!content) return false;
  if (text.find('$') != std::string::npos) {
    if (auto plain = parse_plain_json(text)) tree.plain.emplace(name, std::move(*plain));
  }
  tree.json.emplace(name, std::move(*content));
  return true;
}

// Walks a directory and keeps the files that the layout knows, in the order of their names.
class TreeReader {
 public:
  TreeReader(fs::path root, Tree& tree, Findings& findings)
      : root_(std::move(root)), tree_(tree), findings_(findings) {}

  void read() { read_directory(root_, ""); }

 private:
  // `prefix` is the path relative to the root, with a '/' at the end unless it is empty.
  void read_directory(const fs::path& directory, const std::string& prefix) {
    if (!count_entry()) return;
    if (open_.size() == kMaxDirectoryDepth) {
      findings_.warning(prefix, "", "BadRequest", "is nested too deeply and is skipped");
      return;
    }
    open_.push_back(directory);
    for (const fs::path& path : entries_of(directory, prefix)) {
      const std::string name = prefix + path.filename().string();
      std::error_code failed;
      if (!fs::is_directory(path, failed)) {
        read_file(path, name);
      } else if (path.filename() != "node_modules" && may_hold_files(name, tree_.is_legacy())) {
        if (const auto real = real_path(path, name)) read_directory(*real, name + "/");
      }
    }
    open_.pop_back();
  }

  std::vector<fs::path> entries_of(const fs::path& directory, const std::string& prefix) {
    std::vector<fs::path> entries;
    std::error_code failed;
    for (fs::directory_iterator it(directory, failed), end; !failed && it != end;
         it.increment(failed)) {
      entries.push_back(it->path());
    }
    if (failed) findings_.error(prefix, "", "BadRequest", "cannot be read");
    std::sort(entries.begin(), entries.end());
    return entries;
  }

  void read_file(const fs::path& path, const std::string& name) {
    const FileKind kind = kind_of_file(name, tree_.is_legacy());
    if (kind == FileKind::kNone || !real_path(path, name) || !count_entry()) return;
    if (!is_valid_utf8(name)) {
      findings_.warning(parent_text(name), "", "BadRequest",
                        "holds a file whose name is not UTF-8; it is skipped");
      return;
    }
    auto text = read_text(path);
    if (!text) {
      findings_.error(name, "", "BadRequest", text.error().message());
      tree_.broken.insert(name);
    } else if (kind == FileKind::kSource) {
      add_source(name, std::move(*text));
    } else if (!add_json(tree_, name, *text, findings_)) {
      tree_.broken.insert(name);
    }
  }

  void add_source(const std::string& name, std::string text) {
    if (!is_valid_utf8(text)) {
      findings_.error(name, "", "FunctionInvalid", "is not UTF-8 text");
      tree_.broken.insert(name);
      return;
    }
    tree_.sources.emplace(name, std::move(text));
  }

  // False (reported once) when the directory has more entries than any app needs.
  bool count_entry() {
    if (++entries_ <= kMaxEntries) return true;
    if (entries_ == kMaxEntries + 1) {
      findings_.error("", "", "BadRequest",
                      "the directory has more than " + std::to_string(kMaxEntries) + " files");
    }
    return false;
  }

  // The path itself, or what a link means: something below the root that is not open already.
  std::optional<fs::path> real_path(const fs::path& path, const std::string& name) {
    std::error_code failed;
    if (!fs::is_symlink(path, failed)) return path;
    fs::path target = fs::canonical(path, failed);
    if (failed) return skip(name, "is a link to nothing and is skipped");
    const auto mismatch = std::mismatch(root_.begin(), root_.end(), target.begin(), target.end());
    if (mismatch.first != root_.end()) {
      return skip(name, "is a link out of the app directory and is skipped");
    }
    if (std::find(open_.begin(), open_.end(), target) != open_.end()) {
      return skip(name, "is a link to a directory that holds it and is skipped");
    }
    return target;
  }

  std::optional<fs::path> skip(const std::string& name, std::string message) {
    findings_.warning(name, "", "BadRequest", std::move(message));
    return std::nullopt;
  }

  static std::string parent_text(const std::string& name) {
    const std::string_view directory = parent(name);
    return is_valid_utf8(directory) ? std::string(directory) : std::string();
  }

  fs::path root_;
  Tree& tree_;
  Findings& findings_;
  std::vector<fs::path> open_;  // the directories being read, without links, outermost first
  std::size_t entries_ = 0;
};

// Letters, digits, '_' and '-' of a directory's name, at most as many as an app name may have.
std::string app_name_from(const fs::path& directory) {
  std::string name;
  for (const char c : directory.filename().string()) {
    if (name.size() == kMaxAppNameLength) break;
    name.push_back(has_name_characters(std::string_view(&c, 1)) ? c : '-');
  }
  return name;
}

void report_other_roots(const RootSearch& search, const RootFile& chosen, Findings& findings) {
  for (const RootFile& other : search.usable) {
    if (&other == &chosen) continue;
    findings.warning(other.name, "", "BadRequest", "is not used, " + chosen.name + " is");
  }
}

}  // namespace

Result<Tree> read_tree(const std::string& path, Findings& findings) {
  std::error_code failed;
  const fs::path root = fs::canonical(path, failed);
  if (failed || !fs::is_directory(root, failed)) {
    return Error(ErrorCode::kNotFound, "directory '" + path + "' does not exist");
  }
  const RootSearch search = search_root(root);
  const RootFile* chosen = search.chosen();
  Tree tree;
  if (chosen == nullptr) {
    if (search.unparsable.empty()) {
      return Error(ErrorCode::kNotFound,
                   "directory '" + path + "' is not a supported Realm app project");
    }
    for (const std::string& name : search.unparsable) {
      if (const auto text = read_text(root / name)) parse_json_file(*text, name, findings);
    }
    return tree;
  }
  report_other_roots(search, *chosen, findings);
  tree.config_version = chosen->config_version;
  tree.root_file = chosen->name;
  tree.fallback_name = app_name_from(root);
  if (const auto text = read_text(root / chosen->name)) {
    add_json(tree, chosen->name, *text, findings);
  }
  TreeReader(root, tree, findings).read();
  return tree;
}

Result<Config> load_directory(const std::string& path, Findings& findings) {
  RESTITCH_TRY(Tree tree, read_tree(path, findings));
  return assemble(std::move(tree), findings);
}

}  // namespace restitch::app
