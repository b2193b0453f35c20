#include "rules/visibility.h"

#include <utility>
#include <vector>

namespace restitch::rules {
namespace {

// A role that may apply to some document, with the documents to which it may.
struct LiveRole {
  const RoleProgram* role;
  Pushed applying;
};

bool is_all(const Pushed& pushed) { return pushed.kind == Pushed::Kind::kAll && pushed.exact; }

// Up to the first role that applies to everything.
std::vector<LiveRole> live_roles(BoundRules& rules) {
  std::vector<LiveRole> live;
  for (const RoleProgram& role : rules.rules().roles()) {
    Pushed applying = rules.push_down(role.apply_when);
    if (applying.kind == Pushed::Kind::kNone) continue;
    const bool is_last = is_all(applying);
    live.push_back({&role, std::move(applying)});
    if (is_last) break;
  }
  return live;
}

Pushed read_gate(BoundRules& rules, const RoleProgram& role) {
  if (!role.has_document_filters || !role.document_read.is_defined()) return Pushed::all(true);
  std::vector<Pushed> parts;
  parts.push_back(rules.push_down(role.document_read));
  parts.push_back(rules.push_down(role.document_write));
  return either(std::move(parts));
}

bool is_granted_always(BoundRules& rules, const FieldRule* rule) {
  return rule != nullptr && (rules.holds_always(rule->read) || rules.holds_always(rule->write));
}

bool may_grant(BoundRules& rules, const FieldRule& level) {
  const auto may = [&](const FieldRule& rule) {
    return rules.may_hold(rule.read) || rules.may_hold(rule.write) || may_grant(rules, rule);
  };
  for (const auto& [name, rule] : level.fields) {
    if (may(rule)) return true;
  }
  return level.additional != nullptr && may(*level.additional);
}

// Documents with a readable field. Every stored document has an _id.
Pushed readable_by_fields(BoundRules& rules, const FieldRule& fields) {
  if (is_granted_always(rules, fields.find("_id"))) return Pushed::all(true);
  return may_grant(rules, fields) ? Pushed::all(false) : Pushed::none();
}

Pushed readable_whole(BoundRules& rules, const RoleProgram& role) {
  std::vector<Pushed> parts;
  parts.push_back(rules.push_down(role.read));
  parts.push_back(rules.push_down(role.write));
  return either(std::move(parts));
}

Pushed readable_under(BoundRules& rules, const RoleProgram& role, bool for_search, bool* is_whole) {
  Pushed whole = readable_whole(rules, role);
  Pushed by_fields = readable_by_fields(rules, role.fields);
  *is_whole &= is_all(whole) || by_fields.kind == Pushed::Kind::kNone;
  std::vector<Pushed> grants;
  grants.push_back(std::move(whole));
  grants.push_back(std::move(by_fields));
  std::vector<Pushed> parts;
  parts.push_back(read_gate(rules, role));
  parts.push_back(either(std::move(grants)));
  if (for_search) parts.push_back(rules.push_down(role.search));
  return both(std::move(parts));
}

bool is_open(BoundRules& rules, const Permission& gate) {
  return !gate.is_defined() || rules.holds_always(gate);
}

// Whether the role allows every write and shows all of what is written.
bool is_always_writable(BoundRules& rules, const RoleProgram& role) {
  return is_open(rules, role.document_read) && is_open(rules, role.document_write) &&
         rules.holds_always(role.write);
}

// For a document that is not stored yet: roles whose application depends on the state before may
// apply to it although they apply to no stored document.
bool may_insert_everything(BoundRules& rules) {
  for (const RoleProgram& role : rules.rules().roles()) {
    if (!rules.may_hold(role.apply_when)) continue;
    if (!is_always_writable(rules, role) || !rules.holds_always(role.insert)) return false;
    if (rules.holds_always(role.apply_when)) return true;
  }
  return false;
}

}  // namespace

namespace {

Visibility exact_visibility_of(BoundRules& rules, bool for_search) {
  Visibility result;
  result.is_whole = true;
  std::vector<Pushed> visible;
  bool shadows_exactly = true;  // no earlier role hides what a later one would show
  for (LiveRole& live : live_roles(rules)) {
    Pushed readable = readable_under(rules, *live.role, for_search, &result.is_whole);
    const bool shows_all = is_all(readable);
    std::vector<Pushed> parts;
    parts.push_back(std::move(live.applying));
    parts.push_back(std::move(readable));
    Pushed both_hold = both(std::move(parts));
    both_hold.exact &= shadows_exactly || both_hold.kind == Pushed::Kind::kNone;
    visible.push_back(std::move(both_hold));
    shadows_exactly &= shows_all;
  }
  result.readable = either(std::move(visible));
  return result;
}

}  // namespace

Visibility visibility_of(BoundRules& rules) { return exact_visibility_of(rules, false); }

Visibility search_visibility_of(BoundRules& rules) { return exact_visibility_of(rules, true); }

Visibility rough_visibility_of(BoundRules& rules) {
  const std::vector<RoleProgram>& roles = rules.rules().roles();
  if (roles.empty()) return {Pushed::none(), true};
  const RoleProgram& first = roles.front();
  const bool shows_all = rules.holds_always(first.apply_when) &&
                         is_open(rules, first.document_read) &&
                         is_open(rules, first.document_write) &&
                         (rules.holds_always(first.read) || rules.holds_always(first.write));
  return {Pushed::all(shows_all), shows_all};
}

WriteReach write_reach_of(BoundRules& rules) {
  WriteReach reach;
  std::vector<Pushed> applying;
  reach.may_update = reach.may_delete = true;
  for (LiveRole& live : live_roles(rules)) {
    const RoleProgram& role = *live.role;
    const bool may_write = is_always_writable(rules, role);
    reach.may_update &= may_write;
    reach.may_delete &= may_write && rules.holds_always(role.remove);
    applying.push_back(std::move(live.applying));
  }
  reach.applying = either(std::move(applying));
  reach.may_insert = may_insert_everything(rules);
  return reach;
}

bool is_always_readable(BoundRules& rules, std::string_view name) {
  for (const LiveRole& live : live_roles(rules)) {
    const RoleProgram& role = *live.role;
    if (is_all(readable_whole(rules, role))) continue;
    const bool has_fields = readable_by_fields(rules, role.fields).kind != Pushed::Kind::kNone;
    if (has_fields && !is_granted_always(rules, role.fields.find(name))) return false;
  }
  return true;
}

}  // namespace restitch::rules
