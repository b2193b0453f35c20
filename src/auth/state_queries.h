#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "auth/store.h"
#include "bson/document.h"
#include "datasource/client.h"
#include "runtime/task.h"

// What queries on the state store have in common.
namespace restitch::auth {

inline std::int64_t now_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline datasource::Collection collection(datasource::DataSource& state, std::string name) {
  return {state, std::string(kStateDatabase), std::move(name)};
}

// The document with the members of `who`, which a unique index covers; made with those of `fresh`
// besides when there is none, by this node or another one.
Task<bson::Document> find_or_insert(datasource::Collection collection, bson::Document who,
                                    bson::Document fresh);

inline bson::Document by_app_and_id(const bson::ObjectId& app, const bson::ObjectId& id) {
  bson::Builder filter;
  filter.append("_id", id).append("app", app);
  return std::move(filter).finish();
}

template <typename T>
bson::Document set_field(std::string_view name, const T& value) {
  bson::Builder update;
  update.open_object("$set").append(name, value).close();
  return std::move(update).finish();
}

}  // namespace restitch::auth
