#include "functions/output_capture.h"

#include <boost/asio/buffer.hpp>

#include "base/encoding.h"
#include "base/log.h"

namespace restitch::functions {

namespace {

constexpr std::size_t kMaxLineBytes = 4096;
constexpr std::string_view kHeapExhausted = "heap out of memory";

}  // namespace

OutputCapture::OutputCapture(asio::any_io_executor executor, OwnedDescriptor descriptor,
                             std::string app, std::int64_t pid)
    : stream_(executor, descriptor.release()), app_(std::move(app)), pid_(pid) {}

void OutputCapture::start() { read(); }

void OutputCapture::read() {
  stream_.async_read_some(
      asio::buffer(buffer_),
      [self = shared_from_this()](boost::system::error_code error, std::size_t n) {
        if (error) return;
        self->take({self->buffer_.data(), n});
        self->read();
      });
}

void OutputCapture::drain() {
  boost::system::error_code error;
  stream_.non_blocking(true, error);
  std::array<char, 4096> bytes{};
  while (!error) {
    const std::size_t count = stream_.read_some(asio::buffer(bytes), error);
    if (!error) take({bytes.data(), count});
  }
  if (!line_.empty()) log_line(line_);
  line_.clear();
}

void OutputCapture::close() {
  boost::system::error_code ignored;
  stream_.close(ignored);
}

void OutputCapture::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos && line_.size() < kMaxLineBytes) return;
    log_line(line_);
    line_.clear();
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

void OutputCapture::log_line(std::string_view line) {
  if (line.empty()) return;
  if (line.find(kHeapExhausted) != std::string_view::npos) saw_heap_exhaustion_ = true;
  const std::string text = is_valid_utf8(line) ? std::string(line) : "hex " + to_hex(line);
  RESTITCH_LOG(kWarning, kFunction, 7010, "Function worker output", {"app", app_}, {"pid", pid_},
               {"line", text});
}

}  // namespace restitch::functions
