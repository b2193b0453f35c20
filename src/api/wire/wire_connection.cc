#include "api/wire/wire_connection.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <new>

#include "api/lower_case.h"
#include "api/wire/app_user.h"
#include "api/wire/app_user_commands.h"
#include "api/wire/hello.h"
#include "api/wire/message.h"
#include "api/wire/reply.h"
#include "base/log.h"
#include "bson/extended_json.h"
#include "datasource/embedded/users/authentication.h"
#include "runtime/metrics.h"

namespace restitch::api::wire {

namespace {

using boost::asio::ip::tcp;
using bson::Document;
using bson::Timestamp;
using datasource::embedded::Caller;
using datasource::embedded::CallerContext;
using datasource::embedded::CallerPtr;
using Clock = std::chrono::steady_clock;

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::size_t kLeastRead = 8192;
constexpr std::size_t kMostRead = 1U << 20U;
constexpr std::size_t kInlineCompression = 64U << 10U;  // bytes; more is the pool's work
constexpr int kMetadataTwice = 186;
constexpr int kUnauthorized = 13;
constexpr int kAuthenticationFailed = 18;

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

std::string_view name_of(bson::View command) {
  return command.empty() ? std::string_view() : command.begin()->name;
}

// What clients are told to connect to.
std::string advertised_address(const WireServerOptions& options, const tcp::endpoint& local) {
  if (!options.advertised.empty()) return lower_case(options.advertised);
  if (local.address().is_loopback()) return net::text_of(local);
  char name[256] = "localhost";
  static_cast<void>(gethostname(name, sizeof name - 1));
  return lower_case(name) + ":" + std::to_string(local.port());
}

// A request while it is answered.
struct Exchange {
  ParsedMessage message;
  std::uint32_t request_id = 0;
  std::optional<Compressor> compressor;  // of the request, and so of its replies
  bool is_hello = false;
  // The command of a stream of replies, to be run again for each; empty when there is none.
  Document repeated;
};

class WireConnection final : public net::Connection,
                             public std::enable_shared_from_this<WireConnection> {
 public:
  WireConnection(tcp::socket socket, WireService& service, std::int32_t id)
      : stream_(std::move(socket), service.tls.get()),
        service_(service),
        counted_(service.cluster.connections()),
        await_timer_(stream_.executor()) {
    caller_->connection = id;
    caller_->address = advertised_address(service.options, stream_.local());
    caller_->remote = net::text_of(stream_.remote());
    caller_->is_encrypted = stream_.is_encrypted();
    caller_->compressors = compressor_names();
    caller_->authentication = std::make_shared<datasource::embedded::Authentication>();
    caller_->authentication->is_required = service.options.must_authenticate;
  }
  ~WireConnection() override { hold(0); }

  asio::awaitable<void> serve() override {
    const auto self = shared_from_this();
    const bool is_safe = co_await begin();
    while (is_safe && !draining_) {
      const bool again = co_await serve_one();
      is_busy_ = false;
      if (!again) break;
    }
    stream_.shutdown_send();
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

  void enforce_deadline(Clock::time_point now) override {
    if (now > deadline_) abort();
  }

 private:
  // The handshake of TLS, if there is one. False when the connection is to end.
  asio::awaitable<bool> begin() {
    if (!stream_.is_encrypted()) co_return true;
    deadline_ = Clock::now() + service_.options.handshake_timeout;
    const auto [error] = co_await stream_.handshake();
    if (error) {
      RESTITCH_LOG(kDebug1, kNetwork, 1208, "TLS handshake failed",
                   {"connection", caller_->connection}, {"remote", caller_->remote},
                   {"error", error.message()});
      co_return false;
    }
    caller_->certificate_subject = stream_.peer_subject();
    co_return true;
  }

  // False when the connection is to end.
  asio::awaitable<bool> serve_one() {
    Exchange exchange;
    const bool is_received = co_await receive(exchange);
    if (!is_received) co_return false;
    request_count().add();
    ++counted_.requests;
    const auto started = Clock::now();
    Document reply = co_await answer(exchange);
    request_time().observe(std::chrono::duration<double>(Clock::now() - started).count());
    if (caller_->has_to_close) co_return false;
    if (!exchange.message.form.is_wanted) co_return true;

    bool has_more = is_streaming(exchange, reply);
    std::uint32_t reply_id = 0;
    bool is_sent =
        co_await send(exchange, std::move(reply), exchange.request_id, has_more, reply_id);
    while (is_sent && has_more) {
      reply = co_await next_of_stream(exchange);
      if (caller_->has_to_close || !stream_.is_open()) co_return false;
      has_more = is_streaming(exchange, reply);
      is_sent = co_await send(exchange, std::move(reply), reply_id, has_more, reply_id);
    }
    if (!is_sent) co_await abandon(exchange);
    co_return is_sent;
  }

  // ---- receiving

  // False when the connection is to end.
  asio::awaitable<bool> receive(Exchange& exchange) {
    deadline_ = Clock::now() + (input_.empty() ? service_.options.idle_timeout
                                               : service_.options.transfer_timeout);
    const bool has_header = co_await fill(kHeaderBytes);
    if (!has_header) co_return false;
    is_busy_ = true;
    const auto header = parse_header(std::string_view(input_).substr(0, kHeaderBytes));
    if (!header) co_return refuse(header.error().message());
    if (header->length > longest_message()) co_return refuse("too long before the sign-in");
    deadline_ = Clock::now() + service_.options.transfer_timeout;
    const bool has_rest = co_await fill(header->length);
    if (!has_rest) co_return false;
    deadline_ = Clock::time_point::max();
    counted_.bytes_in += static_cast<std::int64_t>(header->length);
    exchange.request_id = header->request_id;

    if (header->op_code == OpCode::kCompressed) {
      const bool is_open = co_await parse_within(exchange, *header);
      if (!is_open) co_return false;
    } else {
      exchange.message = parse_message(*header, std::string_view(input_).substr(0, header->length));
    }
    forget_input(header->length);
    if (exchange.message.is_fatal) co_return refuse(exchange.message.command.error().message());
    note_command(exchange);
    co_return true;
  }

  asio::awaitable<bool> parse_within(Exchange& exchange, const Header& header) {
    const auto outer = parse_compressed(header, std::string_view(input_).substr(0, header.length),
                                        longest_message());
    if (!outer) co_return refuse(outer.error().message());
    if (!hold(header.length + outer->header.length)) co_return refuse("too many bytes are held");
    const CompressedMessage message = *outer;
    Result<std::string> whole = std::string();
    if (message.header.length <= kInlineCompression) {
      whole = decompressed(message);
    } else {
      const auto work = [message]() { return decompressed(message); };
      whole = co_await service_.pool.run(work);
    }
    if (!whole) co_return refuse(whole.error().message());
    exchange.message = parse_message(message.header, *whole);
    exchange.compressor = message.compressor;
    if (auto* counted = counted_compression(message.compressor)) {
      counted->decompressor_in += static_cast<std::int64_t>(message.bytes.size());
      counted->decompressor_out += static_cast<std::int64_t>(whole->size() - kHeaderBytes);
    }
    co_return true;
  }

  void note_command(Exchange& exchange) {
    if (!exchange.message.command) return;
    const bson::View command = exchange.message.command->document;
    const std::string_view name = name_of(command);
    exchange.is_hello = is_hello(name);
    if (is_never_compressed(name)) exchange.compressor.reset();
    const bool may_stream = exchange.is_hello ? command.contains("topologyVersion") &&
                                                    command.contains("maxAwaitTimeMS")
                                              : name == "getMore";
    if (exchange.message.form.allows_exhaust && may_stream) exchange.repeated = Document(command);
  }

  std::size_t longest_message() const {
    const bool is_trusted = app_user_ || (caller_->authentication->is_trusted() && !app_user_name_);
    return is_trusted ? kMaxMessageBytes : service_.options.max_message_before_sign_in;
  }

  bool refuse(std::string_view reason) {
    RESTITCH_LOG(kWarning, kNetwork, 1203, "Wire connection closed: not understood",
                 {"connection", caller_->connection}, {"remote", caller_->remote},
                 {"reason", reason});
    return false;
  }

  // Reads until `size` bytes are there. Memory grows with what has arrived, not with what was
  // announced.
  asio::awaitable<bool> fill(std::size_t size) {
    while (input_.size() < size) {
      const std::size_t old = input_.size();
      const std::size_t step = std::clamp(size - old, kLeastRead, kMostRead);
      if (!hold(old + step)) co_return refuse("too many bytes are held");
      input_.resize(old + step);
      const auto buffer = boost::asio::buffer(input_.data() + old, step);
      const auto [error, bytes] = co_await stream_.read_some(buffer);
      input_.resize(old + bytes);
      if (error) co_return false;
      // What has begun must be complete in time.
      if (old == 0) {
        deadline_ = std::min(deadline_, Clock::now() + service_.options.transfer_timeout);
      }
    }
    co_return true;
  }

  void forget_input(std::size_t size) {
    input_.erase(0, size);
    if (input_.capacity() > kMostRead && input_.size() <= kLeastRead) input_.shrink_to_fit();
    hold(input_.size());
  }

  // Counts large amounts towards the limit of all connections; false when it is reached.
  bool hold(std::size_t bytes) {
    const auto wanted = static_cast<std::int64_t>(bytes > kMostRead ? bytes : 0);
    const std::int64_t change = wanted - held_;
    if (change == 0) return true;
    const std::int64_t total = service_.held_bytes.fetch_add(change) + change;
    if (change > 0 && total > service_.options.max_held_bytes) {
      service_.held_bytes.fetch_sub(change);
      return false;
    }
    held_ = wanted;
    return true;
  }

  // ---- commands

  asio::awaitable<Document> answer(Exchange& exchange) {
    if (!exchange.message.command) {
      co_return finished(error_reply(exchange.message.command.error()));
    }
    Command& command = *exchange.message.command;
    ++counted_.active;
    Error failure(ErrorCode::kInternal, "internal server error");
    bool is_failed = true;
    Document reply;
    try {
      reply = co_await run(exchange, command);
      is_failed = false;
    } catch (const std::bad_alloc&) {
      RESTITCH_LOG(kError, kNetwork, 1204, "Out of memory while running a wire command");
      failure = mongo_error(146, "the server is out of memory for this command");
    } catch (const std::exception& error) {
      RESTITCH_LOG(kError, kNetwork, 1205, "A wire command ended by an exception",
                   {"error", error.what()});
    }
    --counted_.active;
    if (is_failed) reply = error_reply(failure);
    co_return finished(std::move(reply));
  }

  Document finished(Document reply) const {
    const Timestamp last = service_.cluster.cluster_time();
    const Timestamp heard = timestamp_of(service_.heard_time.load(std::memory_order_relaxed));
    return with_times(std::move(reply), std::max(last, heard), last);
  }

  // Moves the document out of `command`, unless it is a hello.
  asio::awaitable<Document> run(const Exchange& exchange, Command& command) {
    const Status heard = hear_time(command.document);
    if (!heard) co_return error_reply(heard.error());
    if (exchange.is_hello) {
      auto hello = co_await run_hello(command);
      if (!hello) co_return error_reply(hello.error());
      co_return std::move(*hello);
    }
    if (app_user_name_) {
      auto reply = co_await run_for_app_user(command);
      if (reply) co_return std::move(*reply);
    }
    co_return co_await run_on_cluster(command.database, std::move(command.document));
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

  // ---- app users

  // The reply of a connection whose application name is an app user's; nothing when the command is
  // the cluster's: before the sign-in, or after one as a user of the cluster.
  asio::awaitable<std::optional<Document>> run_for_app_user(Command& command) {
    const std::string_view name = name_of(command.document);
    const bool is_plain = name == "saslStart" && command.database == "$external" &&
                          command.document["mechanism"].as_string() == "PLAIN";
    if (is_plain && !app_user_) co_return co_await sign_in_app_user(command.document);
    if (app_user_) {
      if (name == "logout") app_user_.reset();
      if (name == "buildInfo" || name == "buildinfo" || name == "logout") co_return std::nullopt;
      Document reply = co_await app_user_->run(command.database, std::move(command.document));
      if (app_user_->has_ended()) caller_->has_to_close = true;
      co_return reply;
    }
    const bool is_open = !caller_->authentication->users.empty() || name.starts_with("sasl") ||
                         kind_of_command(name) == AppUserCommand::kOther;
    if (is_open) co_return std::nullopt;
    co_return error_reply(
        mongo_error(kUnauthorized, "Command " + std::string(name) + " requires authentication"));
  }

  asio::awaitable<Document> sign_in_app_user(const Document& command) {
    const Error refused = mongo_error(kAuthenticationFailed, "Authentication failed.");
    const bool is_private = stream_.is_encrypted() || stream_.remote().address().is_loopback();
    const bson::ValueView payload = command["payload"];
    if (!is_private || payload.type() != bson::Type::kBinary) co_return error_reply(refused);
    auto user =
        co_await AppUser::sign_in(*service_.app_users, *app_user_name_, payload.get_binary().bytes,
                                  stream_.remote().address().to_string());
    if (!user) co_return error_reply(user.error());
    app_user_ = std::move(*user);
    bson::Builder reply;
    reply.append("conversationId", std::int32_t{1}).append("done", true);
    reply.append_binary("payload", 0, {}).append("ok", 1.0);
    co_return std::move(reply).finish();
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
    const auto& topology = service_.cluster.topology();
    RESTITCH_CO_TRY(const HelloRequest request, parse_hello(command.document));
    RESTITCH_CO_CHECK(take_metadata(request));
    std::function<asio::awaitable<void>()> wait;
    if (request.is_awaitable()) {
      RESTITCH_CO_TRY(const bool waits, knows_topology(*request.known_topology, topology));
      if (waits) wait = [this, &request]() { return wait_for_change(request.max_wait); };
    }
    Document reply = co_await run_on_cluster(command.database, command.document, std::move(wait));
    if (draining_) co_return stopping_hello(topology);
    if (is_success(reply)) has_said_hello_ = true;
    co_return reply;
  }

  Status take_metadata(const HelloRequest& request) {
    if (!request.metadata) return {};
    if (has_said_hello_) {
      return mongo_error(kMetadataTwice,
                         "The client metadata document may only be sent in the first hello");
    }
    RESTITCH_CHECK(check_metadata(*request.metadata));
    caller_ = caller_->with_metadata(*request.metadata);
    if (service_.app_users) app_user_name_ = parse_app_name(caller_->app_name);
    RESTITCH_LOG(kDebug1, kNetwork, 1206, "Wire client", {"connection", caller_->connection},
                 {"remote", caller_->remote},
                 {"client", bson::to_json(*request.metadata, bson::JsonMode::kRelaxed)});
    return {};
  }

  asio::awaitable<void> wait_for_change(std::chrono::milliseconds at_most) {
    if (draining_) co_return;
    await_timer_.expires_after(at_most);
    co_await await_timer_.async_wait(kTuple);
  }

  // ---- streams of replies: each answers the one before it

  // Whether more replies follow this one without being asked for: a monitor hears of every
  // topology change, a cursor is read to its end.
  bool is_streaming(const Exchange& exchange, bson::View reply) const {
    if (exchange.repeated.empty() || draining_ || !is_success(reply)) return false;
    if (exchange.is_hello) return true;
    return reply.find_path("cursor.id").as_integer().value_or(0) != 0;
  }

  asio::awaitable<Document> next_of_stream(Exchange& exchange) {
    Command& command = *exchange.message.command;
    if (!exchange.is_hello) {
      command.document = exchange.repeated;
      co_return co_await answer(exchange);
    }
    const auto request = parse_hello(exchange.repeated);
    std::function<asio::awaitable<void>()> wait;
    if (request) wait = [this, &request]() { return wait_for_change(request->max_wait); };
    Document reply = co_await run_on_cluster(command.database, exchange.repeated, std::move(wait));
    if (draining_) co_return finished(stopping_hello(service_.cluster.topology()));
    co_return finished(std::move(reply));
  }

  // Nobody is there any more to read the rest of a cursor's stream.
  asio::awaitable<void> abandon(Exchange& exchange) {
    if (exchange.repeated.empty() || exchange.is_hello) co_return;
    const bson::View get_more = exchange.repeated;
    const auto collection = get_more["collection"].as_string();
    if (!collection || get_more["getMore"].type() != bson::Type::kInt64) co_return;
    bson::Builder kill;
    kill.append("killCursors", *collection);
    kill.open_array("cursors").push(get_more["getMore"].get_int64()).close();
    Document command = std::move(kill).finish();
    co_await run_on_cluster(exchange.message.command->database, std::move(command));
  }

  // ---- replies

  // `reply_id` becomes the number of this reply.
  asio::awaitable<bool> send(const Exchange& exchange, Document reply, std::uint32_t response_to,
                             bool has_more, std::uint32_t& reply_id) {
    reply_id = ++last_reply_id_;
    const ReplyHeader header{reply_id, response_to, has_more};
    std::string head;
    std::string_view body;
    if (exchange.compressor) {
      head = co_await compressed(exchange, header, reply);
      if (auto* counted = counted_compression(*exchange.compressor)) {
        const std::size_t plain =
            reply_head(exchange.message.form, header, reply.bytes().size()).size() +
            reply.bytes().size();
        counted->compressor_in += static_cast<std::int64_t>(plain - kHeaderBytes);
        counted->compressor_out += static_cast<std::int64_t>(head.size() - kCompressedHeaderBytes);
      }
    } else {
      head = reply_head(exchange.message.form, header, reply.bytes().size());
      body = reply.bytes();
    }
    const std::array<boost::asio::const_buffer, 2> buffers{
        boost::asio::buffer(head), boost::asio::buffer(body.data(), body.size())};
    deadline_ = Clock::now() + service_.options.transfer_timeout;
    const auto [error, bytes] = co_await stream_.write(buffers);
    deadline_ = Clock::time_point::max();
    counted_.bytes_out += static_cast<std::int64_t>(bytes);
    co_return !error;
  }

  datasource::embedded::CompressionStatistics* counted_compression(Compressor compressor) {
    switch (compressor) {
      case Compressor::kSnappy:
        return &counted_.snappy;
      case Compressor::kZlib:
        return &counted_.zlib;
      case Compressor::kZstd:
        return &counted_.zstd;
      case Compressor::kNone:
        break;
    }
    return nullptr;
  }

  asio::awaitable<std::string> compressed(const Exchange& exchange, const ReplyHeader& header,
                                          const Document& reply) {
    const Compressor compressor = *exchange.compressor;
    const ReplyForm form = exchange.message.form;
    const bson::View document = reply;
    const auto work = [compressor, form, header, document]() -> Result<std::string> {
      return compressed_reply(compressor, form, header, document);
    };
    if (document.size() > kInlineCompression) {
      auto made = co_await service_.pool.run(work);
      if (made) co_return std::move(*made);
    }
    co_return *work();
  }

  net::ByteStream stream_;
  WireService& service_;
  datasource::embedded::ConnectionStatistics& counted_;
  CallerPtr caller_ = std::make_shared<Caller>();  // replaced when the client tells about itself
  std::optional<AppUserName> app_user_name_;       // what the client calls itself, if it is one
  std::unique_ptr<AppUser> app_user_;              // once signed in
  asio::steady_timer await_timer_;
  std::string input_;
  std::int64_t held_ = 0;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::uint32_t last_reply_id_ = 0;
  bool has_said_hello_ = false;
  bool is_busy_ = false;  // from a whole header to the end of the answer
  bool draining_ = false;
};

}  // namespace

std::shared_ptr<net::Connection> make_wire_connection(tcp::socket socket, WireService& service,
                                                      std::int32_t id) {
  return std::make_shared<WireConnection>(std::move(socket), service, id);
}

}  // namespace restitch::api::wire
