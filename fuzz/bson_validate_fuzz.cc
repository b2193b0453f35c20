#include "bson/compare.h"
#include "bson/extended_json.h"
#include "bson/key_encoding.h"
#include "bson/validate.h"
#include "fuzz.h"

// What validation lets through can be walked, printed, compared, hashed and encoded as an index
// key.
namespace {

using namespace restitch;

void use(bson::View document) {
  RESTITCH_ASSERT(bson::compare(document, document) == 0);
  RESTITCH_ASSERT(!bson::to_shell(document).empty());
  RESTITCH_ASSERT(!bson::to_json(document, bson::JsonMode::kRelaxed).empty());
  for (const bson::Element& element : document) {
    bson::hash(element.value);
    std::string key;
    std::string bits;
    bson::append_key(key, element.value);
    bson::append_type_bits(bits, element.value);
    std::string_view key_view = key;
    std::string_view bits_view = bits;
    const auto decoded = bson::decode_key(key_view, bits_view);
    RESTITCH_ASSERT(decoded && key_view.empty() && bits_view.empty());
    RESTITCH_ASSERT(bson::compare(*decoded, element.value) == 0);
    RESTITCH_ASSERT(bson::hash(*decoded) == bson::hash(element.value));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (bson::validate(fuzz::text_of(data, size))) use(bson::View(data));
  return 0;
}
