#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bson/document.h"

namespace restitch::datasource::embedded {

struct Authentication;

// The connection a command comes from. Commands of the server's own code have none. Immutable but
// for `has_to_close` and what `authentication` refers to; a connection makes a new one when its
// client tells about itself.
struct Caller {
  std::int64_t connection = 0;
  std::string remote;       // host:port
  std::string address;      // host:port under which clients are to find the server
  bson::Document metadata;  // `client` of the hello
  std::string app_name;     // client.application.name
  bool is_encrypted = false;
  std::string certificate_subject;                // RFC 2253; empty without a client's certificate
  std::span<const std::string_view> compressors;  // that the endpoint can use
  // Who has signed in. For the command that runs only. Null: everything is allowed.
  std::shared_ptr<Authentication> authentication;
  // Set by a command: the connection has to end without an answer.
  std::atomic<bool> has_to_close{false};

  // One that differs in what the client has told about itself.
  std::shared_ptr<Caller> with_metadata(bson::View told) const {
    auto caller = std::make_shared<Caller>();
    caller->connection = connection;
    caller->remote = remote;
    caller->address = address;
    caller->metadata = bson::Document(told);
    caller->app_name = told.find_path("application.name").as_string().value_or("");
    caller->is_encrypted = is_encrypted;
    caller->certificate_subject = certificate_subject;
    caller->compressors = compressors;
    caller->authentication = authentication;
    return caller;
  }
};
using CallerPtr = std::shared_ptr<Caller>;

}  // namespace restitch::datasource::embedded
