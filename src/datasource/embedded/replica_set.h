#pragma once

#include <string>

#include "datasource/embedded/operation.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// How the cluster presents itself as a replica set.
inline constexpr const char* kSetName = "restitch";

// host:port under which the sender of the command finds this node.
inline std::string address_for(const Operation& operation) {
  return operation.caller != nullptr ? operation.caller->address : "localhost:27017";
}

inline void append_optime(bson::Builder& builder, const char* name, bson::Timestamp time,
                          const Services& services) {
  builder.open_object(name).append("ts", time).append("t", services.identity.term).close();
}

}  // namespace restitch::datasource::embedded
