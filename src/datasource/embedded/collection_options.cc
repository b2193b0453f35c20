#include "datasource/embedded/collection_options.h"

#include "bson/compare.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/fields.h"
#include "query/comparator.h"
#include "query/filter/filter.h"
#include "query/pipeline/pipeline.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::int64_t kMaxCappedBytes = 1LL << 50U;

Error invalid(std::string text) { return mongo_error(code::kInvalidOptions, std::move(text)); }

Status check_id_index(View id_index, View collation) {
  if (id_index.empty()) return mongo_error(code::kFailedToParse, "The idIndex must not be empty");
  for (const bson::Element& element : id_index) {
    if (element.name != "key" && element.name != "name" && element.name != "v" &&
        element.name != "ns" && element.name != "collation") {
      return mongo_error(code::kInvalidIndexOption,
                         "The field '" + std::string(element.name) +
                             "' is not valid for an _id index specification.");
    }
  }
  const auto key = id_index["key"].as_object();
  if (!key || key->count() != 1 || key->begin()->name != "_id" ||
      key->begin()->value.as_double() != 1.0) {
    return mongo_error(code::kBadValue, "The field 'key' for an _id index must be {_id: 1}");
  }
  if (const auto own = id_index["collation"].as_object()) {
    if (!bson::equal(*own, collation)) {
      return mongo_error(code::kBadValue,
                         "The _id index must have the same collation as the collection.");
    }
  }
  return {};
}

Status check_level_and_action(const Fields& fields) {
  RESTITCH_TRY(const auto level, fields.string("validationLevel", "strict"));
  if (level != "strict" && level != "moderate" && level != "off") {
    return mongo_error(code::kBadValue, "Enumeration value '" + std::string(level) +
                                            "' for field 'create.validationLevel' is not a valid "
                                            "value.");
  }
  RESTITCH_TRY(const auto action, fields.string("validationAction", "error"));
  if (action != "error" && action != "warn") {
    return mongo_error(code::kBadValue, "Enumeration value '" + std::string(action) +
                                            "' for field 'create.validationAction' is not a valid "
                                            "value.");
  }
  return {};
}

Status append_capped(Builder& options, const Fields& fields) {
  RESTITCH_TRY(const bool is_capped, fields.boolean("capped"));
  RESTITCH_TRY(const auto size, fields.integer("size"));
  RESTITCH_TRY(const auto max, fields.integer("max"));
  if (!is_capped) {
    if (size || max) {
      return invalid("the 'size' and 'max' fields are only allowed when 'capped' is true");
    }
    return {};
  }
  if (!size) return invalid("the 'size' field is required when 'capped' is true");
  if (*size < 1 || *size > kMaxCappedBytes) {
    return mongo_error(51024, "BSON field 'size' value must be >= 1, actual value '" +
                                  std::to_string(*size) + "'");
  }
  const std::int64_t rounded = rounded_capped_size(*size);
  options.append("capped", true);
  if (rounded > INT32_MAX) {
    options.append("size", rounded);
  } else {
    options.append("size", static_cast<std::int32_t>(rounded));
  }
  if (max && *max > INT32_MAX) {
    return mongo_error(code::kBadValue, "max in a capped collection has to be < 2^31 or not set");
  }
  if (max && *max > 0) options.append("max", static_cast<std::int32_t>(*max));
  return {};
}

Status append_view(Builder& options, const Namespace& ns, const Fields& fields) {
  if (!fields.has("viewOn")) {
    if (fields.has("pipeline")) {
      return invalid("'pipeline' requires 'viewOn' to also be specified");
    }
    return {};
  }
  RESTITCH_TRY(const auto view_on, fields.string("viewOn"));
  if (view_on.empty()) return mongo_error(code::kBadValue, "'viewOn' cannot be empty");
  if (fields.has("idIndex")) return invalid("'idIndex' is not allowed with 'viewOn'");
  if (fields["capped"].truthy()) return invalid("'capped' is not allowed with 'viewOn'");
  RESTITCH_CHECK(check_namespace(ns.database, view_on));
  RESTITCH_TRY(const View pipeline, fields.array("pipeline"));
  const query::CommandContext context;
  query::PipelineOptions pipeline_options;
  pipeline_options.database = ns.database;
  pipeline_options.collection = std::string(view_on);
  RESTITCH_TRY(const query::Pipeline compiled,
               query::Pipeline::compile(pipeline, context, std::move(pipeline_options)));
  if (compiled.writes()) {
    return mongo_error(182,
                       "The aggregation stages $out and $merge cannot be used in a view "
                       "definition");
  }
  options.append("viewOn", view_on);
  options.append_array("pipeline", pipeline);
  return {};
}

}  // namespace

std::int64_t rounded_capped_size(std::int64_t size) {
  constexpr std::int64_t kStep = 256;
  return (size + kStep - 1) / kStep * kStep;
}

Status check_validator(const Namespace& ns, View validator) {
  if (is_internal_database(ns.database)) {
    return mongo_error(
        code::kInvalidOptions,
        "Document validators are not allowed on collections in the " + ns.database + " database");
  }
  const query::CommandContext context;
  const auto filter = query::Filter::compile(validator, context);
  if (!filter) return filter.error();
  return {};
}

Result<bool> check_image_option(const Namespace& ns, const Fields& fields) {
  constexpr std::string_view kName = "changeStreamPreAndPostImages";
  if (!fields.has(kName)) return false;
  RESTITCH_TRY(const View images, fields.required_object(kName));
  const Fields image_fields(images, "changeStreamPreAndPostImages");
  if (!image_fields.has("enabled")) return image_fields.missing("enabled");
  RESTITCH_TRY(const bool enabled, image_fields.boolean("enabled"));
  if (is_internal_database(ns.database)) {
    return invalid("changeStreamPreAndPostImages collection option is not supported on the " +
                   ns.database + " database");
  }
  if (fields["viewOn"].as_string()) {
    return invalid("changeStreamPreAndPostImages collection option is not supported on a view");
  }
  return enabled;
}

Result<Document> parse_create_options(const Namespace& ns, View command) {
  const Fields fields(command, "create");
  Builder options;
  if (fields.has("timeseries") || fields.has("clusteredIndex") || fields.has("encryptedFields")) {
    return mongo_error(115, "time-series, clustered and encrypted collections are not available");
  }
  if (fields.has("expireAfterSeconds")) {
    return invalid(
        "'expireAfterSeconds' is only supported on time-series collections or when the "
        "'clusteredIndex' option is specified");
  }
  RESTITCH_CHECK(append_capped(options, fields));
  // Of no effect here; kept for those who ask.
  for (const char* name : {"storageEngine", "indexOptionDefaults"}) {
    RESTITCH_TRY(const View engine, fields.object(name));
    if (!engine.empty()) options.append(name, engine);
  }
  Document collation;
  RESTITCH_TRY(const View requested, fields.object("collation"));
  if (!requested.empty()) {
    RESTITCH_TRY(const auto parsed, query::Collation::parse(requested));
    if (parsed) {
      collation = parsed->spec();
      options.append("collation", collation);
    }
  }
  RESTITCH_TRY(const View validator, fields.object("validator"));
  if (!validator.empty()) {
    RESTITCH_CHECK(check_validator(ns, validator));
    options.append("validator", validator);
  }
  RESTITCH_CHECK(check_level_and_action(fields));
  for (const char* name : {"validationLevel", "validationAction"}) {
    options.append(name, fields[name]);
  }
  if (!validator.empty()) {
    if (!fields.has("validationLevel")) options.append("validationLevel", "strict");
    if (!fields.has("validationAction")) options.append("validationAction", "error");
  }
  RESTITCH_CHECK(append_view(options, ns, fields));
  RESTITCH_TRY(const bool has_images, check_image_option(ns, fields));
  if (has_images) {
    options.open_object("changeStreamPreAndPostImages").append("enabled", true).close();
  }
  if (fields.has("idIndex")) {
    RESTITCH_TRY(const View id_index, fields.object("idIndex"));
    RESTITCH_CHECK(check_id_index(id_index, collation));
  }
  return std::move(options).finish();
}

}  // namespace restitch::datasource::embedded
