#pragma once

#include <optional>

#include "bson/document.h"
#include "rules/user_request.h"

namespace restitch::rules {

// Decides what a user sees of change events (spec: rules §7). An event with a document is shown as the document is: hidden
// when nothing of it is readable, else with the fields that are. One without (a deletion, a dropped collection) is shown only
// when the decision is the same for every document.
class EventSight {
 public:
  // Evaluates the filters of `request` and what can be said without a document. `request` must outlive the sight.
  static Task<EventSight> create(UserRequest& request);

  // The event as the user may see it; nothing when it is hidden.
  Task<std::optional<bson::Document>> look(bson::View event);

 private:
  EventSight(UserRequest& request, Presenter presenter, std::optional<query::Filter> filter)
      : request_(&request), presenter_(std::move(presenter)), filter_(std::move(filter)) {}

  Task<std::optional<bson::Document>> look_at_document(bson::View event, bson::View document);
  std::optional<bson::Document> without_document(bson::View event) const;
  // The document as it may be seen under the role, after the filters' projection.
  Task<std::optional<bson::Document>> visible(const RoleProgram& role, bson::View document);
  Task<const RoleProgram*> role_of(bson::View document);
  Task<bson::Document> visible_changes(const RoleProgram& role, bson::View document, bson::View description);
  // What may be seen of `value` at `path`; missing when nothing.
  Task<bson::Value> visible_value(const RoleProgram& role, bson::View document, std::string_view path,
                                  bson::ValueView value);

  UserRequest* request_;
  Presenter presenter_;
  std::optional<query::Filter> filter_;  // the queries of the filters that apply
  bool sees_all_ = false;                // whatever the document is, something of it is readable
  bool sees_whole_ = false;              // and that is all of it
  bool sees_id_ = false;                 // its _id at least
};

}  // namespace restitch::rules
