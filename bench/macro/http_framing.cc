#include "bench/macro/http_framing.h"

#include <strings.h>

#include <charconv>
#include <stdexcept>

namespace restitch::bench {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kContentLength = "\r\ncontent-length:";
constexpr std::size_t kStatusOffset = 9;  // after "HTTP/1.1 "
constexpr int kNoContent = 204;

template <typename Number>
Number parse_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  Number number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc()) throw std::runtime_error("answer is not HTTP/1.1");
  return number;
}

std::size_t content_length(std::string_view head) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at);
    if (line.size() > kContentLength.size() &&
        ::strncasecmp(line.data(), kContentLength.data(), kContentLength.size()) == 0) {
      return parse_number<std::size_t>(line.substr(kContentLength.size()));
    }
  }
  throw std::runtime_error("answer without Content-Length");
}

}  // namespace

std::optional<FramedResponse> frame_http(std::string_view received) {
  const std::size_t head_size = received.find(kHeadEnd);
  if (head_size == std::string_view::npos) return std::nullopt;
  if (head_size < kStatusOffset) throw std::runtime_error("answer is not HTTP/1.1");

  FramedResponse response;
  const int status = parse_number<int>(received.substr(kStatusOffset));
  response.is_success = status >= 200 && status < 300;
  const std::size_t body_size =
      status == kNoContent ? 0 : content_length(received.substr(0, head_size));
  const std::size_t body_offset = head_size + kHeadEnd.size();
  if (received.size() < body_offset + body_size) return std::nullopt;
  response.whole = received.substr(0, body_offset + body_size);
  response.body = received.substr(body_offset, body_size);
  return response;
}

}  // namespace restitch::bench
