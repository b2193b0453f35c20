#pragma once

#include "bson/document.h"
#include "rules/user_request.h"

namespace restitch::rules {

// The reading actions under rules (spec: rules §6). `request` must live until the Task has ended.

Task<bson::Value> find_as_user(UserRequest& request);  // kFind, kFindOne
Task<bson::Value> count_as_user(UserRequest& request);
Task<bson::Value> distinct_as_user(UserRequest& request);
Task<bson::Value> aggregate_as_user(UserRequest& request);

// What a find has to know of the rules: of a look-up by _id only whether everything is shown.
Task<Visibility> find_visibility_of_find(UserRequest& request);
// Whether a find needs no decision for any document, so that the source carries it out as it is.
bool leaves_find_to_source(const UserRequest& request, const Visibility& visibility);
// The same of a distinct.
bool leaves_distinct_to_source(const UserRequest& request, const Visibility& visibility);
// Else the query for the documents of which something may be readable.
bson::Document readable_query(const UserRequest& request, const Visibility& visibility);

// How an aggregation will be carried out.
struct AggregatePlan {
  Visibility visibility;
  bool for_search = false;
  bool is_direct = false;   // at the source, behind the stages that rules and filters demand
  bson::Document pipeline;  // of a direct one, an array
};
// kInvalidArgument when the user may not have it.
Task<AggregatePlan> plan_aggregate(UserRequest& request);

}  // namespace restitch::rules
