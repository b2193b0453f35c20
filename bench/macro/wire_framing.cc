#include "bench/macro/wire_framing.h"

#include <cstring>
#include <stdexcept>

#include "bench/macro/wire_message.h"
#include "bson/view.h"

namespace restitch::bench {
namespace {

constexpr std::size_t kBodyOffset = kHeaderBytes + 4 + 1;  // flags, kind of the section

std::int32_t number_at(std::string_view bytes, std::size_t offset) {
  std::int32_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

bool is_success(std::string_view document) {
  bool is_ok = false;
  for (const bson::Element& element :
       bson::View(reinterpret_cast<const std::uint8_t*>(document.data()))) {
    if (element.name == "ok") is_ok = element.value.truthy();
    if (element.name == "writeErrors") return false;
  }
  return is_ok;
}

}  // namespace

std::optional<FramedResponse> frame_op_msg(std::string_view received) {
  if (received.size() < kBodyOffset) return std::nullopt;
  const auto size = static_cast<std::size_t>(number_at(received, 0));
  if (number_at(received, 12) != kOpMsg || received[kBodyOffset - 1] != 0 || size <= kBodyOffset) {
    throw std::runtime_error("the answer is no OP_MSG");
  }
  if (received.size() < size) return std::nullopt;
  FramedResponse response;
  response.whole = received.substr(0, size);
  response.body = response.whole.substr(kBodyOffset);
  response.is_success = is_success(response.body);
  return response;
}

}  // namespace restitch::bench
