#include "api/wire/message.h"
#include "fuzz.h"

// A compressed message is refused or holds exactly the bytes that it tells, and what is inside is
// parsed like any message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace restitch;
  using namespace restitch::api::wire;
  constexpr std::size_t kLimit = 1U << 20U;
  if (size < kHeaderBytes) return 0;
  const std::string_view bytes = fuzz::text_of(data, size);
  const Header header{size, 1, OpCode::kCompressed};
  const auto outer = parse_compressed(header, bytes, kLimit);
  if (!outer) return 0;
  RESTITCH_ASSERT(outer->header.length <= kLimit);
  const auto whole = decompressed(*outer);
  if (!whole) return 0;
  RESTITCH_ASSERT(whole->size() == outer->header.length);
  const ParsedMessage parsed = parse_message(outer->header, *whole);
  RESTITCH_ASSERT(parsed.command || parsed.command.error().mongo_code() != 0);
  return 0;
}
