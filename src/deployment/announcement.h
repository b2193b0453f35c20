#pragma once

#include <string_view>

#include "bson/document.h"

namespace restitch::deployment {

// Member of an app's document: "<node>.<number>", the node that changed something of the app last.
// Nodes that share a state store watch it to hear of each other's changes. It is another one with
// every change, so that each is seen, and one text, so that change streams show the whole of it.
inline constexpr std::string_view kChangedBy = "changed_by";

// Adds to an open $set that `node` has changed something of the app.
void announce(bson::Builder& set, const bson::ObjectId& node);

// An update that says it and sets a member besides.
bson::Document announcement(const bson::ObjectId& node, std::string_view member,
                            const bson::Value& value);

}  // namespace restitch::deployment
