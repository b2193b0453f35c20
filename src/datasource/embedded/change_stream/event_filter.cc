#include "datasource/embedded/change_stream/event_filter.h"

#include "query/pipeline/match_stage.h"

namespace restitch::datasource::embedded {

namespace {

using bson::View;

// Appends the members of a conjunction, each a query of its own.
void collect_conditions(View query, std::vector<bson::Document>& out) {
  for (const bson::Element& element : query) {
    if (const auto list = element.value.as_array(); list && element.name == "$and") {
      for (const bson::Element& member : *list) {
        if (const auto object = member.value.as_object()) collect_conditions(*object, out);
      }
    } else {
      out.push_back(bson::make_document(element.name, element.value));
    }
  }
}

Result<bool> all_match(const std::vector<query::Filter>& filters, View event) {
  for (const query::Filter& filter : filters) {
    RESTITCH_TRY(const bool matches, filter.matches(event));
    if (!matches) return false;
  }
  return true;
}

}  // namespace

Result<EventFilter> EventFilter::make(View query, const query::CommandContext& context) {
  EventFilter filter;
  std::vector<bson::Document> conditions;
  collect_conditions(query, conditions);
  for (const bson::Document& condition : conditions) {
    RESTITCH_CHECK(filter.add(condition, context));
  }
  filter.specs_ = std::move(conditions);
  return filter;
}

Status EventFilter::add(View condition, const query::CommandContext& context) {
  RESTITCH_TRY(query::Filter filter, query::Filter::compile(condition, context));
  const auto fields = query::fields_read(filter);
  if (!fields || fields->contains("fullDocument") || fields->contains("fullDocumentBeforeChange")) {
    with_images_.push_back(std::move(filter));
    return {};
  }
  if (*fields != std::set<std::string>{"operationType"}) {
    without_images_.push_back(std::move(filter));
    return {};
  }
  for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
    const std::string_view type =
        kind == kInvalidate ? "invalidate" : operation_type(static_cast<ChangeKind>(kind));
    RESTITCH_TRY(const bool matches, filter.matches(bson::make_document("operationType", type)));
    if (!matches) kinds_.reset(kind);
  }
  return {};
}

Result<bool> EventFilter::matches_without_images(View event) const {
  return all_match(without_images_, event);
}

Result<bool> EventFilter::matches(View event) const {
  RESTITCH_TRY(const bool matches, all_match(without_images_, event));
  if (!matches) return false;
  return all_match(with_images_, event);
}

}  // namespace restitch::datasource::embedded
