#include "app/assembly.h"

#include <utility>

namespace restitch::app {

Node Assembly::file(const std::string& path) const {
  const auto it = tree.json.find(path);
  if (it == tree.json.end()) return {*absent_files.insert(path).first, {}, findings};
  return {it->first, it->second, findings};
}

void Assembly::claim_name(const Node& node, const std::string& kind, const std::string& name,
                          const std::string& code) {
  if (name.empty() || names_by_kind[kind].insert(name).second) return;
  node.error("must specify unique names when importing " + kind + "; duplicate name: " + name,
             code);
}

void Assembly::check_function(const Node& node, const std::string& name, bool is_disabled) const {
  if (name.empty() || config.find_function(name) != nullptr) return;
  if (tree.broken.contains("functions/config.json") ||
      tree.broken.contains("functions/" + name + ".js") ||
      tree.broken.contains("functions/" + name + "/config.json")) {
    return;  // said already
  }
  const std::string message = functions_without_source.contains(name)
                                  ? "function source not found for " + name
                                  : "function not found: '" + name + "'";
  is_disabled ? node.warning(message, "FunctionNotFound") : node.error(message, "FunctionNotFound");
}

std::string Assembly::function_name(const Node& parent, std::string_view name_key,
                                    std::string_view id_key) const {
  std::string name = parent[name_key].text();
  if (!name.empty()) return name;
  const std::string id = parent[id_key].text();
  const auto known = function_names_by_id.find(id);
  if (known != function_names_by_id.end()) return known->second;
  if (!id.empty()) {
    parent[id_key].warning("no function of this app has the id '" + id + "'", "FunctionNotFound");
  }
  return {};
}

Config assemble(Tree tree, Findings& findings) {
  Config config;
  if (tree.root_file.empty()) return config;  // unreadable, and reported so
  expand_templates(tree, findings);
  Assembly assembly{tree, config, findings, {}, {}, {}, {}, {}, {}};
  read_app_settings(assembly);
  read_environments(assembly);
  read_functions(assembly);
  read_values(assembly);
  read_data_sources(assembly);
  read_services(assembly);
  read_auth_providers(assembly);
  read_custom_user_data(assembly);
  read_secrets(assembly);
  read_triggers(assembly);
  read_endpoints(assembly);
  read_graphql(assembly);
  read_hosting(assembly);
  read_sync(assembly);
  read_log_forwarders(assembly);
  return config;
}

}  // namespace restitch::app
