#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "runtime/elastic_pool.h"
#include "runtime/task.h"

namespace restitch::net {

struct OutboundRequest {
  OutboundRequest() {}  // not an aggregate: g++ 12 destroys such arguments of awaited calls twice

  std::string url;   // http or https
  // At most one of them, sent by POST; both empty: GET.
  std::string form;  // application/x-www-form-urlencoded
  std::string json;  // application/json
  std::vector<std::string> headers;  // "Name: value"
  std::chrono::milliseconds time_limit{10'000};
  std::size_t max_bytes = 1U << 20U;
};

struct OutboundResponse {
  int status = 0;
  std::string body;
  // How long the answer may be kept (Cache-Control: max-age); nothing when it does not say.
  std::optional<std::chrono::seconds> max_age;
};

// A server that takes messages: smtp://user:password@host:587 (STARTTLS when offered), smtps://…
// (TLS).
struct MailServer {
  std::string url;
};

struct MailMessage {
  MailMessage() {}  // see OutboundRequest

  std::string from, to;  // addresses
  std::string text;      // headers and body (RFC 5322)
};

// Requests of the server to others: identity providers, key sets, mail, gateways. Redirects are not followed;
// certificates are checked. At most 16 calls run at a time. Thread-safe.
class Outbound {
 public:
  Outbound();

  // Any status is an answer. kSourceUnavailable when there is none in time, or it is too long; the
  // message names the host only.
  Task<OutboundResponse> send(OutboundRequest request);
  Task<void> deliver(MailServer server, MailMessage message);

  // Waits for the calls under way.
  void stop() { pool_.stop(); }

 private:
  runtime::ElasticPool pool_;
};

}  // namespace restitch::net
