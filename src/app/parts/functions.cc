#include <algorithm>
#include <optional>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::string_view kDirectory = "functions/";
constexpr std::string_view kManifest = "functions/config.json";

// Function names are used in URLs and as paths below functions/.
void check_function_name(const Node& node, std::string_view name) {
  std::string_view rest = name;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    const bool has_control = std::any_of(component.begin(), component.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\';
    });
    if (component.empty() || component == "." || component == ".." || has_control) {
      node.error("'" + std::string(name) + "' cannot be the name of a function", "FunctionInvalid");
      return;
    }
    if (!has_name_characters(component)) {
      node.warning("'" + std::string(name) +
                       "' has characters other than ASCII letters, digits, '_', '-' and '/'",
                   "FunctionInvalid");
      return;
    }
    if (slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

void read_settings(const Node& entry, FunctionConfig& function) {
  function.manifest_file = std::string(entry.file());
  function.manifest_pointer = entry.pointer();
  function.is_private = entry["private"].flag();
  function.can_evaluate = entry["can_evaluate"].expression();
  function.disable_arg_logs = entry["disable_arg_logs"].flag();
  function.run_as_system = entry["run_as_system"].flag();
  function.run_as_user_id = entry["run_as_user_id"].text();
  function.run_as_user_id_script_source = entry["run_as_user_id_script_source"].text();
  if (!function.run_as_user_id.empty() && !function.run_as_user_id_script_source.empty()) {
    entry["run_as_user_id_script_source"].error("cannot be given together with run_as_user_id",
                                                "FunctionInvalid");
  }
}

// Sources and manifest entries of functions/ brought together.
class FunctionReader {
 public:
  explicit FunctionReader(Assembly& assembly) : assembly_(assembly) {
    for (const auto& [path, text] : assembly.tree.sources) {
      if (path.starts_with(kDirectory)) add_source(path, text);
    }
  }

  void read_manifest() {
    std::vector<Node> entries;
    assembly_.file(std::string(kManifest)).each_element([&](const Node& entry) {
      if (entry.exists() && entry.is_object()) entries.push_back(entry);
    });
    // Full paths first, so that a base name can mean only what nobody names in full.
    std::vector<FunctionConfig> functions(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      functions[i].name = entries[i]["name"].required_text();
      functions[i].path = functions[i].name;
      claim(functions[i].name, functions[i]);
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (functions[i].name.empty()) continue;
      if (functions[i].file.empty()) match_base_name(entries[i], functions[i]);
      finish(entries[i], std::move(functions[i]));
    }
  }

  void read_legacy(const Node& entry, const std::string& directory) {
    FunctionConfig function;
    function.name = entry["name"].text(directory);
    function.path = directory;
    claim(directory + "/source", function);
    const std::string id = entry["id"].exists() ? entry["id"].text() : entry["_id"].text();
    if (!id.empty()) assembly_.function_names_by_id[id] = function.name;
    finish(entry, std::move(function));
  }

  // Sources that no manifest names get an entry of their own.
  void add_unnamed() {
    for (auto& [path, source] : sources_) {
      if (source.is_claimed || is_unreadable_legacy(path)) continue;
      FunctionConfig function;
      function.path = assembly_.tree.is_legacy() ? std::string(parent(path)) : path;
      function.name = function.path;
      claim(path, function);
      const Node at = source_node(function);
      check_function_name(at, function.name);
      keep(at, std::move(function));
    }
  }

 private:
  struct Source {
    const std::string* file;
    const std::string* text;
    bool is_claimed = false;
  };

  void add_source(const std::string& file, const std::string& text) {
    const std::string path = file.substr(kDirectory.size(), file.size() - kDirectory.size() - 3);
    const auto [known, is_new] = sources_.emplace(path, Source{&file, &text});
    if (is_new) return;
    assembly_.findings.error(
        file, "", "FunctionDuplicateName",
        "the function '" + path + "' has the source " + *known->second.file + " already");
  }

  void claim(const std::string& path, FunctionConfig& function) {
    const auto it = sources_.find(path);
    if (it == sources_.end()) return;
    it->second.is_claimed = true;
    function.file = *it->second.file;
    function.source = *it->second.text;
  }

  void match_base_name(const Node& entry, FunctionConfig& function) {
    std::vector<std::string> matches;
    for (const auto& [path, source] : sources_) {
      if (!source.is_claimed && file_name(path) == function.name) matches.push_back(path);
    }
    if (matches.size() == 1) {
      function.path = matches.front();
      claim(function.path, function);
    } else if (matches.size() > 1) {
      entry["name"].error("'" + function.name + "' may mean " + matches[0] + " or " + matches[1] +
                              "; name the path",
                          "FunctionInvalid");
      for (const std::string& path : matches) sources_.at(path).is_claimed = true;
    }
  }

  void finish(const Node& entry, FunctionConfig function) {
    check_function_name(entry["name"], function.name);
    read_settings(entry, function);
    if (function.file.empty()) {
      if (!is_broken(function)) {
        entry.warning("function source not found for " + function.name + "; it is left out",
                      "FunctionInvalid");
      }
      assembly_.functions_without_source.insert(function.name);
      return;
    }
    keep(entry["name"], std::move(function));
  }

  void keep(const Node& node, FunctionConfig function) {
    const std::size_t before = assembly_.findings.list().size();
    assembly_.claim_name(node, "Functions", function.name, "FunctionDuplicateName");
    if (assembly_.findings.list().size() == before) {
      assembly_.config.functions.push_back(std::move(function));
    }
  }

  bool is_broken(const FunctionConfig& function) const {
    const std::string path = std::string(kDirectory) + function.path;
    const auto& broken = assembly_.tree.broken;
    if (assembly_.tree.is_legacy()) return broken.contains(path + "/source.js");
    return broken.contains(path + ".js") || broken.contains(path + ".ts");
  }

  bool is_unreadable_legacy(const std::string& path) const {
    return assembly_.tree.is_legacy() &&
           assembly_.tree.broken.contains(std::string(kDirectory) + std::string(parent(path)) +
                                          "/config.json");
  }

  Node source_node(const FunctionConfig& function) const {
    return {*assembly_.absent_files.insert(function.file).first, {}, assembly_.findings};
  }

  Assembly& assembly_;
  std::map<std::string, Source> sources_;  // by path below functions/, without the extension
};

}  // namespace

void read_functions(Assembly& assembly) {
  FunctionReader reader(assembly);
  if (assembly.tree.is_legacy()) {
    for (const auto& [path, content] : assembly.tree.json) {
      if (!path.starts_with(kDirectory)) continue;
      const Node entry(path, content, assembly.findings);
      if (entry.is_object()) reader.read_legacy(entry, std::string(file_name(parent(path))));
    }
  } else {
    reader.read_manifest();
    if (assembly.tree.broken.contains(std::string(kManifest))) return;
  }
  reader.add_unnamed();
}

}  // namespace restitch::app
