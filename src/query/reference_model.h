#pragma once

#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bson/document.h"

// A second, deliberately plain implementation of parts of the query language, to compare the real
// one with. It shares no code with it: values are trees of nodes, and every rule is written down as
// it reads in the specification.
namespace restitch::query::reference {

struct Node;
using Members = std::vector<std::pair<std::string, Node>>;

struct Node {
  enum class Kind { kMissing, kNull, kNumber, kString, kObject, kArray, kBool };

  Kind kind = Kind::kMissing;
  int number = 0;
  std::string text;
  Members members;  // names of an array's members are not used

  static Node null() { return Node{Kind::kNull, 0, {}, {}}; }
  static Node of(int value) { return Node{Kind::kNumber, value, {}, {}}; }
  static Node of(bool value) { return Node{Kind::kBool, value ? 1 : 0, {}, {}}; }
  static Node of(std::string value) { return Node{Kind::kString, 0, std::move(value), {}}; }
  static Node object(Members members = {}) {
    return Node{Kind::kObject, 0, {}, std::move(members)};
  }
  static Node array(std::vector<Node> elements = {});

  bool is(Kind other) const { return kind == other; }
  bool is_nullish() const { return kind == Kind::kMissing || kind == Kind::kNull; }
  // The member of an object, missing if there is none or this is no object.
  Node get(const std::string& name) const;
  // Adds or replaces; a missing value removes.
  void set(const std::string& name, Node value);
};

using Path = std::vector<std::string>;
Path path_of(const std::string& dotted);

// Canonical order: -1, 0, 1.
int compare(const Node& a, const Node& b);
inline bool equal(const Node& a, const Node& b) { return compare(a, b) == 0; }

bson::Value to_bson(const Node& node);
bson::Document to_document(const Node& object);

// Whether a document matches a query made of the operators that Generator::query uses.
bool matches(const Node& document, const Node& query);

// The documents that a pipeline of the stages that Generator::stages uses gives; `foreign` is the
// collection "f".
std::vector<Node> run(const std::vector<Node>& stages, std::vector<Node> documents,
                      const std::vector<Node>& foreign);

// The document after an update of the operators that Generator::update uses, or nothing where it
// must fail.
std::optional<Node> updated(const Node& document, const Node& update);

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }
  bool chance(int percent) { return below(100) < percent; }

  Node scalar();
  Node value(int depth);
  Node document(int id);
  Node query(int depth);
  std::vector<Node> stages();
  Node update();

 private:
  std::string path();
  Node condition();
  Node stage();
  Node group_stage();

  std::mt19937_64 random_;
};

}  // namespace restitch::query::reference
