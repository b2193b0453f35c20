#include "query/update/applier.h"

#include <algorithm>

#include "query/element_text.h"
#include "query/path.h"

namespace restitch::query {
namespace {

using Kind = UpdateNode::Kind;

constexpr std::size_t kMaxPadding = 1500000;

bool same_bytes(bson::ValueView a, bson::ValueView b) {
  return a.type() == b.type() && a.raw() == b.raw();
}

Error not_an_array(const std::string& element) {
  return mongo_error(2, "Cannot apply array updates to non-array element " + element);
}

Error path_must_exist(const std::string& path) {
  return mongo_error(
      2, "The path '" + path + "' must exist in the document in order to apply array updates.");
}

}  // namespace

Result<bson::Document> UpdateApplier::run() {
  RESTITCH_CHECK(check_renames(update_, context_.document));
  RESTITCH_CHECK(write_fields({&update_.root}, context_.document));
  return std::move(out_).finish();
}

void UpdateApplier::add_step(Steps& steps, std::string_view name, const UpdateNode& node) {
  if (steps.empty() || precedes(steps.back().name, name)) {
    steps.push_back({std::string(name), {&node}});
    return;
  }
  const auto at = lower_bound(steps, name);
  if (at->name == name) {
    at->nodes.push_back(&node);
  } else {
    steps.insert(at, {std::string(name), {&node}});
  }
}

UpdateApplier::Steps::iterator UpdateApplier::lower_bound(Steps& steps, std::string_view name) {
  return std::lower_bound(
      steps.begin(), steps.end(), name,
      [](const Step& step, std::string_view other) { return precedes(step.name, other); });
}

UpdateApplier::Step* UpdateApplier::find_step(Steps& steps, std::string_view name) {
  constexpr std::size_t kSearched = 8;
  auto at = steps.begin();
  if (steps.size() > kSearched) {
    at = lower_bound(steps, name);
  } else {
    while (at != steps.end() && at->name != name) ++at;
  }
  return at != steps.end() && at->name == name && !at->done ? &*at : nullptr;
}

// What acts on the fields below, in the order of application.
Result<UpdateApplier::Steps> UpdateApplier::steps_below(const Nodes& nodes) const {
  Steps steps;
  for (const UpdateNode* node : nodes) {
    for (const UpdateChild& child : node->children) add_step(steps, child.name, *child.node);
    if (node->positional == nullptr) continue;
    if (!matched_index_) {
      return mongo_error(2,
                         "The positional operator did not find the match needed from the query.");
    }
    add_step(steps, std::to_string(*matched_index_), *node->positional);
  }
  return steps;
}

Status UpdateApplier::write_fields(const Nodes& nodes, bson::View object) {
  RESTITCH_TRY(Steps steps, steps_below(nodes));
  std::size_t left = steps.size();
  const bson::View::Iterator end = object.end();
  for (auto at = object.begin(); at != end; ++at) {
    Step* const found = left == 0 ? nullptr : find_step(steps, at->name);
    if (found == nullptr) {
      out_.append_raw(at.raw());
      continue;
    }
    found->done = true;
    --left;
    RESTITCH_CHECK(write_field(*found, *at, at.raw()));
  }
  for (const Step& step : steps) {
    if (!step.done) RESTITCH_CHECK(create_field(step));
  }
  return {};
}

Status UpdateApplier::write_field(const Step& step, const bson::Element& element,
                                  std::string_view raw) {
  RESTITCH_TRY(const Kind kind, common_kind(step.nodes, step.name));
  if (kind != Kind::kLeaf) {
    const bson::Type type = element.value.type();
    if (type == bson::Type::kObject && kind == Kind::kFields) {
      out_.open_object(element.name);
    } else if (type == bson::Type::kArray) {
      out_.open_array(element.name);
    } else {
      RESTITCH_CHECK(check_traversable(step.nodes, element.name, element.value));
      out_.append_raw(raw);
      return {};
    }
    RESTITCH_CHECK(write_container(step.nodes, element.name, element.value));
    out_.close();
    return {};
  }
  RESTITCH_TRY(const Change change, modify(*step.nodes.front(), step.name, element.value));
  if (change.kind == Change::Kind::kNone) {
    out_.append_raw(raw);
    return {};
  }
  ++changes_;
  if (change.kind == Change::Kind::kRemove) {
    if (logging_) log_here().remove(step.name);
    return {};
  }
  out_.append(element.name, change.value());
  log_change(step.name, change);
  return {};
}

Status UpdateApplier::create_field(const Step& step) {
  RESTITCH_TRY(const bson::Value value, build(step.nodes, step.name));
  if (value.is_missing()) return {};
  ++changes_;
  out_.append(step.name, value);
  if (logging_) log_here().insert(step.name);
  return {};
}

Status UpdateApplier::write_container(const Nodes& nodes, std::string_view name,
                                      bson::ValueView value) {
  const bool is_array = value.type() == bson::Type::kArray;
  const bool filtered = nodes.front()->kind == Kind::kFilteredElements;
  if (is_array && !filtered) RESTITCH_CHECK(check_traversable(nodes, name, value));
  frames_.push_back({std::string(name), is_array});
  Status status;
  if (!is_array) {
    status = write_fields(nodes, value.get_document());
  } else if (filtered) {
    status = write_filtered(nodes, value.get_document());
  } else {
    status = write_indexed(nodes, value.get_document());
  }
  frames_.pop_back();
  return status;
}

// Steps into an array by number.
Status UpdateApplier::write_indexed(const Nodes& nodes, bson::View array) {
  RESTITCH_TRY(Steps steps, steps_below(nodes));
  std::vector<std::pair<std::size_t, Step*>> indexed;
  for (Step& step : steps) {
    if (const auto index = array_index(step.name)) indexed.emplace_back(*index, &step);
  }
  std::sort(indexed.begin(), indexed.end());
  auto next = indexed.begin();
  std::size_t position = 0;
  for (const bson::Element& element : array) {
    if (next == indexed.end() || next->first != position) {
      out_.push(element.value);
    } else {
      Step& step = *next->second;
      ++next;
      step.done = true;
      RESTITCH_CHECK(write_element(step.nodes, step.name, element.value));
    }
    ++position;
  }
  return append_elements(steps, position);
}

Status UpdateApplier::append_elements(Steps& steps, std::size_t count) {
  for (const Step& step : steps) {
    const auto index = array_index(step.name);
    if (step.done || !index) continue;
    RESTITCH_TRY(const bson::Value value, build(step.nodes, step.name));
    if (value.is_missing()) continue;
    if (*index - count > kMaxPadding) {
      return mongo_error(34,
                         "can't backfill more than " + std::to_string(kMaxPadding) + " elements");
    }
    while (count < *index) {
      out_.push(bson::Null{});
      ++count;
    }
    out_.push(value);
    ++count;
    ++changes_;
    log_update(step.name);
  }
  return {};
}

// For each element the nodes whose filters select it.
Result<std::vector<UpdateApplier::Nodes>> UpdateApplier::select(const Nodes& nodes,
                                                                bson::View array) const {
  std::vector<Nodes> selected;
  for (const bson::Element& element : array) {
    Nodes& mine = selected.emplace_back();
    for (const UpdateNode* node : nodes) {
      for (const UpdateChild& child : node->children) {
        bool matched = child.name.empty();
        if (!matched) {
          const Filter& filter = update_.find_filter(child.name)->filter;
          RESTITCH_TRY(matched, filter.matches_value(element.value));
        }
        if (matched) mine.push_back(child.node.get());
      }
    }
  }
  return selected;
}

// One selected element is logged by its own paths; of several, the one that changed as a whole, or
// the array.
Status UpdateApplier::write_filtered(const Nodes& nodes, bson::View array) {
  RESTITCH_TRY(const std::vector<Nodes> selected, select(nodes, array));
  const auto count = std::count_if(selected.begin(), selected.end(),
                                   [](const Nodes& mine) { return !mine.empty(); });
  const bool outer_logging = logging_;
  logging_ = outer_logging && count <= 1;
  std::size_t position = 0;
  std::size_t changed_elements = 0;
  std::size_t changed_position = 0;
  for (const bson::Element& element : array) {
    if (selected[position].empty()) {
      out_.push(element.value);
    } else {
      const std::size_t before = changes_;
      RESTITCH_CHECK(write_element(selected[position], std::to_string(position), element.value));
      if (changes_ != before) {
        ++changed_elements;
        changed_position = position;
      }
    }
    ++position;
  }
  logging_ = outer_logging;
  if (count <= 1 || changed_elements == 0) return {};
  if (changed_elements == 1) {
    log_update(std::to_string(changed_position));
    return {};
  }
  const Frame frame = std::move(frames_.back());
  frames_.pop_back();
  log_update(frame.name);
  frames_.push_back(frame);
  return {};
}

Status UpdateApplier::write_element(const Nodes& nodes, std::string_view name,
                                    bson::ValueView value) {
  RESTITCH_TRY(const Kind kind, common_kind(nodes, name));
  if (kind != Kind::kLeaf) {
    if (value.type() == bson::Type::kObject && kind == Kind::kFields) {
      out_.push_object();
    } else if (value.type() == bson::Type::kArray) {
      out_.push_open_array();
    } else {
      RESTITCH_CHECK(check_traversable(nodes, name, value));
      out_.push(value);
      return {};
    }
    RESTITCH_CHECK(write_container(nodes, name, value));
    out_.close();
    return {};
  }
  RESTITCH_TRY(Change change, modify(*nodes.front(), name, value));
  if (change.kind == Change::Kind::kRemove) change = Change::set(bson::Value::null());
  if (change.kind == Change::Kind::kNone || same_bytes(change.value(), value)) {
    out_.push(value);
    return {};
  }
  ++changes_;
  out_.push(change.value());
  log_change(name, change);
  return {};
}

Result<bson::Value> UpdateApplier::build(const Nodes& nodes, std::string_view name) {
  RESTITCH_TRY(const Kind kind, common_kind(nodes, name));
  if (kind == Kind::kFilteredElements) return path_must_exist(path_to(name));
  if (kind == Kind::kLeaf) {
    if (!nodes.front()->modifier->creates()) return bson::Value();
    RESTITCH_TRY(const Change change, modify(*nodes.front(), name, {}));
    return change.kind == Change::Kind::kSet ? bson::Value(change.value()) : bson::Value();
  }
  RESTITCH_TRY(const Steps steps, steps_below(nodes));
  frames_.push_back({std::string(name), false});
  bson::Builder object;
  bool any = false;
  for (const Step& step : steps) {
    RESTITCH_TRY(const bson::Value value, build(step.nodes, step.name));
    any = any || !value.is_missing();
    object.append(step.name, value);
  }
  frames_.pop_back();
  return any ? bson::Value::of(std::move(object).finish()) : bson::Value();
}

Result<Change> UpdateApplier::modify(const UpdateNode& leaf, std::string_view name,
                                     bson::ValueView value) const {
  RESTITCH_TRY(Change change, leaf.modifier->apply({context_, value, name}));
  if (change.kind == Change::Kind::kSet && same_bytes(change.value(), value)) return Change::none();
  return change;
}

// Fails unless every modifier below tolerates that its path ends at `value`. Numbers do lead into
// an array.
Status UpdateApplier::check_traversable(const Nodes& nodes, std::string_view name,
                                        bson::ValueView value) const {
  for (const UpdateNode* node : nodes) {
    if (node->kind == Kind::kFilteredElements) return not_an_array(element_text(name, value));
  }
  RESTITCH_TRY(const Steps steps, steps_below(nodes));
  for (const Step& step : steps) {
    if (value.type() == bson::Type::kArray && array_index(step.name)) continue;
    Nodes pending = step.nodes;
    while (!pending.empty()) {
      const UpdateNode* node = pending.back();
      pending.pop_back();
      if (node->kind == Kind::kFilteredElements) {
        return path_must_exist(path_to(name) + "." + step.name);
      }
      for (const UpdateChild& child : node->children) pending.push_back(child.node.get());
      if (node->positional != nullptr) pending.push_back(node->positional.get());
      if (node->kind != Kind::kLeaf) continue;
      switch (node->modifier->on_broken_path(context_)) {
        case BrokenPath::kCannotCreate:
          return mongo_error(28, "Cannot create field '" + step.name + "' in element {" +
                                     element_text(name, value) + "}");
        case BrokenPath::kCannotTraverse:
          return mongo_error(28, "Cannot use the part (" + step.name + ") of (" + node->path +
                                     ") to traverse the element ({" + element_text(name, value) +
                                     "})");
        case BrokenPath::kIgnore:
          break;
      }
    }
  }
  return {};
}

// Several nodes meet when a filter or `$` selects what another path names, too.
Result<Kind> UpdateApplier::common_kind(const Nodes& nodes, std::string_view name) const {
  const Kind kind = nodes.front()->kind;
  for (const UpdateNode* node : nodes) {
    if (nodes.size() > 1 && (node->kind != kind || kind == Kind::kLeaf)) {
      return mongo_error(40, "Update created a conflict at '" + path_to(name) + "'");
    }
  }
  return kind;
}

std::string UpdateApplier::path_to(std::string_view name) const {
  std::string path;
  for (const Frame& frame : frames_) path += frame.name + ".";
  path += name;
  return path;
}

ChangeLog& UpdateApplier::log_here() {
  ChangeLog* log = &log_;
  for (const Frame& frame : frames_) log = &log->child(frame.name, frame.is_array);
  return *log;
}

void UpdateApplier::log_change(std::string_view name, const Change& change) {
  if (!change.appended_from) return log_update(name);
  if (!logging_) return;
  ChangeLog& array = log_here().child(name, true);
  const std::size_t count = change.value().get_document().count();
  for (std::size_t i = *change.appended_from; i < count; ++i) array.update(std::to_string(i));
}

void UpdateApplier::log_update(std::string_view name) {
  if (logging_) log_here().update(name);
}

}  // namespace restitch::query
