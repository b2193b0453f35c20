#include "datasource/embedded/explain.h"

#include "datasource/embedded/filter_text.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

struct Stage {
  std::string name;
  Document filter;    // empty: none
  Document details;   // of the plan
  Document counters;  // of the run
  std::int64_t returned = 0, works = 0;
  std::vector<Stage> inputs;
  bool has_list = false;  // inputStages, however many
};

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// Counters are int32 where they fit, as the server prints them.
void append_count(Builder& builder, std::string_view name, std::int64_t value) {
  if (value >= INT32_MIN && value <= INT32_MAX) {
    builder.append(name, static_cast<std::int32_t>(value));
  } else {
    builder.append(name, value);
  }
}

Document count_of(std::string_view name, std::int64_t value) {
  Builder builder;
  append_count(builder, name, value);
  return std::move(builder).finish();
}

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

void append_bounds(Builder& builder, const IndexScan& scan) {
  builder.open_object("indexBounds");
  for (std::size_t field = 0; field < scan.index->fields.size(); ++field) {
    const bool is_reversed = scan.index->fields[field].descending == scan.is_forward;
    builder.open_array(scan.index->fields[field].path);
    const Intervals& intervals = scan.bounds[field];
    for (std::size_t at = 0; at < intervals.size(); ++at) {
      const std::size_t shown = is_reversed ? intervals.size() - 1 - at : at;
      builder.push(to_text(intervals[shown], is_reversed));
    }
    builder.close();
  }
  builder.close();
}

// Counting needs one interval per field: its two ends.
bool has_single_interval(const IndexScan& scan) {
  for (const Intervals& intervals : scan.bounds) {
    if (intervals.size() != 1) return false;
  }
  return true;
}

void append_count_bounds(Builder& builder, const IndexScan& scan) {
  const auto append_end = [&](const char* name, bool is_start) {
    bool is_inclusive = true;
    builder.open_object(name);
    for (std::size_t field = 0; field < scan.bounds.size(); ++field) {
      const Interval& interval = scan.bounds[field].front();
      const bool takes_low = is_start != scan.index->fields[field].descending;
      builder.append(scan.index->fields[field].path, takes_low ? interval.low : interval.high);
      is_inclusive = is_inclusive && (takes_low ? interval.low_inclusive : interval.high_inclusive);
    }
    builder.close();
    builder.append(std::string(name) + "Inclusive", is_inclusive);
  };
  builder.open_object("indexBounds");
  append_end("startKey", true);
  append_end("endKey", false);
  builder.close();
}

Stage index_stage(const IndexScan& scan, std::string name, const IndexReader* reader) {
  const Index& index = *scan.index;
  Stage stage;
  stage.name = std::move(name);
  const bool counts = stage.name == "COUNT_SCAN";
  Builder details;
  details.append("keyPattern", index.key);
  details.append("indexName", index.name);
  if (index.collation) details.append("collation", index.collation->spec());
  details.append("isMultiKey", index.is_multikey());
  append_multikey_paths(details, index);
  details.append("isUnique", index.unique).append("isSparse", index.sparse);
  details.append("isPartial", index.partial != nullptr);
  details.append("indexVersion", std::int32_t{2});
  if (counts) {
    append_count_bounds(details, scan);
  } else {
    details.append("direction", scan.is_forward ? "forward" : "backward");
    append_bounds(details, scan);
  }
  stage.details = std::move(details).finish();
  if (reader != nullptr) {
    Builder counters;
    append_count(counters, "keysExamined", signed_of(reader->keys_examined()));
    if (stage.name == "IXSCAN") {
      append_count(counters, "seeks", signed_of(reader->seeks()));
      const std::int64_t tested = index.is_multikey() ? signed_of(reader->keys_examined()) : 0;
      append_count(counters, "dupsTested", tested);
      append_count(counters, "dupsDropped", 0);
    }
    stage.counters = std::move(counters).finish();
    stage.returned = signed_of(reader->entries());
    stage.works = signed_of(reader->keys_examined()) + 1;
  }
  return stage;
}

class StageTree {
 public:
  StageTree(const PlanDescription& description, const PlanExecutor* run, std::int64_t returned)
      : description_(description), plan_(*description.plan), run_(run), returned_(returned) {}

  Stage build() {
    Stage stage = access();
    if (plan_.access == Access::kNothing && description_.write_stage.empty() &&
        !description_.is_count) {
      return stage;
    }
    const bool is_id_lookup = plan_.access == Access::kIdLookup;
    if (plan_.needs_sort) stage = sorted(std::move(stage));
    if (description_.skip > 0 && !description_.is_count) {
      stage = over("SKIP", count_of("skipAmount", description_.skip), std::move(stage));
      stage.returned = std::max<std::int64_t>(0, stage.returned - description_.skip);
    }
    if (!description_.projection.empty() || description_.shows_key)
      stage = projected(std::move(stage));
    if (description_.limit && !plan_.needs_sort && !is_id_lookup && !description_.is_count &&
        description_.write_stage.empty()) {
      stage = over("LIMIT", count_of("limitAmount", *description_.limit), std::move(stage));
      stage.returned = std::min(stage.returned, *description_.limit);
    }
    if (description_.is_count) stage = counted(std::move(stage));
    if (!description_.write_stage.empty()) stage = written(std::move(stage));
    return stage;
  }

 private:
  static Stage over(std::string name, Document details, Stage input) {
    Stage stage;
    stage.name = std::move(name);
    stage.details = std::move(details);
    stage.returned = input.returned;
    stage.works = input.works;
    stage.inputs.push_back(std::move(input));
    return stage;
  }

  const IndexReader* reader(std::size_t at) const {
    return run_ == nullptr ? nullptr : &run_->index_readers()[at];
  }
  std::int64_t accepted() const { return run_ == nullptr ? 0 : signed_of(run_->accepted()); }
  std::int64_t documents() const {
    return run_ == nullptr ? 0 : signed_of(run_->documents_examined());
  }

  Document residual() const {
    if (!plan_.needs_filter) return {};
    static const std::vector<const query::FilterNode*> kNone;
    const bool is_single = plan_.access == Access::kIndexScan || plan_.access == Access::kSortMerge;
    return residual_filter(*description_.filter, is_single ? plan_.scans.front().decided : kNone);
  }

  Stage access() {
    Stage stage;
    switch (plan_.access) {
      case Access::kNothing:
        stage.name = "EOF";
        return stage;
      case Access::kIdLookup:
        stage.name = "IDHACK";
        if (run_ != nullptr) {
          Builder counters;
          append_count(counters, "keysExamined", signed_of(run_->keys_examined()));
          append_count(counters, "docsExamined", documents());
          stage.counters = std::move(counters).finish();
        }
        break;
      case Access::kCollectionScan:
        stage.name = "COLLSCAN";
        stage.filter = residual();
        stage.details = bson::make_document("direction", plan_.is_forward ? "forward" : "backward");
        stage.counters = count_of("docsExamined", documents());
        break;
      case Access::kIndexScan:
        return single_scan();
      case Access::kSortMerge:
        return fetched(
            several("SORT_MERGE", bson::make_document("sortPattern", description_.sort)));
      case Access::kIndexUnion: {
        stage = fetched(several("OR", Document()));
        return plan_.is_root_union ? over("SUBPLAN", Document(), std::move(stage)) : stage;
      }
    }
    stage.returned = accepted();
    stage.works = run_ == nullptr ? 0 : signed_of(run_->works());
    return stage;
  }

  Stage single_scan() {
    const IndexScan& scan = plan_.scans.front();
    if (description_.is_count && !plan_.needs_filter) {
      const bool is_count_scan = has_single_interval(scan) && !scan.tests_keys;
      return index_stage(scan, is_count_scan ? "COUNT_SCAN" : "IXSCAN", reader(0));
    }
    Stage inner =
        index_stage(scan, description_.is_distinct_scan ? "DISTINCT_SCAN" : "IXSCAN", reader(0));
    if (!plan_.reads_only_keys()) return fetched(std::move(inner));
    inner.filter = residual();
    inner.returned = accepted();
    return inner;
  }

  Stage several(std::string name, Document details) {
    Stage stage;
    stage.name = std::move(name);
    stage.details = std::move(details);
    stage.has_list = true;
    for (std::size_t at = 0; at < plan_.scans.size(); ++at) {
      stage.inputs.push_back(index_stage(plan_.scans[at], "IXSCAN", reader(at)));
      stage.returned += stage.inputs.back().returned;
      stage.works += stage.inputs.back().works;
    }
    if (run_ != nullptr) {
      Builder counters;
      append_count(counters, "dupsTested", stage.returned);
      append_count(counters, "dupsDropped", signed_of(run_->duplicates()));
      stage.counters = std::move(counters).finish();
      stage.returned -= signed_of(run_->duplicates());
    }
    return stage;
  }

  Stage fetched(Stage input) {
    Stage stage = over("FETCH", Document(), std::move(input));
    stage.filter = residual();
    stage.returned = accepted();
    Builder counters;
    append_count(counters, "docsExamined", documents());
    append_count(counters, "alreadyHasObj", 0);
    stage.counters = std::move(counters).finish();
    return stage;
  }

  Stage sorted(Stage input) {
    Builder details;
    details.append("sortPattern", description_.sort);
    details.append("memLimit", std::int32_t{104857600});
    if (description_.limit) {
      append_count(details, "limitAmount", *description_.limit + description_.skip);
    }
    details.append("type", "simple");
    Stage stage = over("SORT", std::move(details).finish(), std::move(input));
    if (description_.limit) {
      stage.returned = std::min(stage.returned, *description_.limit + description_.skip);
    }
    if (run_ != nullptr) {
      Builder counters;
      append_count(counters, "totalDataSizeSorted", signed_of(run_->sorted_bytes()));
      counters.append("usedDisk", false);
      append_count(counters, "spills", 0);
      stage.counters = std::move(counters).finish();
    }
    return stage;
  }

  Stage projected(Stage input) {
    if (description_.shows_key) return over("RETURN_KEY", Document(), std::move(input));
    const bool is_covered = !plan_.scans.empty() && plan_.reads_only_keys();
    const char* name = is_covered                          ? "PROJECTION_COVERED"
                       : description_.is_simple_projection ? "PROJECTION_SIMPLE"
                                                           : "PROJECTION_DEFAULT";
    return over(name, bson::make_document("transformBy", description_.projection),
                std::move(input));
  }

  Stage counted(Stage input) {
    // What was read to be skipped is part of the input's count.
    if (run_ != nullptr) input.returned = accepted();
    Stage stage = over("COUNT", Document(), std::move(input));
    if (run_ != nullptr) {
      Builder counters;
      append_count(counters, "nCounted", returned_);
      append_count(counters, "nSkipped", std::min(accepted(), description_.skip));
      stage.counters = std::move(counters).finish();
    }
    stage.returned = 0;
    return stage;
  }

  Stage written(Stage input) {
    Stage stage = over(std::string(description_.write_stage), Document(), std::move(input));
    stage.returned = 0;
    if (run_ == nullptr && plan_.access != Access::kNothing) return stage;
    Builder counters;
    if (description_.write_stage == "UPDATE") {
      append_count(counters, "nMatched", returned_);
      append_count(counters, "nWouldModify", returned_);
      append_count(counters, "nWouldUpsert", description_.would_upsert && returned_ == 0 ? 1 : 0);
    } else {
      append_count(counters, "nWouldDelete", returned_);
    }
    stage.counters = std::move(counters).finish();
    return stage;
  }

  const PlanDescription& description_;
  const QueryPlan& plan_;
  const PlanExecutor* run_;
  std::int64_t returned_;
};

Document printed(const Stage& stage, bool with_run, std::int64_t millis) {
  Builder builder;
  builder.append("stage", stage.name);
  if (!stage.filter.empty()) builder.append("filter", stage.filter);
  if (with_run) {
    append_count(builder, "nReturned", stage.returned);
    append_count(builder, "executionTimeMillisEstimate", millis);
    const std::int64_t works = std::max(stage.works, stage.returned + 1);
    append_count(builder, "works", works);
    append_count(builder, "advanced", stage.returned);
    append_count(builder, "needTime", works - stage.returned - 1);
    for (const char* name : {"needYield", "saveState", "restoreState"}) {
      builder.append(name, std::int32_t{0});
    }
    builder.append("isEOF", std::int32_t{1});
  }
  builder.append_all(stage.details);
  if (with_run) builder.append_all(stage.counters);
  if (stage.has_list) {
    builder.open_array("inputStages");
    for (const Stage& input : stage.inputs) builder.push(printed(input, with_run, millis));
    builder.close();
  } else if (!stage.inputs.empty()) {
    builder.append("inputStage", printed(stage.inputs.front(), with_run, millis));
  }
  return std::move(builder).finish();
}

}  // namespace

Document plan_stages(const PlanDescription& description) {
  return printed(StageTree(description, nullptr, 0).build(), false, 0);
}

Document execution_stages(const PlanDescription& description, const PlanExecutor& run,
                          std::int64_t returned, std::int64_t millis) {
  return printed(StageTree(description, &run, returned).build(), true, millis);
}

void append_query_planner(Builder& reply, std::string_view ns, const PlanDescription& description,
                          const FindStream& stream) {
  QueryShape shape = shape_of(stream.filter(), description.sort, description.projection,
                              stream.context().comparator.collation());
  reply.open_object("queryPlanner");
  reply.append("namespace", ns).append("indexFilterSet", false);
  reply.append("parsedQuery", normalized_filter(stream.filter()));
  if (const auto* collation = stream.context().comparator.collation()) {
    reply.append("collation", collation->spec());
  }
  reply.append("queryHash", shape.hash());
  if (stream.collection()) {
    for (const IndexPtr& index : stream.collection()->indexes) shape.text += "|" + index->name;
  }
  reply.append("planCacheKey", shape.hash());
  reply.append("maxIndexedOrSolutionsReached", false);
  reply.append("maxIndexedAndSolutionsReached", false);
  reply.append("maxScansToExplodeReached", false);
  reply.append("winningPlan", plan_stages(description));
  reply.open_array("rejectedPlans");
  for (const QueryPlan& plan : stream.choice().rejected) {
    PlanDescription other = description;
    other.plan = &plan;
    reply.push(plan_stages(other));
  }
  reply.close();
  reply.close();
}

}  // namespace restitch::datasource::embedded
