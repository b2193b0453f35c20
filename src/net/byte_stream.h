#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>

#include "base/result.h"
#include "runtime/task.h"

namespace restitch::net {

struct TlsOptions {
  std::string certificate_file;  // PEM: the server's certificate, then those of its issuers
  std::string key_file;          // PEM
  std::string ca_file;  // PEM; when given, clients must show a certificate of these issuers
};

// Keys and rules of TLS (1.2 and later). Immutable; thread-safe.
class TlsContext {
 public:
  // kInvalidArgument names the file that cannot be used.
  static Result<std::shared_ptr<TlsContext>> load(const TlsOptions& options);
  virtual ~TlsContext() = default;
};

// The two directions of an accepted TCP connection, with TLS or without. One operation of each
// direction at a time; close() from the same thread ends both.
class ByteStream {
 public:
  using Transferred = std::tuple<boost::system::error_code, std::size_t>;

  // `tls` is null for a plain connection; else it must outlive the stream.
  ByteStream(boost::asio::ip::tcp::socket socket, TlsContext* tls);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  bool is_encrypted() const { return tls_ != nullptr; }
  // For an encrypted stream once, before anything else.
  asio::awaitable<std::tuple<boost::system::error_code>> handshake();
  // At least one byte, unless there is an error.
  asio::awaitable<Transferred> read_some(boost::asio::mutable_buffer buffer);
  // All bytes of both, unless there is an error.
  asio::awaitable<Transferred> write(std::array<boost::asio::const_buffer, 2> buffers);

  // Subject of the client's certificate as RFC 2253 writes it; empty without one.
  std::string peer_subject() const;
  boost::asio::ip::tcp::endpoint local() const;
  boost::asio::ip::tcp::endpoint remote() const;
  boost::asio::any_io_executor executor() { return socket_.get_executor(); }
  bool is_open() const { return socket_.is_open(); }
  void shutdown_send();
  void close();

 private:
  struct Tls;

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace restitch::net
