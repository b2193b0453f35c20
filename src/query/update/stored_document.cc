#include "query/update/stored_document.h"

#include "query/update/modifier.h"
#include "query/update/update.h"

namespace restitch::query {
namespace {

bool has_dollar_name(bson::ValueView value, std::string_view* name) {
  if (value.type() != bson::Type::kObject && value.type() != bson::Type::kArray) return false;
  for (const bson::Element& element : value.get_document()) {
    if (value.type() == bson::Type::kObject && element.name.substr(0, 1) == "$") {
      *name = element.name;
      return true;
    }
    if (has_dollar_name(element.value, name)) return true;
  }
  return false;
}

bool is_zero_timestamp(bson::ValueView value) {
  return value.type() == bson::Type::kTimestamp && value.get_timestamp() == bson::Timestamp{};
}

Error dbref_error(std::string message) { return mongo_error(55, std::move(message)); }

}  // namespace

Status check_id(bson::ValueView id) {
  switch (id.type()) {
    case bson::Type::kArray:
    case bson::Type::kRegex:
    case bson::Type::kUndefined:
      return mongo_error(
          53, "The '_id' value cannot be of type " + std::string(bson::alias_of(id.type())));
    case bson::Type::kObject: {
      std::string_view name;
      if (!has_dollar_name(id, &name)) return {};
      return mongo_error(52, "_id fields may not contain '$'-prefixed fields: " +
                                 std::string(name) + " is not valid for storage.");
    }
    default:
      return {};
  }
}

Status check_depth(bson::View document) {
  const bson::ValueView value(bson::Type::kObject, document.data(), document.size());
  if (nesting_of(value) <= bson::kMaxDepth) return {};
  return mongo_error(
      15, "Document exceeds maximum nesting depth of " + std::to_string(bson::kMaxDepth));
}

Status check_top_level_names(bson::View document) {
  std::string_view previous;
  for (auto at = document.begin(); at != document.end(); previous = at->name, ++at) {
    if (at->name.substr(0, 1) != "$") continue;
    if (at->name == "$ref") {
      if (at->value.type() != bson::Type::kString) {
        return dbref_error("The DBRef $ref field must be a String, not a " +
                           std::string(bson::alias_of(at->value.type())));
      }
      const auto next = std::next(at);
      if (next == document.end() || next->name != "$id") {
        return dbref_error("The DBRef $ref field must be followed by a $id field");
      }
    } else if (at->name == "$id") {
      if (previous != "$ref") {
        return dbref_error("Found $id field without a $ref before it, which is invalid.");
      }
    } else if (at->name == "$db") {
      if (at->value.type() != bson::Type::kString) {
        return dbref_error("The DBRef $db field must be a String, not a " +
                           std::string(bson::alias_of(at->value.type())));
      }
      if (previous != "$id") {
        return dbref_error("Found $db field without a $id before it, which is invalid.");
      }
    } else {
      const std::string name(at->name);
      return mongo_error(52, "The dollar ($) prefixed field '" + name + "' in '" + name +
                                 "' is not allowed in the context of an update's replacement "
                                 "document. Consider using an aggregation pipeline with "
                                 "$replaceWith.");
    }
  }
  return {};
}

Status check_size(bson::View document, TooLarge context) {
  if (document.size() <= bson::kMaxDocumentBytes) return {};
  const std::string limit = std::to_string(bson::kMaxDocumentBytes);
  if (context == TooLarge::kUpdate) {
    return mongo_error(17419, "Resulting document after update is larger than " + limit);
  }
  return mongo_error(17420, "Document to upsert is larger than " + limit);
}

bson::Document with_id_first(bson::ValueView id, bson::View document,
                             std::optional<bson::Timestamp> now) {
  bson::Builder builder;
  builder.append("_id", id);
  for (auto at = document.begin(); at != document.end(); ++at) {
    if (at->name == "_id") continue;
    if (now && is_zero_timestamp(at->value)) {
      builder.append(at->name, *now);
    } else {
      builder.append_raw(at.raw());
    }
  }
  return std::move(builder).finish();
}

Result<bson::Document> prepare_for_insert(bson::View document, bson::Timestamp now) {
  if (document.size() > bson::kMaxDocumentBytes) {
    return mongo_error(
        2, "object to insert too large. size in bytes: " + std::to_string(document.size()) +
               ", max size: " + std::to_string(bson::kMaxDocumentBytes));
  }
  RESTITCH_CHECK(check_depth(document));
  bson::ValueView id;
  bool rewrite = false;
  bool is_first = true;
  for (const bson::Element& element : document) {
    if (element.name == "_id") {
      if (!id.is_missing()) {
        return mongo_error(2, "can't have multiple _id fields in one document");
      }
      id = element.value;
      rewrite = rewrite || !is_first;
    } else if (is_zero_timestamp(element.value)) {
      rewrite = true;
    }
    is_first = false;
  }
  if (id.is_missing()) {
    return with_id_first(bson::Value::of(bson::ObjectId::generate()), document, now);
  }
  RESTITCH_CHECK(check_id(id));
  if (!rewrite) return bson::Document(document);
  return with_id_first(id, document, now);
}

}  // namespace restitch::query
