#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/loader.h"
#include "bson/extended_json.h"

// Loads the directories of tests/data/app and compares findings and result with <directory>.json,
// {findings, config}. tests/data/app/variations/*.json are lists of {name, base, files, findings,
// config?}: each is a copy of a base directory with some files put (a string is the whole text),
// or taken out (null). Findings are "error <line>" or "warning <line>"; config lists lines (see
// Summary) that must be there, for a base directory all lines.
namespace restitch::app {
namespace {

namespace fs = std::filesystem;

const fs::path kData = RESTITCH_SOURCE_DIR "/tests/data/app";

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bson::Value read_json_file(const fs::path& path) {
  bson::JsonOptions options;
  options.extended = false;
  auto parsed = bson::parse_json_with(read_file(path), options);
  EXPECT_TRUE(parsed) << path << ": " << (parsed ? "" : parsed.error().message());
  return parsed ? std::move(parsed->value) : bson::Value();
}

std::vector<std::string> texts_of(bson::ValueView list) {
  std::vector<std::string> out;
  for (const bson::Element& element : list.as_array().value_or(bson::View())) {
    out.emplace_back(element.value.get_string());
  }
  return out;
}

std::vector<std::string> lines_of(const Findings& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings.list()) {
    const bool is_error = finding.severity == FindingSeverity::kError;
    lines.push_back((is_error ? "error " : "warning ") + to_line(finding));
  }
  return lines;
}

std::string json(bson::ValueView value) { return bson::to_json(value, bson::JsonMode::kRelaxed); }
std::string json(bson::View value) { return bson::to_json(value, bson::JsonMode::kRelaxed); }
std::string json(const std::optional<bson::Value>& value) {
  return value ? json(value->view()) : "-";
}

// A configuration as lines of text.
class Summary {
 public:
  explicit Summary(const Config& config) {
    std::string origins;
    for (const std::string& origin : config.allowed_request_origins) origins += " " + origin;
    add("app " + config.name + " id=" + config.client_app_id +
        " version=" + std::to_string(config.config_version) + " environment=" + config.environment +
        " place=" + config.location + config.provider_region + " " + config.deployment_model +
        " origins:" + origins);
    for (const DataSourceConfig& source : config.data_sources) add(source);
    for (const AuthProviderConfig& provider : config.auth_providers) {
      std::string line = "provider " + provider.type + (provider.disabled ? " disabled" : "");
      line += " config=" + json(provider.config) + " secrets=" + json(provider.secret_config);
      for (const bson::Document& field : provider.metadata_fields) line += " field=" + json(field);
      for (const std::string& uri : provider.redirect_uris) line += " redirect=" + uri;
      for (const std::string& domain : provider.domain_restrictions) line += " domain=" + domain;
      add(line);
    }
    if (config.custom_user_data) {
      const CustomUserData& data = *config.custom_user_data;
      add("custom_user_data " + std::string(data.enabled ? "enabled " : "disabled ") +
          data.service + "/" + data.database + "/" + data.collection + "/" + data.user_id_field +
          " function=" + data.on_user_creation_function);
    }
    for (const FunctionConfig& function : config.functions) {
      add("function " + function.name + " path=" + function.path + " file=" + function.file +
          " manifest=" + function.manifest_file + function.manifest_pointer +
          (function.is_private ? " private" : "") + (function.run_as_system ? " system" : "") +
          (function.disable_arg_logs ? " no_arg_logs" : "") +
          (function.run_as_user_id.empty() ? "" : " user=" + function.run_as_user_id) +
          (function.can_evaluate ? " can_evaluate=" + json(function.can_evaluate) : ""));
    }
    for (const ValueConfig& value : config.values) {
      add("value " + value.name + (value.from_secret ? " from_secret " : " ") +
          bson::to_json(value.value));
    }
    for (const auto& [tag, values] : config.environments) {
      add("environment '" + tag + "' " + json(values));
    }
    for (const auto& [name, value] : config.secrets) add("secret " + name + "=" + value);
    for (const OpaqueFile& other : config.others) add("other " + other.path);
  }

  std::vector<std::string> lines;

 private:
  void add(std::string line) { lines.push_back(std::move(line)); }

  void add(const DataSourceConfig& source) {
    const char* types[] = {"atlas", "datalake", "self_hosted"};
    add("source " + source.name + " " + types[static_cast<int>(source.type)] +
        " cluster=" + source.cluster_name + " " + source.read_preference +
        (source.wire_protocol_enabled ? " wire" : "") + " " + source.directory +
        (source.uri.empty() ? "" : " uri=" + source.uri) +
        (source.uri_secret.empty() ? "" : " uri_secret=" + source.uri_secret));
    if (source.has_default_rule) add("default_rule of " + source.name);
    add_rules(source.default_roles, source.default_filters);
    for (const CollectionConfig& collection : source.collections) {
      add("collection " + collection.database + "." + collection.collection + " in " +
          collection.rules_file + (collection.has_rules ? " rules" : "") +
          (collection.schema ? " schema" : ""));
      add_rules(collection.roles, collection.filters);
      for (const Relationship& one : collection.relationships) {
        add("  relationship " + one.source_path + " " + one.source_key + " -> " +
            one.target_source + " " + one.target_database + " " + one.target_collection + " " +
            one.foreign_key + (one.is_list ? " list" : ""));
      }
    }
  }

  void add_rules(const std::vector<Role>& roles, const std::vector<Filter>& filters) {
    for (const Role& role : roles) {
      add("  role " + role.name + " when=" + json(role.apply_when) +
          (role.has_document_filters
               ? " gates=" + json(role.document_read) + "," + json(role.document_write)
               : "") +
          " rwids=" + json(role.read) + "," + json(role.write) + "," + json(role.insert) + "," +
          json(role.remove) + "," + json(role.search));
      add_fields(role.permissions, "    ");
    }
    for (const Filter& filter : filters) {
      add("  filter " + filter.name + " when=" + json(filter.apply_when) + " " +
          json(filter.query) + " " + json(filter.projection));
    }
  }

  void add_fields(const FieldPermission& permission, const std::string& indent) {
    for (const auto& [name, field] : permission.fields) {
      add(indent + name + " rw=" + json(field.read) + "," + json(field.write));
      add_fields(field, indent + "  ");
    }
    if (!permission.additional) return;
    add(indent + "* rw=" + json(permission.additional->first) + "," +
        json(permission.additional->second));
  }
};

// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "restitch-app-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void put(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

void apply_files(const fs::path& root, bson::View files) {
  for (const bson::Element& file : files) {
    const fs::path path = root / std::string(file.name);
    if (file.value.type() == bson::Type::kNull) {
      EXPECT_GT(fs::remove_all(path), 0U) << file.name;
    } else if (const auto text = file.value.as_string()) {
      put(path, *text);
    } else {
      put(path, bson::to_json(file.value, bson::JsonMode::kRelaxed));
    }
  }
}

TEST(AppDirectories, load_as_described_beside_them) {
  int directories = 0;
  for (const auto& entry : fs::directory_iterator(kData)) {
    if (!entry.is_directory() || entry.path().filename() == "variations") continue;
    SCOPED_TRACE(entry.path().filename().string());
    ++directories;
    const bson::Value expected = read_json_file(entry.path().string() + ".json");
    Findings findings;
    const auto config = load_directory(entry.path().string(), findings);
    ASSERT_TRUE(config) << config.error().message();
    const bson::View object = expected.view().get_document();
    EXPECT_EQ(lines_of(findings), texts_of(object["findings"]));
    EXPECT_EQ(Summary(*config).lines, texts_of(object["config"]));
  }
  EXPECT_GE(directories, 5);
}

void run_variation(bson::View variation) {
  SCOPED_TRACE(std::string(variation["name"].get_string()));
  const TemporaryDirectory directory;
  const fs::path root = directory.path() / "app";
  fs::create_directories(root);
  const auto base = variation["base"].as_string();
  if (base) fs::copy(kData / std::string(*base), root, fs::copy_options::recursive);
  apply_files(root, variation["files"].get_document());
  Findings findings;
  const auto config = load_directory(root.string(), findings);
  if (const auto error = variation["error"].as_string()) {
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message().find(*error), std::string::npos) << config.error().message();
    return;
  }
  ASSERT_TRUE(config) << config.error().message();
  ASSERT_TRUE(variation["findings"].as_array());
  EXPECT_EQ(lines_of(findings), texts_of(variation["findings"]));
  const Summary summary(*config);
  for (const std::string& line : texts_of(variation["config"])) {
    EXPECT_NE(std::find(summary.lines.begin(), summary.lines.end(), line), summary.lines.end())
        << "missing: " << line << "\nfound:\n"
        << testing::PrintToString(summary.lines);
  }
}

TEST(AppVariations, give_the_findings_that_the_cases_list) {
  int cases = 0;
  for (const auto& entry : fs::directory_iterator(kData / "variations")) {
    SCOPED_TRACE(entry.path().filename().string());
    const bson::Value list = read_json_file(entry.path());
    ASSERT_TRUE(list.view().as_array());
    for (const bson::Element& variation : list.view().get_document()) {
      ++cases;
      run_variation(variation.value.get_document());
    }
  }
  EXPECT_GE(cases, 100);
}

TEST(AppVariations, links_out_of_the_directory_are_not_followed) {
  const TemporaryDirectory directory;
  put(directory.path() / "outside" / "a.js", "exports = 1;");
  const fs::path root = directory.path() / "app";
  put(root / "root_config.json", R"({"name": "links"})");
  put(root / "functions" / "b.js", "exports = 2;");
  fs::create_symlink(directory.path() / "outside" / "a.js", root / "functions" / "a.js");
  fs::create_symlink(directory.path() / "outside", root / "functions" / "dir");
  fs::create_symlink(root / "functions" / "b.js", root / "functions" / "c.js");
  fs::create_symlink(root / "nowhere.js", root / "functions" / "d.js");
  Findings findings;
  const auto config = load_directory(root.string(), findings);
  ASSERT_TRUE(config);
  EXPECT_EQ(lines_of(findings),
            (std::vector<std::string>{
                "warning functions/a.js: is a link out of the app directory and is skipped",
                "warning functions/d.js: is a link to nothing and is skipped",
                "warning functions/dir: is a link out of the app directory and is skipped"}));
  ASSERT_EQ(config->functions.size(), 2U);
  EXPECT_EQ(config->functions[1].name, "c");
  EXPECT_EQ(config->functions[1].source, "exports = 2;");
}

TEST(AppVariations, a_directory_that_links_to_itself_ends) {
  const TemporaryDirectory directory;
  const fs::path root = directory.path() / "app";
  put(root / "root_config.json", R"({"name": "loop"})");
  put(root / "functions" / "a.js", "exports = 1;");
  fs::create_directory_symlink(root / "functions", root / "functions" / "again");
  Findings findings;
  ASSERT_TRUE(load_directory(root.string(), findings));
  EXPECT_EQ(lines_of(findings),
            (std::vector<std::string>{
                "warning functions/again: is a link to a directory that holds it and is skipped"}));
}

TEST(AppVariations, sources_that_are_no_text_and_large_files_are_refused) {
  const TemporaryDirectory directory;
  const fs::path root = directory.path() / "app";
  put(root / "root_config.json", R"({"name": "odd"})");
  put(root / "functions" / "a.js", "exports = '\xFF';");
  put(root / "functions" / "b.js", "");
  fs::resize_file(root / "functions" / "b.js", 16777217);
  put(root / "auth" / "providers.json", R"({"custom-function": {"type": "custom-function",
      "config": {"authFunctionName": "a"}}})");
  Findings findings;
  ASSERT_TRUE(load_directory(root.string(), findings));
  EXPECT_EQ(lines_of(findings),
            (std::vector<std::string>{"error functions/a.js: is not UTF-8 text",
                                      "error functions/b.js: is larger than 16 MiB"}));
}

class FindAppRoot : public testing::Test {
 protected:
  fs::path at(const std::string& path) const { return fs::canonical(directory_.path()) / path; }
  void put_file(const std::string& path, std::string_view text) const { put(at(path), text); }
  std::string found_from(const std::string& path) const {
    fs::create_directories(at(path));
    const auto root = find_app_root(at(path).string());
    if (!root) return "error: " + root.error().message();
    return fs::relative(*root, at("")).string();
  }

  TemporaryDirectory directory_;
};

TEST_F(FindAppRoot, walks_up_at_most_eight_levels) {
  put_file("app/realm_config.json", R"({"config_version": 20210101})");
  EXPECT_EQ(found_from("app"), "app");
  EXPECT_EQ(found_from("app/1/2/3/4/5/6/7/8"), "app");
  EXPECT_EQ(found_from("app/1/2/3/4/5/6/7/8/9"), "error: directory '" +
                                                     at("app/1/2/3/4/5/6/7/8/9").string() +
                                                     "' is not a supported Realm app project");
}

TEST_F(FindAppRoot, passes_over_files_that_only_have_the_name) {
  put_file("app/stitch.json", R"({"config_version": 20180301})");
  put_file("app/graphql/config.json", R"({"use_natural_pluralization": true})");
  put_file("app/functions/config.json", "[]");
  EXPECT_EQ(found_from("app/graphql/custom_resolvers"), "app");
  EXPECT_EQ(found_from("app/functions"), "app");
}

TEST_F(FindAppRoot, root_config_needs_no_version_and_others_do) {
  put_file("new/root_config.json", R"({"name": "new"})");
  put_file("old/realm_config.json", R"({"name": "old"})");
  EXPECT_EQ(found_from("new/functions"), "new");
  EXPECT_EQ(found_from("old"),
            "error: directory '" + at("old").string() + "' is not a supported Realm app project");
}

TEST_F(FindAppRoot, refuses_broken_metadata_and_broken_root_files) {
  put_file("a/realm_config.json", R"({"config_version": 20210101})");
  put_file("a/.mdb/app_meta.json", "");
  EXPECT_EQ(found_from("a/x"),
            "error: failed to parse app meta at " + at("a/.mdb/app_meta.json").string());
  put_file("b/realm_config.json", "{");
  EXPECT_EQ(found_from("b/x"),
            "error: failed to parse app config at " + at("b/realm_config.json").string());
}

TEST_F(FindAppRoot, tells_a_missing_directory) {
  const auto root = find_app_root(at("nowhere").string());
  ASSERT_FALSE(root);
  EXPECT_EQ(root.error().message(), "directory '" + at("nowhere").string() + "' does not exist");
}

}  // namespace
}  // namespace restitch::app
