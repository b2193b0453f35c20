#include "datasource/embedded/users/scram.h"
#include "fuzz.h"

// Whatever a client sends in place of SCRAM's messages is refused with 18, and never signs in: the
// first byte says where the last message begins.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace restitch;
  using namespace restitch::datasource::embedded;
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text_of(data, size).substr(1);
  const std::size_t cut = std::min<std::size_t>(data[0], bytes.size());
  ScramExchange exchange(data[0] % 2 == 0 ? ScramHash::kSha1 : ScramHash::kSha256);
  const Status first = exchange.read_first(bytes.substr(0, cut));
  if (!first) {
    RESTITCH_ASSERT(first.error().mongo_code() == 18);
    return 0;
  }
  RESTITCH_ASSERT(!exchange.user().empty());
  const std::string answer =
      exchange.answer_first(fake_credentials(exchange.hash(), "secret", exchange.user()), "nonce");
  RESTITCH_ASSERT(answer.starts_with("r="));
  const auto last = exchange.finish(bytes.substr(cut));
  RESTITCH_ASSERT(!last && last.error().mongo_code() == 18);
  static_cast<void>(prepared_password(bytes));
  return 0;
}
