#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "bson/document.h"

namespace restitch::datasource::embedded {

// The connection a command comes from. Commands of the server's own code have none.
struct Caller {
  std::int64_t connection = 0;
  std::string remote;       // host:port
  bson::Document metadata;  // `client` of the hello
  std::string app_name;     // client.application.name
  // Set by a fail point: the connection has to end without an answer.
  std::atomic<bool> has_to_close{false};
};
using CallerPtr = std::shared_ptr<Caller>;

}  // namespace restitch::datasource::embedded
