#include "datasource/embedded/explain.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

void append_multikey_paths(Builder& builder, const Index& index) {
  builder.open_object("multiKeyPaths");
  for (std::size_t field = 0; field < index.fields.size(); ++field) {
    builder.open_array(index.fields[field].path);
    const std::uint64_t bits = index.multikey_bits(field);
    std::string prefix;
    for (std::size_t component = 0; component < index.fields[field].components.size();
         ++component) {
      if (component > 0) prefix += '.';
      prefix += index.fields[field].components[component];
      if ((bits >> component & 1U) != 0) builder.push(prefix);
    }
    builder.close();
  }
  builder.close();
}

Document index_stage(const IndexScan& scan, const char* stage) {
  const Index& index = *scan.index;
  Builder builder;
  builder.append("stage", stage);
  builder.append("keyPattern", index.key);
  builder.append("indexName", index.name);
  if (index.collation) builder.append("collation", index.collation->spec());
  builder.append("isMultiKey", index.is_multikey());
  append_multikey_paths(builder, index);
  builder.append("isUnique", index.unique).append("isSparse", index.sparse);
  builder.append("isPartial", index.partial != nullptr);
  builder.append("indexVersion", std::int32_t{2});
  builder.append("direction", scan.is_forward ? "forward" : "backward");
  builder.open_object("indexBounds");
  for (std::size_t field = 0; field < index.fields.size(); ++field) {
    const bool is_reversed = index.fields[field].descending == scan.is_forward;
    builder.open_array(index.fields[field].path);
    const Intervals& intervals = scan.bounds[field];
    for (std::size_t at = 0; at < intervals.size(); ++at) {
      const std::size_t shown = is_reversed ? intervals.size() - 1 - at : at;
      builder.push(to_text(intervals[shown], is_reversed));
    }
    builder.close();
  }
  builder.close();
  return std::move(builder).finish();
}

// Wraps `input` as the inputStage of another stage; `details` come before it.
Document over(const char* stage, View details, const Document& input) {
  Builder builder;
  builder.append("stage", stage);
  builder.append_all(details);
  builder.append("inputStage", input);
  return std::move(builder).finish();
}

Document access_stage(const PlanDescription& description) {
  const QueryPlan& plan = *description.plan;
  Builder builder;
  switch (plan.access) {
    case Access::kNothing:
      builder.append("stage", "EOF");
      break;
    case Access::kIdLookup:
      builder.append("stage", "IDHACK");
      break;
    case Access::kCollectionScan:
      builder.append("stage", "COLLSCAN");
      if (plan.needs_filter) builder.append("filter", description.filter);
      builder.append("direction", plan.is_forward ? "forward" : "backward");
      break;
    case Access::kIndexScan: {
      const IndexScan& scan = plan.scans.front();
      if (description.is_count && !plan.needs_filter) return index_stage(scan, "COUNT_SCAN");
      const Document inner = index_stage(scan, "IXSCAN");
      if (plan.is_covered && !scan.is_point_lookup) return inner;
      Builder details;
      if (plan.needs_filter) details.append("filter", description.filter);
      return over("FETCH", std::move(details).finish(), inner);
    }
    case Access::kIndexUnion: {
      Builder inner;
      inner.append("stage", "OR");
      inner.open_array("inputStages");
      for (const IndexScan& scan : plan.scans) inner.push(index_stage(scan, "IXSCAN"));
      inner.close();
      const Document fetch = over("FETCH", bson::make_document("filter", description.filter),
                                  std::move(inner).finish());
      return over("SUBPLAN", View(), fetch);
    }
  }
  return std::move(builder).finish();
}

}  // namespace

Document winning_plan(const PlanDescription& description) {
  const QueryPlan& plan = *description.plan;
  Document stage = access_stage(description);
  const bool is_id_lookup = plan.access == Access::kIdLookup;
  if (plan.needs_sort) {
    Builder details;
    details.append("sortPattern", description.sort);
    details.append("memLimit", std::int32_t{104857600}).append("type", "simple");
    if (description.limit) details.append("limitAmount", *description.limit + description.skip);
    stage = over("SORT", std::move(details).finish(), stage);
  }
  if (description.skip > 0) {
    stage = over("SKIP", bson::make_document("skipAmount", description.skip), stage);
  }
  if (!description.projection.empty()) {
    const bool is_covered = plan.is_covered && !plan.scans.front().is_point_lookup;
    const char* name = is_covered                         ? "PROJECTION_COVERED"
                       : description.is_simple_projection ? "PROJECTION_SIMPLE"
                                                          : "PROJECTION_DEFAULT";
    stage = over(name, bson::make_document("transformBy", description.projection), stage);
  }
  if (description.limit && !plan.needs_sort && !is_id_lookup) {
    stage = over("LIMIT", bson::make_document("limitAmount", *description.limit), stage);
  }
  if (description.is_count) stage = over("COUNT", View(), stage);
  if (!description.write_stage.empty()) {
    stage = over(std::string(description.write_stage).c_str(), View(), stage);
  }
  return stage;
}

}  // namespace restitch::datasource::embedded
