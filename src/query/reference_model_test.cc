#include "query/reference_model.h"

#include <algorithm>

namespace restitch::query::reference {
namespace {

using Kind = Node::Kind;

int rank_of(Kind kind) {
  switch (kind) {
    case Kind::kMissing:
      return 0;
    case Kind::kNull:
      return 1;
    case Kind::kNumber:
      return 2;
    case Kind::kString:
      return 3;
    case Kind::kObject:
      return 4;
    case Kind::kArray:
      return 5;
    case Kind::kBool:
      return 6;
  }
  return 7;
}

int sign(int value) { return (value > 0) - (value < 0); }

std::optional<std::size_t> index_of(const std::string& name) {
  if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return static_cast<std::size_t>(std::stoul(name));
}

// ---- queries

// A value at the end of a path. `is_element` when the last component was an array index: such a
// value is not entered.
struct Candidate {
  Node value;
  bool is_element;
};

void collect(const Node& at, const Path& path, std::size_t depth, std::vector<Candidate>& out) {
  if (depth == path.size()) {
    out.push_back({at, false});
    return;
  }
  if (at.is(Kind::kObject)) {
    collect(at.get(path[depth]), path, depth + 1, out);
  } else if (at.is(Kind::kArray)) {
    for (const auto& [name, element] : at.members) {
      if (element.is(Kind::kObject)) collect(element, path, depth, out);
    }
    const auto index = index_of(path[depth]);
    if (index && *index < at.members.size()) {
      const Node& element = at.members[*index].second;
      if (depth + 1 == path.size()) {
        out.push_back({element, true});
      } else if (element.is(Kind::kObject) || element.is(Kind::kArray)) {
        collect(element, path, depth + 1, out);
      }
    }
  } else {
    out.push_back({Node(), false});
  }
}

template <typename Predicate>
bool any_value(const Node& document, const Path& path, bool enters_arrays, Predicate predicate) {
  std::vector<Candidate> candidates;
  collect(document, path, 0, candidates);
  for (const Candidate& candidate : candidates) {
    if (predicate(candidate.value)) return true;
    if (!enters_arrays || candidate.is_element || !candidate.value.is(Kind::kArray)) continue;
    for (const auto& [name, element] : candidate.value.members) {
      if (predicate(element)) return true;
    }
  }
  return false;
}

bool equals(const Node& value, const Node& operand) {
  if (operand.is(Kind::kNull)) return value.is_nullish();
  return !value.is(Kind::kMissing) && equal(value, operand);
}

// $lt and its kin compare values of one class only; null equals null and missing.
bool ordered(const Node& value, const Node& operand, bool less, bool or_equal) {
  if (operand.is(Kind::kNull)) return or_equal && value.is_nullish();
  if (value.kind != operand.kind) return false;
  const int order = compare(value, operand);
  return (or_equal && order == 0) || (less ? order < 0 : order > 0);
}

bool is_operator(const Node& node) {
  return node.is(Kind::kObject) && !node.members.empty() &&
         node.members.front().first.front() == '$';
}

bool test_field(const Node& document, const Path& path, const std::string& name,
                const Node& operand);

bool test_condition(const Node& document, const Path& path, const Node& condition) {
  if (!is_operator(condition)) {
    return any_value(document, path, true,
                     [&](const Node& value) { return equals(value, condition); });
  }
  return std::all_of(condition.members.begin(), condition.members.end(), [&](const auto& member) {
    return test_field(document, path, member.first, member.second);
  });
}

bool test_element(const Node& element, const Node& operand) {
  if (is_operator(operand)) {
    // The element itself stands for the value; it is looked at as it is.
    return std::all_of(operand.members.begin(), operand.members.end(), [&](const auto& member) {
      if (member.first == "$eq") return equals(element, member.second);
      const bool less = member.first == "$lt" || member.first == "$lte";
      return ordered(element, member.second, less, member.first.size() == 4);
    });
  }
  if (!element.is(Kind::kArray)) return element.is(Kind::kObject) && matches(element, operand);
  // A nested array is taken as an object whose names are the positions.
  Node object = Node::object(element.members);
  for (std::size_t i = 0; i < object.members.size(); ++i)
    object.members[i].first = std::to_string(i);
  return matches(object, operand);
}

bool test_field(const Node& document, const Path& path, const std::string& name,
                const Node& operand) {
  const auto any = [&](auto predicate) { return any_value(document, path, true, predicate); };
  const auto in_list = [&](const Node& value) {
    return std::any_of(operand.members.begin(), operand.members.end(),
                       [&](const auto& member) { return equals(value, member.second); });
  };
  if (name == "$eq") return any([&](const Node& value) { return equals(value, operand); });
  if (name == "$ne") return !any([&](const Node& value) { return equals(value, operand); });
  if (name == "$gt")
    return any([&](const Node& value) { return ordered(value, operand, false, false); });
  if (name == "$gte")
    return any([&](const Node& value) { return ordered(value, operand, false, true); });
  if (name == "$lt")
    return any([&](const Node& value) { return ordered(value, operand, true, false); });
  if (name == "$lte")
    return any([&](const Node& value) { return ordered(value, operand, true, true); });
  if (name == "$in") return any(in_list);
  if (name == "$nin") return !any(in_list);
  if (name == "$not") return !test_condition(document, path, operand);
  if (name == "$exists") {
    const bool exists = any_value(document, path, false,
                                  [](const Node& value) { return !value.is(Kind::kMissing); });
    return exists == (operand.number != 0);
  }
  if (name == "$size") {
    return any_value(document, path, false, [&](const Node& value) {
      return value.is(Kind::kArray) && static_cast<int>(value.members.size()) == operand.number;
    });
  }
  if (name == "$all") {
    return !operand.members.empty() &&
           std::all_of(operand.members.begin(), operand.members.end(), [&](const auto& member) {
             return any([&](const Node& value) { return equals(value, member.second); });
           });
  }
  // $elemMatch
  return any_value(document, path, false, [&](const Node& value) {
    return value.is(Kind::kArray) &&
           std::any_of(value.members.begin(), value.members.end(),
                       [&](const auto& member) { return test_element(member.second, operand); });
  });
}

// ---- expressions and projections

// "$a.b" as aggregation reads it: arrays map and drop what is missing, numbers are names.
Node value_at(const Node& at, const Path& path, std::size_t depth = 0) {
  if (depth == path.size()) return at;
  if (at.is(Kind::kObject)) return value_at(at.get(path[depth]), path, depth + 1);
  if (!at.is(Kind::kArray)) return {};
  std::vector<Node> mapped;
  for (const auto& [name, element] : at.members) {
    Node value = value_at(element, path, depth);
    if (!value.is(Kind::kMissing)) mapped.push_back(std::move(value));
  }
  return Node::array(std::move(mapped));
}

Node evaluate(const Node& expression, const Node& document) {
  if (expression.is(Kind::kString) && expression.text.front() == '$') {
    return value_at(document, path_of(expression.text.substr(1)));
  }
  if (!expression.is(Kind::kObject)) return expression;
  Node out = Node::object();
  for (const auto& [name, member] : expression.members) out.set(name, evaluate(member, document));
  return out;
}

// The members of `tree` are paths' components: a number keeps (or drops), an object goes on.
Node project(const Node& value, const Node& tree, bool including) {
  if (value.is(Kind::kArray)) {
    std::vector<Node> out;
    for (const auto& [name, element] : value.members) {
      const bool is_container = element.is(Kind::kObject) || element.is(Kind::kArray);
      if (is_container) out.push_back(project(element, tree, including));
      if (!is_container && !including) out.push_back(element);
    }
    return Node::array(std::move(out));
  }
  Node out = Node::object();
  for (const auto& [name, member] : value.members) {
    const Node step = tree.get(name);
    if (step.is(Kind::kMissing)) {
      if (!including) out.members.emplace_back(name, member);
    } else if (step.is(Kind::kNumber)) {
      if (including) out.members.emplace_back(name, member);
    } else if (member.is(Kind::kObject) || member.is(Kind::kArray)) {
      out.members.emplace_back(name, project(member, step, including));
    } else if (!including) {
      out.members.emplace_back(name, member);
    }
  }
  return out;
}

// ---- stages

Node group_key(const Node& key) { return key.is(Kind::kMissing) ? Node::null() : key; }

Node accumulate(const std::string& name, const Node& argument, const std::vector<Node>& documents) {
  std::vector<Node> values;
  for (const Node& document : documents) values.push_back(evaluate(argument, document));
  if (name == "$first" || name == "$last") {
    return group_key(name == "$first" ? values.front() : values.back());
  }
  int sum = 0;
  Node best = Node::null();
  std::vector<Node> list;
  for (const Node& value : values) {
    if (value.is(Kind::kNumber)) sum += value.number;
    if (value.is(Kind::kMissing)) continue;
    const bool is_known = std::any_of(list.begin(), list.end(),
                                      [&](const Node& other) { return equal(other, value); });
    if (name == "$push" || !is_known) list.push_back(value);
    if (value.is(Kind::kNull)) continue;
    const int order = best.is(Kind::kNull) ? 0 : compare(value, best);
    if (best.is(Kind::kNull) || (name == "$min" ? order < 0 : order > 0)) best = value;
  }
  if (name == "$sum") return Node::of(sum);
  if (name == "$min" || name == "$max") return best;
  return Node::array(std::move(list));
}

std::vector<Node> group(const Node& spec, const std::vector<Node>& documents) {
  std::vector<std::pair<Node, std::vector<Node>>> groups;
  for (const Node& document : documents) {
    const Node key = group_key(evaluate(spec.get("_id"), document));
    const auto at = std::find_if(groups.begin(), groups.end(),
                                 [&](const auto& entry) { return equal(entry.first, key); });
    if (at == groups.end()) {
      groups.emplace_back(key, std::vector<Node>{document});
    } else {
      at->second.push_back(document);
    }
  }
  std::vector<Node> out;
  for (const auto& [key, members] : groups) {
    Node result = Node::object({{"_id", key}});
    for (const auto& [name, call] : spec.members) {
      if (name == "_id") continue;
      const auto& [op, argument] = call.members.front();
      result.members.emplace_back(name, accumulate(op, argument, members));
    }
    out.push_back(std::move(result));
  }
  return out;
}

// The sort key of a field: of an array the least or greatest element, of an empty one what is below
// null.
Node sort_key(const Node& document, const std::string& field, int direction) {
  const Node value = document.get(field);
  if (!value.is(Kind::kArray)) return group_key(value);
  if (value.members.empty()) return Node();
  Node best = value.members.front().second;
  for (const auto& [name, element] : value.members) {
    if (compare(element, best) * direction < 0) best = element;
  }
  return best;
}

std::vector<Node> sorted(const Node& spec, std::vector<Node> documents) {
  const auto precedes = [&](const Node& a, const Node& b) {
    for (const auto& [field, direction] : spec.members) {
      const int order =
          compare(sort_key(a, field, direction.number), sort_key(b, field, direction.number));
      if (order != 0) return order * direction.number < 0;
    }
    return false;
  };
  // Insertion sort: equal documents keep their order.
  std::vector<Node> out;
  for (Node& document : documents) {
    auto at = out.end();
    while (at != out.begin() && precedes(document, *(at - 1))) --at;
    out.insert(at, std::move(document));
  }
  return out;
}

std::vector<Node> unwind(const Node& spec, const std::vector<Node>& documents) {
  const std::string field = spec.get("path").text.substr(1);
  const bool preserves = spec.get("preserveNullAndEmptyArrays").number != 0;
  std::vector<Node> out;
  for (const Node& document : documents) {
    const Node value = document.get(field);
    if (value.is(Kind::kArray)) {
      for (const auto& [name, element] : value.members) {
        Node copy = document;
        copy.set(field, element);
        out.push_back(std::move(copy));
      }
      if (!value.members.empty() || !preserves) continue;
      Node copy = document;
      copy.set(field, Node());
      out.push_back(std::move(copy));
    } else if (!value.is_nullish() || preserves) {
      out.push_back(document);
    }
  }
  return out;
}

std::vector<Node> look_up(const Node& spec, const std::vector<Node>& documents,
                          const std::vector<Node>& foreign) {
  std::vector<Node> out;
  for (const Node& document : documents) {
    const Node local = document.get(spec.get("localField").text);
    std::vector<Node> keys;
    if (local.is(Kind::kArray)) {
      for (const auto& [name, element] : local.members) keys.push_back(element);
    } else {
      keys.push_back(group_key(local));
    }
    std::vector<Node> found;
    for (const Node& candidate : foreign) {
      const Path path = path_of(spec.get("foreignField").text);
      const bool joins = std::any_of(keys.begin(), keys.end(), [&](const Node& key) {
        return any_value(candidate, path, true,
                         [&](const Node& value) { return equals(value, key); });
      });
      if (joins) found.push_back(candidate);
    }
    Node joined = document;
    joined.set(spec.get("as").text, Node::array(std::move(found)));
    out.push_back(std::move(joined));
  }
  return out;
}

std::vector<Node> apply(const std::string& name, const Node& spec, std::vector<Node> documents,
                        const std::vector<Node>& foreign) {
  if (name == "$match") {
    std::erase_if(documents, [&](const Node& document) { return !matches(document, spec); });
    return documents;
  }
  if (name == "$group") return group(spec, documents);
  if (name == "$sort") return sorted(spec, std::move(documents));
  if (name == "$unwind") return unwind(spec, documents);
  if (name == "$lookup") return look_up(spec, documents, foreign);
  if (name == "$limit") {
    documents.resize(std::min(documents.size(), static_cast<std::size_t>(spec.number)));
    return documents;
  }
  if (name == "$skip") {
    const auto count = std::min(documents.size(), static_cast<std::size_t>(spec.number));
    documents.erase(documents.begin(), documents.begin() + static_cast<std::ptrdiff_t>(count));
    return documents;
  }
  for (Node& document : documents) {
    if (name == "$project") {
      const bool including = spec.members.back().second.number != 0;
      Node tree = spec;
      if (including && tree.get("_id").is(Kind::kMissing)) tree.set("_id", Node::of(1));
      document = project(document, tree, including);
    } else {  // $set: every value is computed from the document as it was
      const Node before = document;
      for (const auto& [field, expression] : spec.members)
        document.set(field, evaluate(expression, before));
    }
  }
  return documents;
}

// ---- updates

// What happens to the value at the end of a path; nothing: error.
std::optional<Node> modified(const std::string& op, const Node& operand, const Node& value) {
  const bool is_missing = value.is(Kind::kMissing);
  if (op == "$set") return operand;
  if (op == "$unset") return Node();
  if (op == "$inc" || op == "$mul") {
    if (is_missing) return op == "$inc" ? operand : Node::of(0);
    if (!value.is(Kind::kNumber)) return std::nullopt;
    return Node::of(op == "$inc" ? value.number + operand.number : value.number * operand.number);
  }
  if (op == "$min" || op == "$max") {
    if (is_missing) return operand;
    const int order = compare(operand, value);
    return (op == "$min" ? order < 0 : order > 0) ? operand : value;
  }
  if (op == "$pop") {
    if (is_missing) return Node();
    if (!value.is(Kind::kArray)) return std::nullopt;
    Node out = value;
    if (!out.members.empty())
      out.members.erase(operand.number > 0 ? out.members.end() - 1 : out.members.begin());
    return out;
  }
  if (op == "$pull") {
    if (is_missing) return Node();
    if (!value.is(Kind::kArray)) return std::nullopt;
    Node out = value;
    std::erase_if(out.members, [&](const auto& member) { return equal(member.second, operand); });
    return out;
  }
  // $push, $addToSet
  if (!is_missing && !value.is(Kind::kArray)) return std::nullopt;
  Node out = is_missing ? Node::array() : value;
  const bool is_known =
      std::any_of(out.members.begin(), out.members.end(),
                  [&](const auto& member) { return equal(member.second, operand); });
  if (op == "$push" || !is_known) out.members.emplace_back("", operand);
  return out;
}

// False: error.
bool update_at(Node& at, const Path& path, std::size_t depth, const std::string& op,
               const Node& operand) {
  const bool creates = op != "$unset" && op != "$pop" && op != "$pull";
  if (!at.is(Kind::kObject)) return op == "$unset";
  const bool is_last = depth + 1 == path.size();
  Node value = at.get(path[depth]);
  if (is_last) {
    const auto out = modified(op, operand, value);
    if (!out) return false;
    at.set(path[depth], *out);
    return true;
  }
  if (value.is(Kind::kMissing)) {
    if (!creates) return true;
    value = Node::object();
  }
  if (!update_at(value, path, depth + 1, op, operand)) return false;
  at.set(path[depth], std::move(value));
  return true;
}

}  // namespace

Node Node::array(std::vector<Node> elements) {
  Node out{Kind::kArray, 0, {}, {}};
  for (Node& element : elements) out.members.emplace_back("", std::move(element));
  return out;
}

Node Node::get(const std::string& name) const {
  for (const auto& [other, member] : members) {
    if (kind == Kind::kObject && other == name) return member;
  }
  return {};
}

void Node::set(const std::string& name, Node value) {
  const auto at = std::find_if(members.begin(), members.end(),
                               [&](const auto& member) { return member.first == name; });
  if (value.is(Kind::kMissing)) {
    if (at != members.end()) members.erase(at);
  } else if (at != members.end()) {
    at->second = std::move(value);
  } else {
    members.emplace_back(name, std::move(value));
  }
}

Path path_of(const std::string& dotted) {
  Path path(1);
  for (const char c : dotted) {
    if (c == '.') {
      path.emplace_back();
    } else {
      path.back().push_back(c);
    }
  }
  return path;
}

int compare(const Node& a, const Node& b) {
  if (a.kind != b.kind) return sign(rank_of(a.kind) - rank_of(b.kind));
  if (a.is(Kind::kNumber) || a.is(Kind::kBool)) return sign(a.number - b.number);
  if (a.is(Kind::kString)) return sign(a.text.compare(b.text));
  for (std::size_t i = 0; i < std::min(a.members.size(), b.members.size()); ++i) {
    const auto& [name_a, value_a] = a.members[i];
    const auto& [name_b, value_b] = b.members[i];
    int order = sign(rank_of(value_a.kind) - rank_of(value_b.kind));
    if (order == 0 && a.is(Kind::kObject)) order = sign(name_a.compare(name_b));
    if (order == 0) order = compare(value_a, value_b);
    if (order != 0) return order;
  }
  return sign(static_cast<int>(a.members.size()) - static_cast<int>(b.members.size()));
}

bson::Document to_document(const Node& object) {
  bson::Builder builder;
  for (const auto& [name, member] : object.members) builder.append(name, to_bson(member));
  return std::move(builder).finish();
}

bson::Value to_bson(const Node& node) {
  switch (node.kind) {
    case Kind::kMissing:
      return {};
    case Kind::kNull:
      return bson::Value::null();
    case Kind::kNumber:
      return bson::Value::of(static_cast<std::int32_t>(node.number));
    case Kind::kBool:
      return bson::Value::of(node.number != 0);
    case Kind::kString:
      return bson::Value::of(node.text);
    case Kind::kObject:
      return bson::Value::of(to_document(node));
    case Kind::kArray: {
      bson::Builder builder;
      for (const auto& [name, member] : node.members) builder.push(to_bson(member));
      return bson::Value::array(std::move(builder).finish());
    }
  }
  return {};
}

bool matches(const Node& document, const Node& query) {
  return std::all_of(query.members.begin(), query.members.end(), [&](const auto& member) {
    const auto& [name, operand] = member;
    const auto holds = [&](const auto& clause) { return matches(document, clause.second); };
    if (name == "$and") return std::all_of(operand.members.begin(), operand.members.end(), holds);
    if (name == "$or") return std::any_of(operand.members.begin(), operand.members.end(), holds);
    if (name == "$nor") return std::none_of(operand.members.begin(), operand.members.end(), holds);
    return test_condition(document, path_of(name), operand);
  });
}

std::vector<Node> run(const std::vector<Node>& stages, std::vector<Node> documents,
                      const std::vector<Node>& foreign) {
  for (const Node& stage : stages) {
    const auto& [name, spec] = stage.members.front();
    documents = apply(name, spec, std::move(documents), foreign);
  }
  return documents;
}

std::optional<Node> updated(const Node& document, const Node& update) {
  // All operators act in the order of their paths.
  std::vector<std::pair<Path, std::pair<std::string, Node>>> actions;
  for (const auto& [op, fields] : update.members) {
    for (const auto& [path, operand] : fields.members)
      actions.push_back({path_of(path), {op, operand}});
  }
  std::sort(actions.begin(), actions.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  Node out = document;
  for (const auto& [path, action] : actions) {
    if (!update_at(out, path, 0, action.first, action.second)) return std::nullopt;
  }
  return out;
}

// ---- random specifications

Node Generator::scalar() {
  switch (below(6)) {
    case 0:
      return Node::null();
    case 1:
      return Node::of(std::string(1, static_cast<char>('p' + below(3))));
    case 2:
      return Node::of(chance(50));
    default:
      return Node::of(below(4));
  }
}

Node Generator::value(int depth) {
  const int kind = below(10);
  if (depth == 0 || kind < 5) return scalar();
  if (kind < 8) {
    std::vector<Node> elements(static_cast<std::size_t>(below(4)));
    for (Node& element : elements) element = value(depth - 1);
    return Node::array(std::move(elements));
  }
  Node out = Node::object();
  for (const char* name : {"x", "y", "0"}) {
    if (chance(50)) out.set(name, value(depth - 1));
  }
  return out;
}

Node Generator::document(int id) {
  Node out = Node::object({{"_id", Node::of(id)}});
  for (const char* name : {"a", "b", "c"}) {
    if (chance(75)) out.set(name, value(2));
  }
  return out;
}

std::string Generator::path() {
  std::string out(1, static_cast<char>('a' + below(3)));
  if (chance(40)) out += std::string(".") + (chance(40) ? "x" : chance(50) ? "y" : "0");
  return out;
}

Node Generator::condition() {
  const auto list = [&] {
    std::vector<Node> values(static_cast<std::size_t>(1 + below(3)));
    for (Node& value : values) value = this->value(1);
    return Node::array(std::move(values));
  };
  switch (below(12)) {
    case 0: {
      const Node literal = value(1);
      return literal;
    }
    case 1:
      return Node::object({{"$ne", value(1)}});
    case 2:
      return Node::object({{"$gt", value(1)}});
    case 3:
      return Node::object({{"$gte", value(1)}, {"$lt", value(1)}});
    case 4:
      return Node::object({{"$lte", value(1)}});
    case 5:
      return Node::object({{"$in", list()}});
    case 6:
      return Node::object({{"$nin", list()}});
    case 7:
      return Node::object({{"$exists", Node::of(chance(50))}});
    case 8:
      return Node::object({{"$size", Node::of(below(3))}});
    case 9:
      return Node::object({{"$all", list()}});
    case 10:
      return Node::object({{"$not", Node::object({{"$lt", value(1)}})}});
    default:
      return Node::object({{"$elemMatch", chance(50) ? Node::object({{"$gte", scalar()}})
                                                     : Node::object({{"x", scalar()}})}});
  }
}

Node Generator::query(int depth) {
  if (depth > 0 && chance(40)) {
    std::vector<Node> clauses(static_cast<std::size_t>(1 + below(2)));
    for (Node& clause : clauses) clause = query(depth - 1);
    const char* const names[] = {"$and", "$or", "$nor"};
    return Node::object({{names[below(3)], Node::array(std::move(clauses))}});
  }
  Node out = Node::object();
  out.set(path(), condition());
  if (chance(30)) out.set(path(), condition());
  return out;
}

Node Generator::group_stage() {
  const auto field = [&] { return Node::of("$" + path()); };
  Node spec = Node::object(
      {{"_id", chance(30) ? Node::object({{"u", field()}, {"v", field()}}) : field()}});
  const char* const names[] = {"$sum", "$first", "$last", "$push", "$addToSet", "$min", "$max"};
  for (const char* member : {"b", "c"})
    spec.set(member, Node::object({{names[below(7)], field()}}));
  return Node::object({{"$group", spec}});
}

Node Generator::stage() {
  switch (below(9)) {
    case 0:
    case 1:
      return Node::object({{"$match", query(2)}});
    case 2:
      return group_stage();
    case 3: {
      Node spec = Node::object({{chance(50) ? "a" : "b", Node::of(chance(50) ? 1 : -1)}});
      return Node::object({{"$sort", spec}});
    }
    case 4:
      return Node::object(
          {{"$unwind",
            Node::object({{"path", Node::of(std::string("$") + (chance(50) ? "a" : "b"))},
                          {"preserveNullAndEmptyArrays", Node::of(chance(50))}})}});
    case 5:
      return Node::object(
          {{"$lookup", Node::object({{"from", Node::of(std::string("f"))},
                                     {"localField", Node::of(std::string(chance(50) ? "a" : "b"))},
                                     {"foreignField", Node::of(path())},
                                     {"as", Node::of(std::string("c"))}})}});
    case 6: {
      const Node flag = Node::of(chance(50) ? 1 : 0);
      Node spec = Node::object({{"a", flag}});
      spec.set("c", chance(40) ? Node::object({{"x", flag}}) : flag);
      spec.set("b", flag);
      return Node::object({{"$project", spec}});
    }
    case 7:
      return Node::object({{chance(50) ? "$skip" : "$limit", Node::of(1 + below(5))}});
    default:
      return Node::object(
          {{"$set", Node::object({{"b", Node::of("$" + path())}, {"c", Node::of("$" + path())}})}});
  }
}

std::vector<Node> Generator::stages() {
  std::vector<Node> out(static_cast<std::size_t>(1 + below(5)));
  for (Node& stage : out) stage = this->stage();
  return out;
}

Node Generator::update() {
  const char* const names[] = {"$set", "$unset", "$inc",  "$mul",  "$min",
                               "$max", "$pop",   "$pull", "$push", "$addToSet"};
  Node out = Node::object();
  for (const char* field : {"a", "b.x", "b.y", "c"}) {
    if (!chance(50)) continue;
    const std::string op = names[below(10)];
    Node operand = op == "$inc" || op == "$mul" ? Node::of(1 + below(3))
                   : op == "$pop"               ? Node::of(chance(50) ? 1 : -1)
                   : op == "$unset"             ? Node::of(1)
                   : op == "$pull"              ? scalar()
                                                : value(1);
    Node fields = out.get(op);
    if (fields.is(Node::Kind::kMissing)) fields = Node::object();
    fields.set(field, std::move(operand));
    out.set(op, std::move(fields));
  }
  if (out.members.empty()) out.set("$set", Node::object({{"a", scalar()}}));
  return out;
}

}  // namespace restitch::query::reference
