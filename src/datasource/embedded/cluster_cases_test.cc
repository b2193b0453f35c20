// Runs the behaviour cases of tests/data/datasource: sequences of commands with what their replies
// must hold.
//
// A file is an array of cases {name, steps: [{run: command, db?: name, expect: pattern}]}. `%db%`
// stands for a database of the case's own, which is also the default. A pattern object demands its
// members only; arrays must have as many elements. In patterns {$$type: alias}, {$$exists: bool},
// {$$prefix: text}, {$$contains: text}, {$$greater: name} (than a kept value) and {$$save: name} test a value (save keeps
// it); in commands
// and patterns {$$use: name} is a kept value. `unordered: true` in a step compares the first batch
// as a set.

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "bson/compare.h"
#include "datasource/embedded/test_cluster.h"

namespace restitch::datasource::embedded {
namespace {

using bson::Builder;
using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;
using bson::View;

struct Case {
  std::string file, name;
  Document body;
};

std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<Case> load_cases() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(RESTITCH_SOURCE_DIR "/tests/data/datasource")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  for (const auto& file : files) {
    auto parsed = bson::parse_json(read_text(file));
    if (!parsed || parsed->type() != Type::kArray) {
      ADD_FAILURE() << file << ": " << (parsed ? "not an array" : parsed.error().message());
      continue;
    }
    for (const bson::Element& element : parsed->view().get_document()) {
      const View body = element.value.get_document();
      cases.push_back(
          {file.stem().string(), std::string(*body["name"].as_string()), Document(body)});
    }
  }
  return cases;
}

class CaseRun {
 public:
  CaseRun(TestCluster& cluster, std::string database)
      : cluster_(cluster), database_(std::move(database)) {}

  void run(View body) {
    std::size_t number = 0;
    for (const bson::Element& element : body["steps"].get_document()) {
      const View step = element.value.get_document();
      const std::string where = "step " + std::to_string(number++) + ": ";
      const std::string database(with_name(step["db"].as_string().value_or(database_)));
      const Document command = substituted(step["run"].get_document());
      const Document reply = cluster_.run(database, command);
      const ValueView expected = step["expect"];
      if (expected.is_missing()) {
        EXPECT_EQ(reply["ok"].as_double(), 1.0) << where << shown(command) << "\n" << shown(reply);
        continue;
      }
      std::string why;
      const Document pattern = substituted(expected.get_document(), true);
      const bool matches =
          match(ValueView(Type::kObject, pattern.view().data(), pattern.view().size()),
                ValueView(Type::kObject, reply.view().data(), reply.view().size()), "",
                step["unordered"].truthy(), why);
      EXPECT_TRUE(matches) << where << shown(command) << "\n  " << why
                           << "\n  reply: " << shown(reply);
      if (!matches) return;
    }
  }

 private:
  std::string with_name(std::string_view text) const {
    std::string result(text);
    for (std::size_t at = result.find("%db%"); at != std::string::npos; at = result.find("%db%")) {
      result.replace(at, 4, database_);
    }
    return result;
  }

  // In patterns kept values stay names: the step itself may keep them.
  Document substituted(View document, bool is_pattern = false) const {
    Builder builder;
    substitute(builder, document, is_pattern);
    return std::move(builder).finish();
  }

  void substitute(Builder& builder, View document, bool is_pattern) const {
    for (const bson::Element& element : document) {
      const std::string name = with_name(element.name);
      if (const auto object = element.value.as_object()) {
        const auto use = is_pattern ? std::nullopt : (*object)["$$use"].as_string();
        if (use) {
          builder.append(name, saved_.at(std::string(*use)));
          continue;
        }
        builder.open_object(name);
        substitute(builder, *object, is_pattern);
        builder.close();
      } else if (const auto array = element.value.as_array()) {
        builder.open_array(name);
        substitute(builder, *array, is_pattern);
        builder.close();
      } else if (const auto text = element.value.as_string()) {
        builder.append(name, with_name(*text));
      } else {
        builder.append(name, element.value);
      }
    }
  }

  // Tests of a {$$…} pattern; nothing when the object is none.
  std::optional<bool> match_special(View pattern, ValueView actual, std::string& why) {
    if (pattern.empty() || !pattern.begin()->name.starts_with("$$")) return std::nullopt;
    for (const bson::Element& element : pattern) {
      bool holds = false;
      const std::string text(element.value.as_string().value_or(""));
      if (element.name == "$$exists") holds = element.value.truthy() == !actual.is_missing();
      if (element.name == "$$type") holds = bson::alias_of(actual.type()) == text;
      if (element.name == "$$prefix")
        holds = actual.as_string() && actual.get_string().starts_with(text);
      if (element.name == "$$contains") {
        holds = actual.as_string() && actual.get_string().find(text) != std::string_view::npos;
      }
      if (element.name == "$$use") {
        holds = saved_.contains(text) && bson::equal(actual, saved_.at(text));
      }
      if (element.name == "$$greater") {
        holds = saved_.contains(text) && bson::compare(actual, saved_.at(text)) > 0;
      }
      if (element.name == "$$save") {
        saved_[text] = Value(actual);
        holds = !actual.is_missing();
      }
      if (!holds) {
        why += std::string(element.name) + " " + text + " does not hold";
        return false;
      }
    }
    return true;
  }

  bool match(ValueView pattern, ValueView actual, const std::string& path, bool unordered,
             std::string& why) {
    if (const auto object = pattern.as_object()) {
      if (const auto special = match_special(*object, actual, why)) {
        if (!*special) why = path + ": " + why;
        return *special;
      }
      if (!actual.as_object()) {
        why = path + ": not an object";
        return false;
      }
      for (const bson::Element& element : *object) {
        if (!match(element.value, actual.get_document()[element.name],
                   path + "." + std::string(element.name), unordered, why)) {
          return false;
        }
      }
      return true;
    }
    if (const auto array = pattern.as_array()) {
      if (!actual.as_array()) {
        why = path + ": not an array";
        return false;
      }
      const View other = actual.get_document();
      if (array->count() != other.count()) {
        why = path + ": " + std::to_string(other.count()) + " elements";
        return false;
      }
      std::vector<ValueView> wanted = sorted(*array, unordered), given = sorted(other, unordered);
      for (std::size_t at = 0; at < wanted.size(); ++at) {
        if (!match(wanted[at], given[at], path + "." + std::to_string(at), unordered, why))
          return false;
      }
      return true;
    }
    if (bson::equal(pattern, actual) && pattern.is_missing() == actual.is_missing()) return true;
    why = path + ": expected " + bson::to_shell(pattern) + ", got " + bson::to_shell(actual);
    return false;
  }

  static std::vector<ValueView> sorted(View array, bool unordered) {
    std::vector<ValueView> values;
    for (const bson::Element& element : array) values.push_back(element.value);
    if (unordered) {
      std::sort(values.begin(), values.end(),
                [](ValueView a, ValueView b) { return bson::compare(a, b) < 0; });
    }
    return values;
  }

  TestCluster& cluster_;
  std::string database_;
  std::map<std::string, Value> saved_;
};

TEST(ClusterCases, replies_are_as_described) {
  TestCluster cluster;
  const std::vector<Case> cases = load_cases();
  ASSERT_GE(cases.size(), 400U);
  std::size_t number = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.file + ": " + one.name);
    CaseRun(cluster, "case" + std::to_string(number++)).run(one.body);
  }
}

}  // namespace
}  // namespace restitch::datasource::embedded
