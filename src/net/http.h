#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/task.h"

namespace restitch::net {

// One HTTP/1.1 request, whole. Views live as long as the request.
class HttpRequest {
 public:
  virtual ~HttpRequest() = default;

  virtual std::string_view method() const = 0;  // upper case
  virtual std::string_view target() const = 0;  // as sent, path and query
  virtual std::string_view header(
      std::string_view name) const = 0;  // case-insensitive, first value, "" if absent
  // In the order sent, but for the values of one header: they follow each other.
  virtual void for_each_header(
      const std::function<void(std::string_view name, std::string_view value)>& visit) const = 0;
  virtual std::string_view body() const = 0;
  virtual const std::string& remote_ip() const = 0;

  std::string_view path() const { return target().substr(0, target().find('?')); }
  std::string_view query() const {
    const std::size_t mark = target().find('?');
    return mark == std::string_view::npos ? std::string_view() : target().substr(mark + 1);
  }
};

// Values of query parameters, percent-decoded, in order. A broken escape leaves the text as it
// came.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

// The body of an answer that is made while it is sent. Lives while its producer runs, on the connection's thread.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Sends a piece at once. False when the peer or the server has ended the connection: then the producer returns.
  virtual asio::awaitable<bool> write(std::string_view piece) = 0;
  // Has `notify` called on the connection's thread when the connection ends; at once if it has ended.
  virtual void on_end(std::function<void()> notify) = 0;
};
using BodyProducer = std::function<asio::awaitable<void>(BodyStream&)>;

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>>
      headers;  // without Content-Length, Connection and Date
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // sent in the place of `body`, without a copy
  BodyProducer producer;  // makes the body instead, in chunks; the connection ends behind it

  void set(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
  }
  std::string_view content() const { return shared_body ? *shared_body : body; }
};

// Answers one request. Called on the connection's thread; may suspend. The request lives until the
// answer is sent.
using HttpHandler = std::function<asio::awaitable<HttpResponse>(const HttpRequest&)>;

// Standard reason phrase.
std::string_view reason_of(int status);

}  // namespace restitch::net
