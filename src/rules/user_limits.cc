#include "rules/user_limits.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace restitch::rules {
namespace {

constexpr std::array<std::string_view, 13> kQueryOperators{
    "$expr",         "$jsonSchema", "$text",       "$where",        "$geoIntersects",
    "$geoWithin",    "$near",       "$nearSphere", "$bitsAllClear", "$bitsAllSet",
    "$bitsAnyClear", "$bitsAnySet", "$function"};
// Stages that read or write anything but the documents before them, or tell about the server.
constexpr std::array<std::string_view, 21> kStages{"$changeStream",
                                                   "$changeStreamSplitLargeEvent",
                                                   "$collStats",
                                                   "$currentOp",
                                                   "$facet",
                                                   "$geoNear",
                                                   "$graphLookup",
                                                   "$indexStats",
                                                   "$listLocalSessions",
                                                   "$listSampledQueries",
                                                   "$listSearchIndexes",
                                                   "$listSessions",
                                                   "$lookup",
                                                   "$merge",
                                                   "$out",
                                                   "$planCacheStats",
                                                   "$queryStats",
                                                   "$rankFusion",
                                                   "$scoreFusion",
                                                   "$shardedDataDistribution",
                                                   "$unionWith"};
constexpr std::array<std::string_view, 2> kPipelineOperators{"$function", "$setIsSubset"};
constexpr std::array<std::string_view, 4> kOptions{"readConcern", "writeConcern", "collation",
                                                   "allowDiskUse"};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Error refused(const char* kind, std::string_view name) {
  return Error(ErrorCode::kInvalidArgument,
               std::string(kind) + " '" + std::string(name) + "' is not available to users");
}

bool is_container(bson::ValueView value) {
  return value.type() == bson::Type::kObject || value.type() == bson::Type::kArray;
}

}  // namespace

Status check_user_query(bson::View query, bool allow_regex) {
  for (const bson::Element& element : query) {
    if (is_one_of(element.name, kQueryOperators)) return refused("query operator", element.name);
    if (!allow_regex) {
      const bool is_regex = element.name == "$regex" || element.value.type() == bson::Type::kRegex;
      if (is_regex) return refused("query operator", "$regex");
    }
    if (is_container(element.value)) {
      RESTITCH_CHECK(check_user_query(element.value.get_document(), allow_regex));
    }
  }
  return {};
}

Status check_user_expressions(bson::View specification) {
  for (const bson::Element& element : specification) {
    if (is_one_of(element.name, kPipelineOperators)) {
      return refused("pipeline operator", element.name);
    }
    if (is_container(element.value)) {
      RESTITCH_CHECK(check_user_expressions(element.value.get_document()));
    }
  }
  return {};
}

Status check_user_pipeline(bson::View pipeline, bool allow_regex) {
  for (const bson::Element& element : pipeline) {
    const auto stage = element.value.as_object();
    if (!stage) continue;
    for (const bson::Element& member : *stage) {
      const bool is_internal = member.name.starts_with("$_");
      if (is_internal || is_one_of(member.name, kStages)) {
        return refused("pipeline stage", member.name);
      }
      if (!is_container(member.value)) continue;
      if (member.name == "$match") {
        RESTITCH_CHECK(check_user_query(member.value.get_document(), allow_regex));
      }
      RESTITCH_CHECK(check_user_expressions(member.value.get_document()));
    }
  }
  return {};
}

Status check_user_update(bson::ValueView update, bool allow_regex) {
  if (update.type() == bson::Type::kArray) {
    return check_user_pipeline(update.get_document(), allow_regex);
  }
  const auto object = update.as_object();
  if (!object) return {};
  const bson::ValueView pull = object->find("$pull");
  if (is_container(pull)) return check_user_query(pull.get_document(), allow_regex);
  return {};
}

Status check_user_options(bson::View options) {
  for (const bson::Element& element : options) {
    if (is_one_of(element.name, kOptions)) return refused("option", element.name);
  }
  return {};
}

bool is_search_stage(std::string_view name) {
  return name == "$search" || name == "$searchMeta" || name == "$vectorSearch";
}

Status check_user_operation(const Operation& operation, bool allow_regex) {
  RESTITCH_CHECK(check_user_query(operation.filter, allow_regex));
  RESTITCH_CHECK(check_user_query(operation.array_filters, allow_regex));
  RESTITCH_CHECK(check_user_query(operation.projection, allow_regex));
  RESTITCH_CHECK(check_user_expressions(operation.projection));
  RESTITCH_CHECK(check_user_update(operation.update, allow_regex));
  RESTITCH_CHECK(check_user_pipeline(operation.pipeline, allow_regex));
  return check_user_options(operation.options);
}

}  // namespace restitch::rules
