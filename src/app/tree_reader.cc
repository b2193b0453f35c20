#include <algorithm>
#include <filesystem>
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

constexpr std::size_t kMaxFiles = 50000;
constexpr int kMaxDirectoryDepth = 32;

// Walks a directory and keeps the files that the layout knows, in the order of their names.
class TreeReader {
 public:
  TreeReader(fs::path root, Tree& tree, Findings& findings)
      : root_(std::move(root)), tree_(tree), findings_(findings) {}

  void read() { read_directory(root_, "", 0); }

 private:
  void read_directory(const fs::path& directory, const std::string& prefix, int depth) {
    if (depth > kMaxDirectoryDepth) {
      findings_.warning(prefix, "", "BadRequest", "is nested too deeply and is skipped");
      return;
    }
    for (const fs::path& path : entries_of(directory, prefix)) {
      const std::string name = prefix + path.filename().string();
      std::error_code failed;
      const fs::file_status status = fs::status(path, failed);
      if (fs::is_directory(status)) {
        if (path.filename() == "node_modules" || !may_hold_files(name, tree_.is_legacy())) continue;
        if (is_inside(path, name)) read_directory(path, name + "/", depth + 1);
      } else {
        read_file(path, name);
      }
    }
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
    if (kind == FileKind::kNone || !is_inside(path, name)) return;
    if (++files_ > kMaxFiles) {
      if (files_ == kMaxFiles + 1) {
        findings_.error("", "", "BadRequest",
                        "the directory has more than " + std::to_string(kMaxFiles) + " files");
      }
      return;
    }
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
    } else if (auto content = parse_json_file(*text, name, findings_)) {
      tree_.json.emplace(name, std::move(*content));
    } else {
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

  // Whether a link stays below the root; anything else does by its place.
  bool is_inside(const fs::path& path, const std::string& name) {
    std::error_code failed;
    if (!fs::is_symlink(path, failed)) return true;
    const fs::path target = fs::canonical(path, failed);
    const auto [root_end, target_end] =
        std::mismatch(root_.begin(), root_.end(), target.begin(), target.end());
    if (!failed && root_end == root_.end()) return true;
    findings_.warning(name, "", "BadRequest",
                      failed ? "is a link to nothing and is skipped"
                             : "is a link out of the app directory and is skipped");
    return false;
  }

  static std::string parent_text(const std::string& name) {
    const std::string_view directory = parent(name);
    return is_valid_utf8(directory) ? std::string(directory) : std::string();
  }

  fs::path root_;
  Tree& tree_;
  Findings& findings_;
  std::size_t files_ = 0;
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

bson::ValueView Tree::find(const std::string& path) const {
  const auto it = json.find(path);
  return it == json.end() ? bson::ValueView() : it->second.view();
}

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
    if (auto content = parse_json_file(*text, chosen->name, findings)) {
      tree.json.emplace(chosen->name, std::move(*content));
    }
  }
  TreeReader(root, tree, findings).read();
  return tree;
}

Result<Config> load_directory(const std::string& path, Findings& findings) {
  RESTITCH_TRY(Tree tree, read_tree(path, findings));
  return assemble(std::move(tree), findings);
}

}  // namespace restitch::app
