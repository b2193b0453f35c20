#include "query/filter/filter.h"
#include "query/update/update.h"
#include "query_input.h"

// An update, a query for positions and upserts, array filters and documents, a line each:
// post-images and descriptions are well-formed, and a no-op changes nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace restitch;
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 8);
  if (!lines || lines->size() < 3) return 0;
  const query::CommandContext context = fuzz::small_context();
  const bson::View query = fuzz::object_in(*lines, 1);
  const auto filter = query::Filter::compile(query, context);
  query::UpdateOptions options;
  options.array_filters = (*lines)[2].view().as_array().value_or(bson::View());
  const auto update = query::Update::compile(lines->front(), context, options);
  if (!filter || !update) return 0;
  for (std::size_t i = 3; i < lines->size(); ++i) {
    const bson::View document = fuzz::object_in(*lines, i);
    query::MatchDetails details;
    const auto matches = filter->matches(document, &details);
    if (!matches || !*matches) continue;
    const auto updated = update->apply(document, details);
    if (!updated) continue;
    fuzz::check_document(updated->document);
    RESTITCH_ASSERT(updated->modified || updated->document.bytes() == document.bytes());
    fuzz::check_document(updated->description);
  }
  const auto inserted = update->upsert_document(*filter, query);
  if (inserted) fuzz::check_document(*inserted);
  return 0;
}
