#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "app/loader.h"
#include "app/tree.h"
#include "app/writing/archive.h"
#include "app/writing/files.h"
#include "app/writing/import_document.h"
#include "app/writing/layouts.h"
#include "app/writing/members.h"
#include "app/writing/normal_form.h"
#include "bson/extended_json.h"

namespace restitch::app {
namespace {

namespace fs = std::filesystem;
using Contents = std::map<std::string, std::string>;

const fs::path kData = fs::path(RESTITCH_SOURCE_DIR) / "tests/data/app";

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "restitch-writing-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

bson::Value plain(std::string_view text) {
  bson::JsonOptions options;
  options.extended = false;
  auto parsed = bson::parse_json_with(text, options);
  EXPECT_TRUE(parsed) << text;
  return parsed ? std::move(parsed->value) : bson::Value();
}

Contents normal_files(Tree tree) {
  normalise(tree);
  return to_files(tree).contents;
}

// Compares file by file, so that a difference is told where it is.
void expect_same(const Contents& found, const Contents& expected, const std::string& what) {
  for (const auto& [path, text] : expected) {
    const auto it = found.find(path);
    EXPECT_EQ(it == found.end() ? "(no file)" : it->second, text) << what << ": " << path;
  }
  for (const auto& [path, text] : found) {
    EXPECT_TRUE(expected.contains(path)) << what << ": " << path << " is too much";
  }
}

Tree read(const std::string& directory) {
  Findings findings;
  auto tree = read_tree(directory, findings);
  EXPECT_TRUE(tree) << directory;
  return tree ? std::move(*tree) : Tree();
}

Tree through_document(const Tree& tree) {
  Findings findings;
  // As over HTTP: text, parsed as plain JSON.
  const bson::Value sent =
      plain(bson::to_json(to_import_document(tree).view(), bson::JsonMode::kRelaxed));
  Tree received = from_import_document(sent.view().get_document(), findings);
  EXPECT_TRUE(findings.list().empty());
  return received;
}

std::vector<std::string> error_lines(const Tree& tree) {
  Findings findings;
  assemble(tree, findings);
  std::vector<std::string> lines;
  for (const Finding& finding : findings.list()) {
    if (finding.severity == FindingSeverity::kError) lines.push_back(to_line(finding));
  }
  return lines;
}

// Everything that holds for a configuration that has no errors.
void expect_round_trips(const Tree& tree) {
  Tree normal = tree;
  normalise(normal);
  const Files files = to_files(normal);
  expect_same(normal_files(normal), files.contents, "normalised again");

  const TemporaryDirectory directory;
  ASSERT_TRUE(write_directory(files, directory.path()));
  Tree again = read(directory.path());
  EXPECT_EQ(again.config_version, tree.config_version);
  expect_same(to_files(again).contents, files.contents, "through a directory");

  Contents sent = files.contents;
  sent.erase("hosting/metadata.json");  // travels with the hosted files
  expect_same(normal_files(through_document(tree)), sent, "through an import document");

  const auto zip = to_zip(files);
  ASSERT_TRUE(zip);
  const auto unpacked = read_archive(*zip);
  ASSERT_TRUE(unpacked) << unpacked.error().message();
  EXPECT_EQ(unpacked->contents, files.contents);
  EXPECT_EQ(unpacked->directories, files.directories);
}

TEST(RoundTrip, directories_come_back_as_they_were_normalised) {
  int directories = 0;
  for (const auto& entry : fs::directory_iterator(kData)) {
    if (!entry.is_directory() || entry.path().filename() == "variations" ||
        entry.path().filename() == "everything_wrong") {
      continue;
    }
    SCOPED_TRACE(entry.path().filename().string());
    expect_round_trips(read(entry.path().string()));
    ++directories;
  }
  EXPECT_GE(directories, 5);
}

TEST(RoundTrip, layouts_hold_the_same_configuration) {
  for (const char* name : {"layout_20180301", "layout_20200603", "layout_20230101", "small"}) {
    SCOPED_TRACE(name);
    Tree tree = read((kData / name).string());
    for (const int version : {20180301, 20200603, 20210101, 20230101}) {
      Findings findings;
      const Tree other = to_layout(tree, version, findings);
      if (!findings.list().empty()) continue;  // has what the oldest layouts cannot hold
      EXPECT_EQ(error_lines(other), error_lines(tree)) << version;
      const Tree back = to_layout(other, tree.config_version, findings);
      expect_same(normal_files(back), normal_files(tree), std::to_string(version));
    }
  }
}

TEST(RoundTrip, endpoints_are_left_out_of_the_oldest_layouts_with_a_warning) {
  Findings findings;
  const Tree tree = read((kData / "layout_20210101").string());
  const Tree old = to_layout(tree, 20180301, findings);
  ASSERT_EQ(findings.list().size(), 1U);
  EXPECT_EQ(to_line(findings.list()[0]),
            "http_endpoints/config.json: cannot be part of config version 20180301, which has no "
            "HTTPS endpoints; it is left out");
  EXPECT_TRUE(old.json.contains("data_api_config.json"));
}

TEST(RoundTrip, the_flat_form_holds_the_same_configuration) {
  for (const char* name : {"layout_20210101", "layout_20230101", "small"}) {
    SCOPED_TRACE(name);
    Findings findings;
    Tree tree = to_layout(read((kData / name).string()), 20230101, findings);
    complete(tree);
    const bson::Value sent =
        plain(bson::to_json(to_push_document(tree).view(), bson::JsonMode::kRelaxed));
    Tree received = from_push_document(sent.view().get_document(), findings);
    complete(received);
    normalise(received);
    normalise(tree);
    // The flat form always has these two.
    for (Tree* each : {&tree, &received}) {
      each->remove("hosting/config.json");
      each->remove("hosting/metadata.json");
      each->remove("graphql/validation_settings.json");
      std::map<std::string, std::string> sources;
      each->sources.swap(sources);
      for (auto& [path, text] : sources)
        each->sources["functions/" + fs::path(path).filename().string()] = text;
    }
    expect_same(to_files(received).contents, to_files(tree).contents, "through the flat form");
    EXPECT_TRUE(findings.list().empty());
  }
}

// --- random configurations ---

class RandomApp {
 public:
  explicit RandomApp(std::uint32_t seed) : random_(seed) {}

  Tree make() {
    tree_.config_version = pick({20210101, 20230101});
    tree_.root_file = root_file_of(tree_.config_version);
    Members root;
    if (tree_.config_version == 20210101) {
      root.set("config_version", bson::Value::of(std::int32_t{20210101}));
    }
    root.set("name", bson::Value::of(name("App")));
    if (chance()) root.set("environment", bson::Value::of(pick<const char*>({"qa", "production"})));
    if (chance()) root.set("allowed_request_origins", plain(R"(["https://a.example:8443"])"));
    tree_.put(tree_.root_file, root.value());
    functions();
    values();
    data_sources();
    providers();
    triggers();
    endpoints();
    return std::move(tree_);
  }

 private:
  template <typename T>
  T pick(std::initializer_list<T> choices) {
    return *(choices.begin() + random_() % choices.size());
  }
  bool chance() { return random_() % 2 == 0; }
  std::string name(const std::string& base) { return base + std::to_string(next_++); }

  bson::Value json_value(int depth = 0) {
    switch (random_() % (depth > 2 ? 6 : 8)) {
      case 0:
        return bson::Value::of(static_cast<std::int32_t>(random_()));
      case 1:
        return bson::Value::of(static_cast<std::int64_t>(random_()) << 20);
      case 2:
        return bson::Value::of(static_cast<double>(random_()) / 7);
      case 3:
        return bson::Value::of(pick<const char*>({"", "a\nb", "\xC3\xA9\"\\", "%(x)", "</s>"}));
      case 4:
        return bson::Value::null();
      case 5:
        return plain(pick<const char*>({R"({"$numberInt":"0"})", R"({"$numberDecimal":"1.10"})",
                                        R"({"$date":{"$numberLong":"5"}})", R"({"$gt":1})"}));
      case 6: {
        std::vector<bson::Value> list;
        for (auto i = random_() % 4; i > 0; --i) list.push_back(json_value(depth + 1));
        return array_of(list);
      }
      default: {
        Members object;
        for (auto i = random_() % 4; i > 0; --i) object.set(name("k."), json_value(depth + 1));
        return object.value();
      }
    }
  }

  void functions() {
    std::vector<bson::Value> manifest;
    for (auto i = random_() % 5 + 1; i > 0; --i) {
      const std::string function = (chance() ? "folder/" : "") + name("fn");
      tree_.sources["functions/" + function + ".js"] =
          "exports = () => " + std::to_string(i) + ";\r\n";
      function_names_.push_back(function);
      if (chance()) continue;
      Members entry;
      entry.set("run_as_system", bson::Value::of(chance()));
      entry.set("name", bson::Value::of(function));
      if (chance()) entry.set("private", bson::Value::of(chance()));
      if (chance())
        entry.set("can_evaluate", plain(pick<const char*>({"{}", "true", R"({"%%true":false})"})));
      manifest.push_back(entry.value());
    }
    if (!manifest.empty() || chance()) tree_.put("functions/config.json", array_of(manifest));
  }

  void values() {
    for (auto i = random_() % 4; i > 0; --i) {
      Members value;
      value.set("value", json_value());
      value.set("name", bson::Value::of(name("value")));
      if (chance()) value.set("id", bson::Value::of("5f0000000000000000000000"));
      tree_.put("values/" + name("any") + ".json", value.value());
    }
  }

  bson::Value role() {
    Members role;
    role.set("write", plain(pick<const char*>({"true", "{}", R"({"%%root.owner":"%%user.id"})"})));
    role.set("name", bson::Value::of(name("role")));
    role.set("apply_when", plain("{}"));
    if (chance())
      role.set("fields", plain(R"({"z":{"read":true},"a":{"fields":{"b":{"write":false}}}})"));
    return role.value();
  }

  void data_sources() {
    for (auto i = random_() % 3; i > 0; --i) {
      const std::string source = name("source");
      source_names_.push_back(source);
      const std::string directory = "data_sources/" + source;
      Members config(
          plain(R"({"type":"mongodb-atlas","config":{"clusterName":"Cluster0"},"version":1})"));
      config.set("name", bson::Value::of(source));
      tree_.put(directory + "/config.json", config.value());
      if (chance()) tree_.put(directory + "/default_rule.json", rules({}, {}));
      for (auto j = random_() % 4; j > 0; --j) {
        const std::string collection = name("coll ection");
        const std::string at = directory + "/db/" + collection;
        const bool has_rules = chance();
        if (has_rules) tree_.put(at + "/rules.json", rules("db", collection));
        if (!has_rules || chance()) {
          tree_.put(at + "/schema.json",
                    plain(R"({"properties":{"b":{"bsonType":"int"},"a":{}}})"));
          if (chance()) tree_.put(at + "/relationships.json", plain("{}"));
        }
      }
    }
  }

  bson::Value rules(const std::string& database, const std::string& collection) {
    Members rule;
    rule.set("roles", array_of({role(), role()}));
    if (chance()) rule.set("filters", plain(R"([{"query":{"b":1,"a":2},"name":"f"}])"));
    if (!database.empty() && chance()) {
      rule.set("collection", bson::Value::of(collection));
      rule.set("database", bson::Value::of(database));
    }
    return rule.value();
  }

  void providers() {
    if (chance()) return;
    Members providers;
    providers.set("local-userpass",
                  plain(R"({"config":{"autoConfirm":true},"type":"local-userpass"})"));
    providers.set("anon-user",
                  plain(R"({"name":"anon-user","type":"anon-user","disabled":false,"config":{}})"));
    tree_.put("auth/providers.json", providers.value());
  }

  void triggers() {
    for (auto i = random_() % 3; i > 0; --i) {
      Members trigger(plain(R"({"type":"SCHEDULED","config":{"schedule":"*/5 * * * *"}})"));
      trigger.set("name", bson::Value::of(name("trigger")));
      const auto function = bson::Value::of(function_names_.front());
      if (chance()) {
        trigger.set("function_name", function);
      } else {
        Members config;
        config.set("function_name", function);
        Members processor;
        processor.set("config", config.value());
        Members processors;
        processors.set("FUNCTION", processor.value());
        trigger.set("event_processors", processors.value());
      }
      tree_.put("triggers/" + name("t") + ".json", trigger.value());
    }
  }

  void endpoints() {
    const std::string path =
        pick<const char*>({"http_endpoints/config.json", "https_endpoints/config.json"});
    std::vector<bson::Value> list;
    for (auto i = random_() % 3; i > 0; --i) {
      Members endpoint(plain(R"({"http_method":"GET","validation_method":"NO_VALIDATION"})"));
      endpoint.set("route", bson::Value::of("/" + name("r")));
      endpoint.set("function_name", bson::Value::of(function_names_.front()));
      list.push_back(endpoint.value());
    }
    if (!list.empty()) tree_.put(path, array_of(list));
  }

  std::mt19937 random_;
  Tree tree_;
  std::vector<std::string> function_names_, source_names_;
  int next_ = 0;
};

TEST(RoundTrip, random_configurations_come_back_equal) {
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Tree tree = RandomApp(seed).make();
    ASSERT_EQ(error_lines(tree), std::vector<std::string>());
    expect_round_trips(tree);
    Tree normal = tree;
    normalise(normal);
    EXPECT_EQ(error_lines(normal), std::vector<std::string>());
    if (testing::Test::HasFailure()) return;
  }
}

TEST(RoundTrip, the_order_of_members_does_not_matter_in_comparisons) {
  Tree left;
  left.config_version = 20210101;
  left.root_file = "realm_config.json";
  left.put("realm_config.json", plain(R"({"config_version":20210101,"name":"a"})"));
  Tree right = left;
  left.put("values/v.json", plain(R"({"name":"v","value":{"b":[{"y":1,"x":2}],"a":1}})"));
  right.put("values/other.json",
            plain(R"({"value":{"a":1,"b":[{"x":2,"y":1}]},"name":"v","from_secret":false})"));
  NormalForm compared;
  compared.sort_members = true;
  normalise(left, compared);
  normalise(right, compared);
  EXPECT_EQ(to_files(left).contents, to_files(right).contents);
}

TEST(NormalForm, wrappers_of_extended_json_stay_as_they_are_written) {
  Tree tree;
  tree.config_version = 20230101;
  tree.root_file = "root_config.json";
  tree.put("root_config.json", plain(R"({"name":"a"})"));
  tree.put("values/v.json", plain(R"({"name":"v","value":[{"$limit":{"$numberInt":"5"}}]})"));
  EXPECT_EQ(normal_files(tree)["values/v.json"],
            "{\n    \"name\": \"v\",\n    \"value\": [\n        {\n            \"$limit\": {\n"
            "                \"$numberInt\": \"5\"\n            }\n        }\n    ],\n"
            "    \"from_secret\": false\n}\n");
}

TEST(NormalForm, functions_keep_what_differs_from_the_defaults) {
  Tree tree;
  tree.config_version = 20210101;
  tree.root_file = "realm_config.json";
  tree.put("realm_config.json", plain(R"({"config_version":20210101,"name":"a"})"));
  tree.put("functions/config.json",
           plain(R"([{"private":true,"name":"total","can_evaluate":{},"disable_arg_logs":false},
                     {"name":"gone","private":true}])"));
  tree.sources["functions/orders/total.js"] = "exports = 1;";
  tree.sources["functions/other.js"] = "exports = 2;";
  EXPECT_EQ(
      normal_files(tree)["functions/config.json"],
      json_text(plain(R"([{"name":"total","private":true},{"name":"other","private":false}])")));
}

TEST(NormalForm, secrets_of_the_directory_become_names) {
  Tree tree = read((kData / "layout_20210101").string());
  Findings findings;
  const Config config = assemble(tree, findings);
  ASSERT_FALSE(config.secrets.empty());
  adopt_secret_names(tree, config);
  EXPECT_FALSE(tree.json.contains("secrets.json"));
  Findings second;
  const Config again = assemble(tree, second);
  EXPECT_TRUE(again.secrets.empty());
  ASSERT_EQ(again.auth_providers.size(), config.auth_providers.size());
  for (std::size_t i = 0; i < again.auth_providers.size(); ++i) {
    EXPECT_EQ(again.auth_providers[i].secret_config, config.auth_providers[i].secret_config);
  }
}

TEST(ImportDocument, duplicates_are_all_there_to_be_reported) {
  Findings findings;
  const bson::Value document = plain(R"({"config_version":20210101,"name":"a",
    "values":[{"name":"x","value":1},{"name":"x","value":2}],
    "data_sources":[{"config":{"name":"m","type":"mongodb-atlas","config":{"clusterName":"c"}},
      "rules":[{"database":"d","collection":"c","roles":[]},{"database":"d","collection":"c","roles":[]}]}]})");
  const Tree tree = from_import_document(document.view().get_document(), findings);
  EXPECT_EQ(error_lines(tree),
            (std::vector<std::string>{"values/x~2.json: /name: must specify unique names when "
                                      "importing Values; duplicate name: x",
                                      "data_sources/m/d/c~2/rules.json: must specify unique names "
                                      "when importing MongoDB Rules; "
                                      "duplicate name: d.c"}));
}

TEST(ImportDocument, wrong_types_and_paths_are_reported) {
  Findings findings;
  const bson::Value document = plain(R"({"config_version":20210101,"name":"a","values":{},"auth":[],
    "functions":{"sources":{"../x.js":"exports = 1","/y.js":"","z.js":5}},"triggers":null})");
  from_import_document(document.view().get_document(), findings);
  std::vector<std::string> lines;
  for (const Finding& finding : findings.list()) lines.push_back(to_line(finding));
  EXPECT_EQ(lines,
            (std::vector<std::string>{"/values: must be an array", "/auth: must be an object",
                                      "functions: '../x.js' cannot be the path of a function",
                                      "functions: '/y.js' cannot be the path of a function",
                                      "functions/z.js: the source must be a string"}));
}

TEST(Files, links_in_the_way_are_not_followed) {
  const TemporaryDirectory outside;
  const TemporaryDirectory inside;
  fs::create_directory_symlink(outside.path(), fs::path(inside.path()) / "functions");
  Files files;
  files.contents["functions/a.js"] = "exports = 1;";
  EXPECT_FALSE(write_directory(files, inside.path()));
  EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST(Files, paths_that_leave_the_directory_are_refused) {
  for (const char* path : {"../a", "a/../b", "/a", "a//b", "a/./b", "", "a\\b", "C:x", "a/\n"}) {
    EXPECT_FALSE(is_safe_path(path)) << path;
  }
  for (const char* path : {"a", "a/b.json", "data_sources/x/my db/coll ection/rules.json", "..a"}) {
    EXPECT_TRUE(is_safe_path(path)) << path;
  }
}

TEST(Archive, names_that_are_not_ascii_survive) {
  Files files;
  files.contents["values/caf\xC3\xA9.json"] = "{}";
  const auto zip = to_zip(files);
  ASSERT_TRUE(zip) << zip.error().message();
  const auto back = read_archive(*zip);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->contents, files.contents);
}

TEST(Archive, what_unpacks_to_too_much_is_refused) {
  Files files;
  files.contents["zeros"] = std::string(1U << 20U, '\0');
  files.contents["more"] = std::string(1U << 20U, '\0');
  const auto zip = to_zip(files);
  ASSERT_TRUE(zip);
  EXPECT_LT(zip->size(), 10'000U);
  ArchiveLimits limits;
  limits.max_file_bytes = 1U << 19U;
  EXPECT_FALSE(read_archive(*zip, limits));
  limits.max_file_bytes = 1U << 21U;
  limits.max_total_bytes = (1U << 21U) - 1;
  EXPECT_FALSE(read_archive(*zip, limits));
  limits.max_total_bytes = 1U << 21U;
  EXPECT_TRUE(read_archive(*zip, limits));
  limits.max_files = 1;
  EXPECT_FALSE(read_archive(*zip, limits));
}

TEST(Archive, entries_that_leave_it_are_refused) {
  for (const char* path : {"../evil", "/etc/passwd", "a/../../b"}) {
    Files files;
    files.contents[path] = "x";
    const auto zip = to_zip(files);
    ASSERT_TRUE(zip);
    const auto back = read_archive(*zip);
    ASSERT_FALSE(back) << path;
    EXPECT_NE(back.error().message().find("not allowed"), std::string::npos);
  }
}

TEST(Archive, damaged_bytes_never_crash_the_reader) {
  Files files;
  files.contents["a.json"] = "{\"a\": 1}";
  files.contents["functions/b.js"] = std::string(3000, 'b');
  const auto zip = to_zip(files);
  ASSERT_TRUE(zip);
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = *zip;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    const auto read = read_archive(damaged);
    if (read) {
      EXPECT_LE(read->contents.size(), 2U);
    }
  }
}

}  // namespace
}  // namespace restitch::app
