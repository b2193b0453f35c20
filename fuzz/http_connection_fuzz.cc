#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <vector>

#include "api/client_view.h"
#include "api/route_table.h"
#include "fuzz.h"
#include "net/http_connection.h"

// Whatever bytes come over an HTTP connection: the handler sees only requests within the limits, in
// which lines are lines; each gets one answer, in order; what cannot be read ends the connection with
// at most one more; and nothing of a request breaks the head of an answer.
namespace {

using namespace restitch;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;

constexpr std::size_t kMaxHead = 1024;
constexpr std::size_t kMaxBody = 2048;
constexpr std::string_view kLineBreaks("\r\n\0", 3);

// The same request as if a trusted proxy had passed it on.
class ForwardedRequest final : public net::HttpRequest {
 public:
  explicit ForwardedRequest(const net::HttpRequest& request) : request_(request) {}
  std::string_view method() const override { return request_.method(); }
  std::string_view target() const override { return request_.target(); }
  std::string_view header(std::string_view name) const override { return request_.header(name); }
  void for_each_header(const std::function<void(std::string_view, std::string_view)>& visit)
      const override {
    request_.for_each_header(visit);
  }
  std::string_view body() const override { return request_.body(); }
  const std::string& remote_ip() const override { return address_; }

 private:
  const net::HttpRequest& request_;
  const std::string address_ = "10.0.0.1";
};

void check_view(const net::HttpRequest& request) {
  static const net::AddressSet proxies = [] {
    net::AddressSet set;
    RESTITCH_ASSERT(set.add("10.0.0.0/8").has_value());
    return set;
  }();
  const api::ClientView view = api::client_view(ForwardedRequest(request), proxies, "");
  RESTITCH_ASSERT(view.base_url.starts_with("http://") || view.base_url.starts_with("https://"));
  RESTITCH_ASSERT(view.base_url.find_first_of("\r\n\"'<>\\ ") == std::string::npos);
  RESTITCH_ASSERT(view.address.find_first_of(kLineBreaks) == std::string::npos);
}

void check_request(const net::HttpRequest& request) {
  RESTITCH_ASSERT(!request.method().empty());
  RESTITCH_ASSERT(request.target().find_first_of("\r\n ") == std::string_view::npos);
  RESTITCH_ASSERT(request.body().size() <= kMaxBody);
  request.for_each_header([](std::string_view name, std::string_view value) {
    RESTITCH_ASSERT(!name.empty() && name.find_first_of(": \r\n") == std::string_view::npos);
    RESTITCH_ASSERT(value.find_first_of(kLineBreaks) == std::string_view::npos);
  });
  for (const auto& [name, value] : net::parse_query(request.query()))
    RESTITCH_ASSERT(name.size() + value.size() <= request.query().size());
  static const api::PathPattern pattern("/api/client/v2.0/app/{app}/{rest}");
  std::vector<std::string> parameters;
  if (pattern.matches(api::split_path(request.path()), &parameters))
    RESTITCH_ASSERT(parameters.size() == 2);
  check_view(request);
}

struct Served {
  std::vector<bool> is_head;  // of the requests that the handler saw
};

net::HttpService service_for(Served& served) {
  net::HttpService service;
  service.options.max_header_bytes = kMaxHead;
  service.options.max_body_bytes = kMaxBody;
  service.handler = [&served](const net::HttpRequest& request) -> asio::awaitable<net::HttpResponse> {
    check_request(request);
    served.is_head.push_back(request.method() == "HEAD");
    net::HttpResponse response;
    response.set("X-Target", std::string(request.target()));
    response.set("X-Echo", std::string(request.header("x-echo")));
    response.body = std::string(request.body());
    co_return response;
  };
  service.on_oversized_body = [](const net::HttpRequest&) -> asio::awaitable<net::HttpResponse> {
    net::HttpResponse response;
    response.status = 413;
    co_return response;
  };
  return service;
}

// What the connection sends for these bytes.
std::string answers_to(std::string_view bytes, const net::HttpService& service) {
  int ends[2];
  RESTITCH_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  RESTITCH_ASSERT(::write(ends[1], bytes.data(), bytes.size()) ==
                  static_cast<ssize_t>(bytes.size()));
  ::shutdown(ends[1], SHUT_WR);

  boost::asio::io_context context(1);
  tcp::socket socket(context);
  socket.assign(tcp::v4(), ends[0]);
  const auto connection = net::make_http_connection(std::move(socket), service);
  bool is_done = false;
  boost::asio::co_spawn(context, connection->serve(), [&](const std::exception_ptr& failure) {
    RESTITCH_ASSERT(failure == nullptr);
    is_done = true;
  });
  std::string answers;
  while (!is_done) {
    context.run_one_for(std::chrono::milliseconds(100));
    char buffer[16384];
    ssize_t count;
    while ((count = ::read(ends[1], buffer, sizeof(buffer))) > 0)
      answers.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(ends[1]);
  return answers;
}

void check_answers(std::string_view bytes, const Served& served) {
  std::size_t answered = 0;
  bool is_refused = false;
  while (!bytes.empty()) {
    RESTITCH_ASSERT(!is_refused);  // nothing comes behind a refusal
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    if (answered < served.is_head.size() && served.is_head[answered]) parser.skip(true);
    boost::system::error_code error;
    const std::size_t used =
        parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    RESTITCH_ASSERT(!error && parser.is_done());
    bytes.remove_prefix(used);
    const unsigned status = parser.get().result_int();
    if (status == 100) continue;
    is_refused = status != 200;
    if (!is_refused) ++answered;
  }
  RESTITCH_ASSERT(answered == served.is_head.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 60'000) return 0;
  Served served;
  const net::HttpService service = service_for(served);
  check_answers(answers_to(fuzz::text_of(data, size), service), served);
  return 0;
}
