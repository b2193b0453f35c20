#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bson/document.h"
#include "deployment/deployed_app.h"
#include "net/http.h"

namespace restitch::api::client {

// One client request on its way through its handler.
struct RequestContext {
  const net::HttpRequest& http;
  std::string request_id;               // 24 hex digits; the log entry's co_id
  std::string base_url;                 // how this client reaches the server: scheme, host, port
  std::string client_address;           // behind the proxies that are trusted
  std::vector<std::string> parameters;  // of the route, in order; the app id is not among them
  deployment::DeployedAppPtr app;       // the snapshot this request keeps
};

// Success of a handler: a JSON body, or none (then there is no Content-Type either, as clients
// need).
struct Reply {
  int status = 200;
  std::string json;
  net::BodyProducer events{};  // server-sent events in place of the body
  std::vector<std::pair<std::string, std::string>> headers{};

  static Reply empty(int status = 204) { return {status, {}, {}, {}}; }
  static Reply of(bson::View document, int status = 200);
};

// The request's body as an object. An empty body is {}. Errors are kBadRequest.
Result<bson::Document> json_body(const net::HttpRequest& request);

// The token of "Authorization: Bearer …"; "" if the header is absent or of another scheme.
std::string_view bearer_token(const net::HttpRequest& request);

}  // namespace restitch::api::client
