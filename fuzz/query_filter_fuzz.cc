#include "query/filter/filter.h"
#include "query_input.h"

// A query and documents, a line each: matching ends, and a query and its negation never agree.
namespace {

using namespace restitch;

bool depends_on_chance(std::string_view text) {
  return text.find("$sampleRate") != text.npos || text.find("$rand") != text.npos ||
         text.find('\\') != text.npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto lines = fuzz::lines_of(text, 8);
  if (!lines) return 0;
  const query::CommandContext context = fuzz::small_context();
  const auto filter = query::Filter::compile(fuzz::object_in(*lines, 0), context);
  if (!filter) return 0;
  bson::Builder negated;
  negated.open_array("$nor").push(fuzz::object_in(*lines, 0)).close();
  const bson::Document negation = std::move(negated).finish();
  const auto opposite = query::Filter::compile(negation, context);
  RESTITCH_ASSERT(opposite || depends_on_chance(text) || text.find("$text") != text.npos);
  for (std::size_t i = 1; i < lines->size(); ++i) {
    const bson::View document = fuzz::object_in(*lines, i);
    query::MatchDetails details;
    const auto matches = filter->matches(document, &details);
    if (!matches) continue;
    if (!*matches) fuzz::check_document(filter->explain_mismatch(document));
    if (!opposite || depends_on_chance(text)) continue;
    const auto other = opposite->matches(document);
    RESTITCH_ASSERT(!other || *other != *matches);
  }
  return 0;
}
