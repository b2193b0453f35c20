#include "query/expression/expression.h"
#include "query_input.h"

// An expression and documents, a line each: values are well-formed, and evaluating again gives the
// same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace restitch;
  const std::string_view text = fuzz::text_of(data, size);
  const auto lines = fuzz::lines_of(text, 8);
  if (!lines || lines->empty()) return 0;
  const query::CommandContext context = fuzz::small_context();
  const auto expression =
      query::Expression::compile(lines->front(), context, query::VariableScope());
  if (!expression) return 0;
  const bool is_random = text.find("rand") != text.npos || text.find('\\') != text.npos;
  for (std::size_t i = 1; i < lines->size(); ++i) {
    const bson::View document = fuzz::object_in(*lines, i);
    const auto value = (*expression)->evaluate(document, context);
    if (!value) continue;
    fuzz::check_value(*value);
    std::vector<bson::Value> variables;
    query::EvalContext evaluation{context, document, variables, std::nullopt};
    bson::Value storage;
    const auto peeked = (*expression)->peek(evaluation, storage);
    RESTITCH_ASSERT(context.expired() || (peeked && (is_random || fuzz::same(*peeked, *value))));
    RESTITCH_ASSERT(evaluation.held == 0);
  }
  return 0;
}
