#include "query/projection.h"
#include "query_input.h"

// A projection, a query for its positional form, and documents, a line each: results are
// well-formed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace restitch;
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 8);
  if (!lines) return 0;
  const query::CommandContext context = fuzz::small_context();
  const auto filter = query::Filter::compile(fuzz::object_in(*lines, 1), context);
  for (const auto dialect :
       {query::ProjectionDialect::kFind, query::ProjectionDialect::kAggregation}) {
    const auto projection = query::Projection::compile(fuzz::object_in(*lines, 0), dialect, context,
                                                       filter ? &*filter : nullptr);
    if (!projection) continue;
    for (std::size_t i = 2; i < lines->size(); ++i) {
      const auto projected = projection->apply(fuzz::object_in(*lines, i));
      if (projected) fuzz::check_document(*projected);
    }
  }
  return 0;
}
