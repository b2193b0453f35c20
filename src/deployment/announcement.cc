#include "deployment/announcement.h"

namespace restitch::deployment {

void announce(bson::Builder& set, const bson::ObjectId& node) {
  set.append(kChangedBy, node.to_hex() + "." + bson::ObjectId::generate().to_hex());
}

bson::Document announcement(const bson::ObjectId& node, std::string_view member,
                            const bson::Value& value) {
  bson::Builder update;
  update.open_object("$set").append(member, value);
  announce(update, node);
  update.close();
  return std::move(update).finish();
}

}  // namespace restitch::deployment
