#include "rules/event_sight.h"

#include <algorithm>

#include "rules/dotted_path.h"

namespace restitch::rules {
namespace {

// The members of the key that may be seen in `shown`.
bson::Document visible_key(bson::View key, bson::View shown) {
  bson::Builder out;
  for (const bson::Element& element : key) {
    if (!value_at(shown, element.name).is_missing()) out.append(element.name, element.value);
  }
  return std::move(out).finish();
}

// The document may be a later one than that of the key.
bool shows_key(bson::View event, bson::View shown) {
  const auto key = event["documentKey"].as_object();
  return !key || std::all_of(key->begin(), key->end(), [shown](const bson::Element& element) {
    return !value_at(shown, element.name).is_missing();
  });
}

}  // namespace

Task<EventSight> EventSight::create(UserRequest& request) {
  RESTITCH_CO_CHECK(co_await apply_filters(request));
  RESTITCH_CO_TRY(Presenter presenter, Presenter::create(request));
  std::optional<query::Filter> filter;
  if (!request.query.empty()) {
    RESTITCH_CO_TRY(filter, query::Filter::compile(request.query, request.command));
  }
  RESTITCH_CO_TRY(const Visibility visibility, co_await find_visibility(request));
  EventSight sight(request, std::move(presenter), std::move(filter));
  const bool is_for_all =
      visibility.readable.kind == Pushed::Kind::kAll && visibility.readable.exact;
  sight.sees_all_ = is_for_all && !sight.filter_;
  sight.sees_whole_ = sight.sees_all_ && visibility.is_whole && request.filter_projection.empty();
  sight.sees_id_ = sight.sees_whole_ || (sight.sees_all_ && request.filter_projection.empty() &&
                                         is_always_readable(request.rules, "_id"));
  co_return std::move(sight);
}

Task<std::optional<bson::Document>> EventSight::look(bson::View event) {
  const auto document = event["fullDocument"].as_object();
  if (!document) co_return without_document(event);
  auto seen = co_await look_at_document(event, *document);
  co_return seen;
}

// Changes of a document that is gone meanwhile may hold fields of it: only who sees everything gets
// them.
std::optional<bson::Document> EventSight::without_document(bson::View event) const {
  const bool has_changes = event.contains("updateDescription");
  if (!sees_all_ || (has_changes && !sees_whole_)) return std::nullopt;
  if (sees_id_) return bson::Document(event);
  bson::Builder out;
  for (const bson::Element& element : event) {
    if (element.name == "documentKey") {
      out.open_object("documentKey").close();
    } else {
      out.append(element.name, element.value);
    }
  }
  return std::move(out).finish();
}

Task<const RoleProgram*> EventSight::role_of(bson::View document) {
  BoundRules& rules = request_->rules;
  Documents documents;
  documents.root = document;
  documents.prev_root = document;
  const RoleProgram* role = rules.role_of(documents);
  while (rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await rules.resolve());
    role = rules.role_of(documents);
  }
  co_return role;
}

Task<std::optional<bson::Document>> EventSight::visible(const RoleProgram& role,
                                                        bson::View document) {
  BoundRules& rules = request_->rules;
  Sight sight = look_at(rules, role, document);
  while (rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await rules.resolve());
    sight = look_at(rules, role, document);
  }
  if (sight.kind == Sight::Kind::kHidden) co_return std::optional<bson::Document>();
  const bool is_whole = sight.kind == Sight::Kind::kWhole;
  RESTITCH_CO_TRY(bson::Document shown, presenter_.show(is_whole ? document : sight.part.view()));
  co_return std::optional<bson::Document>(std::move(shown));
}

Task<std::optional<bson::Document>> EventSight::look_at_document(bson::View event,
                                                                 bson::View document) {
  if (filter_) {
    RESTITCH_CO_TRY(const bool is_in, filter_->matches(document));
    if (!is_in) co_return std::optional<bson::Document>();
  }
  request_->rules.next_document();
  RESTITCH_CO_TRY(const RoleProgram* role, co_await role_of(document));
  if (role == nullptr) co_return std::optional<bson::Document>();
  RESTITCH_CO_TRY(const std::optional<bson::Document> shown, co_await visible(*role, document));
  if (!shown) co_return std::optional<bson::Document>();
  // Of a document that is shown whole, fields that the update took away may be hidden still.
  const bool may_hide_changes = event.contains("updateDescription") && !sees_whole_;
  if (shown->bytes() == document.bytes() && !may_hide_changes && shows_key(event, *shown)) {
    co_return std::optional<bson::Document>(bson::Document(event));
  }
  bson::Builder out;
  for (const bson::Element& element : event) {
    if (element.name == "fullDocument") {
      out.append(element.name, *shown);
    } else if (element.name == "documentKey" && element.value.as_object()) {
      out.append(element.name, visible_key(element.value.get_document(), *shown));
    } else if (element.name == "updateDescription" && element.value.as_object()) {
      RESTITCH_CO_TRY(const bson::Document changes,
                      co_await visible_changes(*role, document, element.value.get_document()));
      out.append(element.name, changes);
    } else {
      out.append(element.name, element.value);
    }
  }
  co_return std::optional<bson::Document>(std::move(out).finish());
}

// A change may be seen where its value may be, in the document with that value: the document that
// came with the event may be a later one.
Task<bson::Value> EventSight::visible_value(const RoleProgram& role, bson::View document,
                                            std::string_view path, bson::ValueView value) {
  const bson::Document with = with_value_at(document, path, value);
  request_->rules.next_document();
  RESTITCH_CO_TRY(const std::optional<bson::Document> shown, co_await visible(role, with));
  if (!shown || value_at(with, path).is_missing()) co_return bson::Value();
  co_return bson::Value(value_at(*shown, path));
}

Task<bson::Document> EventSight::visible_changes(const RoleProgram& role, bson::View document,
                                                 bson::View description) {
  bson::Builder out;
  out.open_object("updatedFields");
  const bson::View updated = description["updatedFields"].as_object().value_or(bson::View());
  for (const bson::Element& element : updated) {
    RESTITCH_CO_TRY(const bson::Value seen,
                    co_await visible_value(role, document, element.name, element.value));
    out.append(element.name, seen);
  }
  out.close().open_array("removedFields");
  const bson::Value null = bson::Value::null();
  const bson::View removed = description["removedFields"].as_array().value_or(bson::View());
  for (const bson::Element& element : removed) {
    const std::string_view path = element.value.as_string().value_or("");
    RESTITCH_CO_TRY(const bson::Value seen, co_await visible_value(role, document, path, null));
    if (!seen.is_missing()) out.push(element.value);
  }
  out.close().open_array("truncatedArrays");
  const bson::View truncated = description["truncatedArrays"].as_array().value_or(bson::View());
  const bson::Value empty = bson::Value::array(bson::View());
  for (const bson::Element& element : truncated) {
    const bson::View entry = element.value.as_object().value_or(bson::View());
    const std::string_view path = entry["field"].as_string().value_or("");
    RESTITCH_CO_TRY(const bson::Value seen, co_await visible_value(role, document, path, empty));
    if (!seen.is_missing()) out.push(element.value);
  }
  out.close();
  co_return std::move(out).finish();
}

}  // namespace restitch::rules
