#include "net/byte_stream.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

namespace restitch::net {

namespace {

namespace ssl = boost::asio::ssl;
using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

class TlsContextImpl final : public TlsContext {
 public:
  Status open(const TlsOptions& options) {
    error_code error;
    context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                            ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                            ssl::context::no_tlsv1_1 | ssl::context::no_compression,
                        error);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    // Clients cannot make the server renegotiate, and may resume sessions.
    SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    constexpr unsigned char kSessions[] = "restitch";
    SSL_CTX_set_session_id_context(context.native_handle(), kSessions, sizeof kSessions - 1);
    context.use_certificate_chain_file(options.certificate_file, error);
    if (error) return unusable("certificate", options.certificate_file, error);
    context.use_private_key_file(options.key_file, ssl::context::pem, error);
    if (error) return unusable("private key", options.key_file, error);
    if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
      ERR_clear_error();
      return Error(ErrorCode::kInvalidArgument, "the private key " + options.key_file +
                                                    " does not belong to the certificate " +
                                                    options.certificate_file);
    }
    if (options.ca_file.empty()) return {};
    context.load_verify_file(options.ca_file, error);
    if (error) return unusable("issuers' file", options.ca_file, error);
    context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
    return {};
  }

  ssl::context context{ssl::context::tls_server};

 private:
  static Error unusable(const char* what, const std::string& file, const error_code& error) {
    return Error(ErrorCode::kInvalidArgument,
                 std::string("cannot use the TLS ") + what + " " + file + ": " + error.message());
  }
};

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(const TlsOptions& options) {
  auto context = std::make_shared<TlsContextImpl>();
  RESTITCH_CHECK(context->open(options));
  return std::shared_ptr<TlsContext>(std::move(context));
}

struct ByteStream::Tls {
  Tls(tcp::socket& socket, ssl::context& context) : stream(socket, context) {}
  ssl::stream<tcp::socket&> stream;
};

ByteStream::ByteStream(tcp::socket socket, TlsContext* tls) : socket_(std::move(socket)) {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (tls != nullptr) {
    tls_ = std::make_unique<Tls>(socket_, static_cast<TlsContextImpl*>(tls)->context);
  }
}

ByteStream::~ByteStream() = default;

asio::awaitable<std::tuple<error_code>> ByteStream::handshake() {
  return tls_->stream.async_handshake(ssl::stream_base::server, kTuple);
}

asio::awaitable<ByteStream::Transferred> ByteStream::read_some(boost::asio::mutable_buffer buffer) {
  if (tls_) return tls_->stream.async_read_some(buffer, kTuple);
  return socket_.async_read_some(buffer, kTuple);
}

asio::awaitable<ByteStream::Transferred> ByteStream::write(
    std::array<boost::asio::const_buffer, 2> buffers) {
  if (tls_) return boost::asio::async_write(tls_->stream, buffers, kTuple);
  return boost::asio::async_write(socket_, buffers, kTuple);
}

std::string ByteStream::peer_subject() const {
  if (!tls_) return {};
  X509* certificate = SSL_get1_peer_certificate(tls_->stream.native_handle());
  if (certificate == nullptr) return {};
  std::string subject;
  if (BIO* text = BIO_new(BIO_s_mem()); text != nullptr) {
    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(text, &bytes);
    if (size > 0) subject.assign(bytes, static_cast<std::size_t>(size));
    BIO_free(text);
  }
  X509_free(certificate);
  return subject;
}

tcp::endpoint ByteStream::local() const {
  error_code ignored;
  return socket_.local_endpoint(ignored);
}

tcp::endpoint ByteStream::remote() const {
  error_code ignored;
  return socket_.remote_endpoint(ignored);
}

void ByteStream::shutdown_send() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void ByteStream::close() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace restitch::net
