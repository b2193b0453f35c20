#include "api/wire/wire_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <new>

#include "api/wire/message.h"
#include "api/wire/reply.h"
#include "base/log.h"
#include "bson/extended_json.h"
#include "runtime/metrics.h"

namespace restitch::api::wire {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using bson::Document;
using bson::Timestamp;
using datasource::embedded::Caller;
using datasource::embedded::CallerContext;
using datasource::embedded::CallerPtr;

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::size_t kLeastRead = 8192;
constexpr std::size_t kMostRead = 1U << 20U;
constexpr int kMetadataTwice = 186;

metrics::Counter& request_count() {
  static metrics::Counter counter("restitch_wire_requests_total",
                                  "Commands received by the wire endpoint");
  return counter;
}

metrics::Timing& request_time() {
  static metrics::Timing timing("restitch_wire_request_seconds",
                                "Time from a complete command to its reply");
  return timing;
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

std::uint64_t ticks_of(Timestamp time) {
  return (std::uint64_t{time.seconds} << 32U) | time.increment;
}

Timestamp timestamp_of(std::uint64_t ticks) {
  return {static_cast<std::uint32_t>(ticks >> 32U), static_cast<std::uint32_t>(ticks)};
}

std::uint32_t wall_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

bool is_success(bson::View reply) { return reply["ok"].truthy(); }

Document with_own_address(bson::View reply, const std::string& address) {
  bson::Builder builder;
  for (const bson::Element& element : reply) {
    if (element.name == "you") {
      builder.append("you", address);
    } else {
      builder.append(element.name, element.value);
    }
  }
  return std::move(builder).finish();
}

class Connection final : public WireConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, WireService& service, std::int32_t id)
      : stream_(std::move(socket)), service_(service), await_timer_(stream_.get_executor()) {
    error_code ignored;
    const auto local = stream_.socket().local_endpoint(ignored);
    const auto remote = stream_.socket().remote_endpoint(ignored);
    facts_ = {text_of(local), id};
    remote_ = text_of(remote);
    caller_->connection = id;
    caller_->remote = remote_;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
  }

  asio::awaitable<void> serve() override {
    const auto self = shared_from_this();
    while (!draining_) {
      const bool again = co_await serve_one();
      is_busy_ = false;
      if (!again) break;
    }
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void drain() override {
    draining_ = true;
    await_timer_.cancel();
    if (!is_busy_) stream_.close();
  }

  void abort() override {
    await_timer_.cancel();
    stream_.close();
  }

 private:
  // False when the connection is to end.
  asio::awaitable<bool> serve_one() {
    stream_.expires_after(input_.empty() ? service_.options.idle_timeout
                                         : service_.options.transfer_timeout);
    const bool has_header = co_await fill(kHeaderBytes);
    if (!has_header) co_return false;
    is_busy_ = true;
    const auto header = parse_header(std::string_view(input_).substr(0, kHeaderBytes));
    if (!header) co_return refuse(header.error());
    stream_.expires_after(service_.options.transfer_timeout);
    const bool has_rest = co_await fill(header->length);
    if (!has_rest) co_return false;
    stream_.expires_never();

    ParsedMessage message =
        parse_message(*header, std::string_view(input_).substr(0, header->length));
    forget_input(header->length);
    if (message.is_fatal) co_return refuse(message.command.error());
    request_count().add();
    const auto started = std::chrono::steady_clock::now();
    Document reply = co_await answer(message);
    request_time().observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    if (caller_->has_to_close) co_return false;  // a fail point wants it
    if (!message.form.is_wanted) co_return true;
    const bool has_more = is_streaming(message, reply);
    std::uint32_t reply_id = 0;
    const bool is_sent =
        co_await send(message.form, std::move(reply), header->request_id, has_more, reply_id);
    if (!is_sent || !has_more) co_return is_sent;
    co_return co_await stream_hello(message, reply_id);
  }

  bool refuse(const Error& error) {
    RESTITCH_LOG(kWarning, kNetwork, 1203, "Wire connection closed: not understood",
                 {"connection", facts_.id}, {"remote", remote_}, {"reason", error.message()});
    return false;
  }

  // Reads until `size` bytes are there. Memory grows with what has arrived, not with what was
  // announced.
  asio::awaitable<bool> fill(std::size_t size) {
    while (input_.size() < size) {
      const std::size_t old = input_.size();
      const std::size_t step = std::clamp(size - old, kLeastRead, kMostRead);
      input_.resize(old + step);
      const auto buffer = boost::asio::buffer(input_.data() + old, step);
      const auto [error, bytes] = co_await stream_.async_read_some(buffer, kTuple);
      input_.resize(old + bytes);
      if (error) co_return false;
    }
    co_return true;
  }

  void forget_input(std::size_t size) {
    input_.erase(0, size);
    if (input_.capacity() > kMostRead && input_.size() <= kLeastRead) input_.shrink_to_fit();
  }

  // ---- commands

  asio::awaitable<Document> answer(ParsedMessage& message) {
    if (!message.command) co_return finished(error_reply(message.command.error()));
    Error failure(ErrorCode::kInternal, "internal server error");
    try {
      Document reply = co_await run(*message.command);
      co_return finished(std::move(reply));
    } catch (const std::bad_alloc&) {
      RESTITCH_LOG(kError, kNetwork, 1204, "Out of memory while running a wire command");
      failure = mongo_error(146, "the server is out of memory for this command");
    } catch (const std::exception& error) {
      RESTITCH_LOG(kError, kNetwork, 1205, "A wire command ended by an exception",
                   {"error", error.what()});
    }
    co_return finished(error_reply(failure));
  }

  Document finished(Document reply) const {
    const Timestamp last = service_.cluster.cluster_time();
    const Timestamp heard = timestamp_of(service_.heard_time.load(std::memory_order_relaxed));
    return with_times(std::move(reply), std::max(last, heard), last);
  }

  // Moves the document out of `command`, unless it is a hello.
  asio::awaitable<Document> run(Command& command) {
    const Status heard = hear_time(command.document);
    if (!heard) co_return error_reply(heard.error());
    const std::string_view name =
        command.document.empty() ? std::string_view() : command.document.view().begin()->name;
    if (is_hello(name)) {
      auto hello = co_await run_hello(command);
      if (!hello) co_return error_reply(hello.error());
      co_return std::move(*hello);
    }
    const bool asks_for_address = name == "whatsmyuri";
    Document reply = co_await run_on_cluster(command.database, std::move(command.document));
    if (asks_for_address && is_success(reply)) co_return with_own_address(reply, remote_);
    co_return reply;
  }

  asio::awaitable<Document> run_on_cluster(std::string_view database, Document document,
                                           std::function<asio::awaitable<void>()> wait = {}) {
    const LabelContext labels = label_context(document);
    CallerContext context;
    context.caller = caller_;
    context.wait = std::move(wait);
    auto reply =
        co_await service_.cluster.run_for(std::move(context), database, std::move(document));
    if (!reply) co_return error_reply(reply.error(), labels);
    co_return std::move(*reply);
  }

  Status hear_time(bson::View command) {
    RESTITCH_TRY(const Timestamp heard, gossiped_time(command, wall_seconds()));
    const std::uint64_t ticks = ticks_of(heard);
    std::uint64_t known = service_.heard_time.load(std::memory_order_relaxed);
    while (known < ticks && !service_.heard_time.compare_exchange_weak(known, ticks)) {
    }
    if (heard > service_.cluster.cluster_time()) service_.cluster.advance_cluster_time(heard);
    return {};
  }

  // ---- hello

  Task<Document> run_hello(const Command& command) {
    RESTITCH_CO_TRY(const HelloRequest request, parse_hello(command.document));
    RESTITCH_CO_CHECK(take_metadata(request));
    std::function<asio::awaitable<void>()> wait;
    if (request.is_awaitable()) {
      RESTITCH_CO_TRY(const bool waits, knows_topology(*request.known_topology, service_.topology));
      if (waits) wait = [this, &request]() { return wait_for_change(request.max_wait); };
    }
    Document reply = co_await run_on_cluster(command.database, command.document, std::move(wait));
    if (draining_) co_return stopping_hello(service_.topology);
    if (!is_success(reply)) co_return reply;
    has_said_hello_ = true;
    co_return localized_hello(reply, service_.topology, facts_);
  }

  Status take_metadata(const HelloRequest& request) {
    if (!request.metadata) return {};
    if (has_said_hello_) {
      return mongo_error(kMetadataTwice,
                         "The client metadata document may only be sent in the first hello");
    }
    RESTITCH_CHECK(check_metadata(*request.metadata));
    const bson::View metadata = *request.metadata;
    auto caller = std::make_shared<Caller>();
    caller->connection = facts_.id;
    caller->remote = remote_;
    caller->metadata = Document(metadata);
    caller->app_name = metadata.find_path("application.name").as_string().value_or("");
    caller_ = std::move(caller);
    RESTITCH_LOG(kDebug1, kNetwork, 1206, "Wire client", {"connection", facts_.id},
                 {"remote", remote_},
                 {"client", bson::to_json(*request.metadata, bson::JsonMode::kRelaxed)});
    return {};
  }

  asio::awaitable<void> wait_for_change(std::chrono::milliseconds at_most) {
    if (draining_) co_return;
    await_timer_.expires_after(at_most);
    co_await await_timer_.async_wait(kTuple);
  }

  // Whether the reply is the first of a stream: a monitor that hears of every topology change
  // without asking again.
  bool is_streaming(const ParsedMessage& message, bson::View reply) const {
    if (!message.form.allows_exhaust || !message.command || draining_) return false;
    const bson::View command = message.command->document;
    if (command.empty() || !is_hello(command.begin()->name) || !is_success(reply)) return false;
    return command.contains("topologyVersion") && command.contains("maxAwaitTimeMS");
  }

  // The further replies: each answers the one before it.
  asio::awaitable<bool> stream_hello(const ParsedMessage& message, std::uint32_t reply_id) {
    const auto request = parse_hello(message.command->document);
    if (!request) co_return false;
    const auto wait = [this, &request]() { return wait_for_change(request->max_wait); };
    bool has_more = true;
    while (has_more) {
      const Command& hello = *message.command;
      const Document now = co_await run_on_cluster(hello.database, hello.document, wait);
      if (!stream_.socket().is_open() || caller_->has_to_close) co_return false;
      Document reply = stopping_hello(service_.topology);
      if (!draining_) {
        reply = is_success(now) ? localized_hello(now, service_.topology, facts_) : now;
      }
      has_more = !draining_ && is_success(reply);
      Document complete = finished(std::move(reply));
      const bool is_sent =
          co_await send(message.form, std::move(complete), reply_id, has_more, reply_id);
      if (!is_sent) co_return false;
    }
    co_return true;
  }

  // ---- replies

  // `reply_id` becomes the number of this reply.
  asio::awaitable<bool> send(const ReplyForm& form, Document reply, std::uint32_t response_to,
                             bool has_more, std::uint32_t& reply_id) {
    reply_id = ++last_reply_id_;
    const ReplyHeader header{reply_id, response_to, has_more};
    const std::string head = reply_head(form, header, reply.bytes().size());
    const std::string_view body = reply.bytes();
    const std::array<boost::asio::const_buffer, 2> buffers{
        boost::asio::buffer(head), boost::asio::buffer(body.data(), body.size())};
    stream_.expires_after(service_.options.transfer_timeout);
    const auto [error, bytes] = co_await boost::asio::async_write(stream_, buffers, kTuple);
    stream_.expires_never();
    co_return !error;
  }

  boost::beast::tcp_stream stream_;
  WireService& service_;
  asio::steady_timer await_timer_;
  ConnectionFacts facts_;
  std::string remote_;
  CallerPtr caller_ = std::make_shared<Caller>();  // replaced when the client tells about itself
  std::string input_;
  std::uint32_t last_reply_id_ = 0;
  bool has_said_hello_ = false;
  bool is_busy_ = false;  // from a whole header to the end of the answer
  bool draining_ = false;
};

}  // namespace

std::shared_ptr<WireConnection> WireConnection::create(tcp::socket socket, WireService& service,
                                                       std::int32_t id) {
  return std::make_shared<Connection>(std::move(socket), service, id);
}

}  // namespace restitch::api::wire
