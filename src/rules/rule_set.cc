#include "rules/rule_set.h"

#include <map>
#include <optional>
#include <utility>

#include "rules/namespaces.h"
#include "rules/role_program.h"
#include "rules/schema_rules.h"

namespace restitch::rules {
namespace {

using Namespace = std::pair<std::string, std::string>;

struct SourceRules {
  bool has_rules = true;                     // federated sources have none
  std::optional<NamespaceRules> by_default;  // for namespaces without an entry
  std::map<Namespace, std::optional<NamespaceRules>, std::less<>> namespaces;
  std::map<std::string, Namespace, std::less<>> titles;
};

class RuleSetImpl : public RuleSet {
 public:
  const NamespaceRules* find(std::string_view source, std::string_view database,
                             std::string_view collection) const override {
    const auto it = sources_.find(source);
    if (it == sources_.end() || is_reserved_database(database)) return nullptr;
    const SourceRules& rules = it->second;
    if (!rules.has_rules) return nullptr;
    const auto found =
        rules.namespaces.find(Namespace(std::string(database), std::string(collection)));
    const std::optional<NamespaceRules>& entry =
        found != rules.namespaces.end() ? found->second : rules.by_default;
    return entry ? &*entry : nullptr;
  }

  std::vector<std::pair<std::string, std::string>> namespaces(
      std::string_view source) const override {
    std::vector<std::pair<std::string, std::string>> found;
    const auto it = sources_.find(source);
    if (it == sources_.end()) return found;
    for (const auto& [name, rules] : it->second.namespaces) {
      if (rules && !is_reserved_database(name.first)) found.push_back(name);
    }
    return found;
  }

  std::vector<const NamespaceRules*> rule_objects() const override {
    std::vector<const NamespaceRules*> found;
    for (const auto& [name, source] : sources_) {
      if (!source.has_rules) continue;
      if (source.by_default) found.push_back(&*source.by_default);
      for (const auto& [ns, rules] : source.namespaces) {
        if (rules && !rules->is_default) found.push_back(&*rules);
      }
    }
    return found;
  }

  bool resolve_title(std::string_view source, std::string_view title, std::string* database,
                     std::string* collection) const override {
    const auto it = sources_.find(source);
    if (it == sources_.end()) return false;
    const auto found = it->second.titles.find(title);
    if (found == it->second.titles.end()) return false;
    *database = found->second.first;
    *collection = found->second.second;
    return true;
  }

  std::map<std::string, SourceRules, std::less<>> sources_;
};

class RuleSetCompiler {
 public:
  explicit RuleSetCompiler(app::Findings& findings) : findings_(findings) {}

  std::shared_ptr<const RuleSet> compile(const app::Config& config) {
    auto set = std::make_shared<RuleSetImpl>();
    for (const app::DataSourceConfig& source : config.data_sources) {
      set->sources_.insert_or_assign(source.name, compile(source));
    }
    if (has_failed_) return nullptr;
    return set;
  }

 private:
  SourceRules compile(const app::DataSourceConfig& source) {
    SourceRules rules;
    rules.has_rules = source.type != app::SourceType::kDataLake;
    const bool has_default_roles = source.has_default_rule && !source.default_roles.empty();
    if (source.has_default_rule) {
      auto compiled = CompiledRules::compile(source.default_roles, source.default_filters,
                                             source.directory + "/default_rule.json", findings_);
      has_failed_ |= compiled == nullptr;
      if (has_default_roles) {
        rules.by_default.emplace(std::move(compiled), source.directory + "/default_rule.json",
                                 true);
      }
    }
    for (const app::CollectionConfig& collection : source.collections) {
      add(collection, has_default_roles, rules);
    }
    return rules;
  }

  // The rules of a namespace: its own when they have roles, else the default ones when those have,
  // else its own.
  void add(const app::CollectionConfig& collection, bool has_default_roles, SourceRules& rules) {
    std::optional<NamespaceRules> entry = rules.by_default;
    const bool has_own = !collection.roles.empty();
    if (has_own || (collection.has_rules && !has_default_roles)) {
      auto compiled = CompiledRules::compile(collection.roles, collection.filters,
                                             collection.rules_file, findings_);
      has_failed_ |= compiled == nullptr;
      entry.emplace(std::move(compiled), collection.rules_file, false);
    }
    if (collection.schema) add_schema(collection, entry, rules);
    rules.namespaces.insert_or_assign(Namespace(collection.database, collection.collection),
                                      std::move(entry));
  }

  void add_schema(const app::CollectionConfig& collection, std::optional<NamespaceRules>& entry,
                  SourceRules& rules) {
    const std::string& file = collection.schema_file;
    auto schema = schema::Schema::compile(*collection.schema, file, findings_);
    if (schema == nullptr) {
      has_failed_ = true;
      return;
    }
    if (!schema->title().empty()) {
      rules.titles.try_emplace(schema->title(),
                               Namespace(collection.database, collection.collection));
    }
    auto validators = SchemaRules::compile(*schema, file, collection.schema_pointer, findings_);
    has_failed_ |= validators == nullptr;
    if (!entry || schema->is_empty()) return;
    if (validators != nullptr && !validators->empty()) entry->validators = std::move(validators);
    entry->schema = std::move(schema);
  }

  app::Findings& findings_;
  bool has_failed_ = false;
};

}  // namespace

bool is_reserved_database(std::string_view database) {
  return database == "admin" || database == "local" || database == "config" ||
         database.starts_with("__restitch") || database.starts_with("__realm_sync");
}

bool is_internal_database(std::string_view database) { return database.starts_with("__restitch"); }

std::shared_ptr<const RuleSet> RuleSet::compile(const app::Config& config,
                                                app::Findings& findings) {
  return RuleSetCompiler(findings).compile(config);
}

}  // namespace restitch::rules
