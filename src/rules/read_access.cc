#include "rules/read_access.h"

#include <array>
#include <utility>

namespace restitch::rules {
namespace {

constexpr std::array<std::string_view, 3> kReserved{"_id__baas_transaction", "_id_baas_transaction",
                                                    "_id_stitch_transaction"};

// Members whose permission an outer level has decided already.
struct Decided {
  bool read = false;
  bool write = false;
};

class Redactor {
 public:
  Redactor(BoundRules& rules, bson::View document) : rules_(rules) {
    documents_.root = document;
    documents_.prev_root = document;
  }

  // Copies the readable members of `object`. False if there are none.
  bool copy_members(bson::View object, const FieldRule& level, Decided decided, bson::Builder& out,
                    bool is_top) {
    bool has_any = false;
    for (auto it = object.begin(); it != object.end(); ++it) {
      const FieldRule* rule = level.find(it->name);
      if (rule == nullptr || (is_top && is_reserved_field(it->name))) continue;
      Decided inner = decided;
      if (is_readable(*rule, it->value, inner)) {
        out.append_raw(it.raw());
        has_any = true;
      } else if (!(inner.read && inner.write) && rule->has_members()) {
        has_any |= copy_part(*it, *rule, inner, out);
      }
    }
    return has_any;
  }

 private:
  // Whether the whole value is readable; if not, `decided` tells what nested rules can still grant.
  bool is_readable(const FieldRule& rule, bson::ValueView value, Decided& decided) {
    documents_.current = value;
    documents_.previous = value;
    if (!decided.read && rule.read.is_defined()) {
      if (rules_.holds(rule.read, documents_)) return true;
      decided.read = true;
    }
    if (!decided.write && rule.write.is_defined()) {
      if (rules_.holds(rule.write, documents_)) return true;
      decided.write = true;
    }
    return false;
  }

  bool copy_part(const bson::Element& element, const FieldRule& rule, Decided decided,
                 bson::Builder& out) {
    bson::Builder part;
    if (element.value.type() == bson::Type::kObject) {
      if (!copy_members(element.value.get_document(), rule, decided, part, false)) return false;
      out.append(element.name, std::move(part).finish());
      return true;
    }
    if (element.value.type() != bson::Type::kArray) return false;
    if (!copy_elements(element.value.get_document(), rule, decided, part)) return false;
    out.append_array(element.name, std::move(part).finish());
    return true;
  }

  // Documents of the array keep their order; what is in it besides documents has no rule and is
  // left out.
  bool copy_elements(bson::View array, const FieldRule& rule, Decided decided, bson::Builder& out) {
    bool has_any = false;
    for (const bson::Element& element : array) {
      if (element.value.type() != bson::Type::kObject) continue;
      bson::Builder part;
      has_any |= copy_members(element.value.get_document(), rule, decided, part, false);
      out.push(std::move(part).finish());
    }
    return has_any;
  }

  BoundRules& rules_;
  Documents documents_;
};

}  // namespace

bool is_reserved_field(std::string_view name) {
  if (!name.starts_with("_id_")) return false;
  for (const std::string_view reserved : kReserved) {
    if (name == reserved) return true;
  }
  return false;
}

bool has_reserved_field(bson::View document) {
  for (const bson::Element& element : document) {
    if (is_reserved_field(element.name)) return true;
  }
  return false;
}

bson::Document without_reserved_fields(bson::View document) {
  bson::Builder builder;
  for (auto it = document.begin(); it != document.end(); ++it) {
    if (!is_reserved_field(it->name)) builder.append_raw(it.raw());
  }
  return std::move(builder).finish();
}

ReadGrant read_grant(BoundRules& rules, const RoleProgram& role, bson::View document) {
  Documents documents;
  documents.root = document;
  documents.prev_root = document;
  if (role.has_document_filters) {
    const bool may_read =
        !role.document_read.is_defined() || rules.holds(role.document_read, documents);
    if (!may_read && !rules.holds(role.document_write, documents)) return ReadGrant::kNone;
  }
  if (rules.holds(role.read, documents) || rules.holds(role.write, documents)) {
    return ReadGrant::kWhole;
  }
  return role.fields.has_members() ? ReadGrant::kFields : ReadGrant::kNone;
}

Sight look_at(BoundRules& rules, const RoleProgram& role, bson::View document, bool for_search) {
  if (for_search) {
    Documents documents;
    documents.root = document;
    documents.prev_root = document;
    if (!rules.holds(role.search, documents)) return {};
  }
  const ReadGrant grant = read_grant(rules, role, document);
  if (grant == ReadGrant::kNone) return {};
  if (grant == ReadGrant::kWhole) {
    if (!has_reserved_field(document)) return {Sight::Kind::kWhole, {}};
    return {Sight::Kind::kPart, without_reserved_fields(document)};
  }
  bson::Builder part;
  if (!Redactor(rules, document).copy_members(document, role.fields, {}, part, true)) return {};
  return {Sight::Kind::kPart, std::move(part).finish()};
}

Sight look_at(BoundRules& rules, bson::View document, bool for_search) {
  Documents documents;
  documents.root = document;
  documents.prev_root = document;
  const RoleProgram* role = rules.role_of(documents);
  if (role == nullptr) return {};
  return look_at(rules, *role, document, for_search);
}

}  // namespace restitch::rules
