#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "app/config.h"
#include "app/node.h"
#include "app/tree.h"

namespace restitch::app {

// A configuration on its way from files to Config. The readers below each handle one component;
// they run in the order of their declaration, so that a later one can look up what an earlier one
// read.
struct Assembly {
  const Tree& tree;
  Config& config;
  Findings& findings;

  std::set<std::string> functions_without_source;           // named by a manifest only
  std::map<std::string, std::string> function_names_by_id;  // ids occur in the legacy layouts
  std::map<std::string, std::string> service_names_by_id;
  std::map<std::string, std::string> service_types;            // all services and data sources
  std::map<std::string, std::set<std::string>> names_by_kind;  // names taken, for duplicates

  mutable std::set<std::string> absent_files;  // names that absent nodes refer to

  // The file as a node; absent if it is not there.
  Node file(const std::string& path) const;
  // Calls visit(node) for every JSON file whose path is `directory` + "/" + one name.
  template <typename Visit>
  void each_file(std::string_view directory, Visit visit) const;

  // Reports a name that another entity of the kind ("Functions", …) has already.
  void claim_name(const Node& node, const std::string& kind, const std::string& name,
                  const std::string& code);
  // Reports a function name that means nothing. Warnings only for an entity that is switched off.
  void check_function(const Node& node, const std::string& name, bool is_disabled = false) const;
  // The name that a member `name_key` holds, or the one that the id in `id_key` stands for.
  std::string function_name(const Node& parent, std::string_view name_key,
                            std::string_view id_key) const;
};

void read_app_settings(Assembly& assembly);
void read_environments(Assembly& assembly);
void read_functions(Assembly& assembly);
void read_values(Assembly& assembly);
void read_data_sources(Assembly& assembly);
void read_services(Assembly& assembly);
void read_auth_providers(Assembly& assembly);
void read_custom_user_data(Assembly& assembly);
void read_secrets(Assembly& assembly);  // completes the secret_config of providers and sources
void read_triggers(Assembly& assembly);
void read_endpoints(Assembly& assembly);
void read_graphql(Assembly& assembly);
void read_hosting(Assembly& assembly);
void read_sync(Assembly& assembly);
void read_log_forwarders(Assembly& assembly);

// Readers of parts of a data source. `legacy_rule` may also hold the schema and relationships.
void read_rule(const Node& rule, std::vector<Role>& roles, std::vector<Filter>& filters);
std::vector<Relationship> read_relationships(const Node& relationships,
                                             const std::optional<bson::Document>& schema);

template <typename Visit>
void Assembly::each_file(std::string_view directory, Visit visit) const {
  const std::string prefix = std::string(directory) + "/";
  for (auto it = tree.json.lower_bound(prefix);
       it != tree.json.end() && it->first.starts_with(prefix); ++it) {
    if (it->first.find('/', prefix.size()) != std::string::npos) continue;
    visit(Node(it->first, it->second, findings));
  }
}

}  // namespace restitch::app
