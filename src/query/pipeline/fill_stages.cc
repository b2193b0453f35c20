#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

// $fill is $setWindowFields with $locf and $linearFill, then $addFields with $ifNull for plain
// values.
struct FillSpec {
  Value partition_by;
  Value sort_by;
  bson::Builder windows;
  bson::Builder values;
  bool has_windows = false;
  bool has_values = false;
};

Result<Value> partition_fields(ValueView value) {
  const auto array = value.as_array();
  if (!array) return mongo_error(14, "BSON field '$fill.partitionByFields' must be an array");
  bson::Builder builder;
  for (const bson::Element& element : *array) {
    const auto field = element.value.as_string();
    if (!field || field->substr(0, 1) == "$") {
      return mongo_error(6050203,
                         "Each element of 'partitionByFields' must be a field name, found " +
                             bson::to_shell(element.value));
    }
    builder.append(*field, "$" + std::string(*field));
  }
  return Value::of(std::move(builder).finish());
}

Status read_output(const bson::Element& field, FillSpec& spec) {
  const auto object = field.value.as_object();
  const std::string path = "$" + std::string(field.name);
  if (!object || object->count() != 1) {
    return mongo_error(
        40415, "Each field of '$fill.output' must have exactly one of 'value' and 'method'");
  }
  const bson::Element choice = *object->begin();
  if (choice.name == "value") {
    spec.has_values = true;
    spec.values.open_object(field.name).open_array("$ifNull");
    spec.values.push(path).push(choice.value).close().close();
    return {};
  }
  if (choice.name != "method") {
    return mongo_error(
        40415, "BSON field '$fill.output." + std::string(choice.name) + "' is an unknown field.");
  }
  const auto method = choice.value.as_string();
  if (method != "linear" && method != "locf") {
    return mongo_error(6050202, "Method must be either 'locf' or 'linear'");
  }
  spec.has_windows = true;
  spec.windows.open_object(field.name)
      .append(method == "locf" ? "$locf" : "$linearFill", path)
      .close();
  return {};
}

Status make_fill(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(6050200, "The $fill stage specification must be an object, found " +
                                    type_name(element.value));
  }
  FillSpec spec;
  ValueView output;
  for (const bson::Element& member : *object) {
    if (member.name == "partitionBy") {
      spec.partition_by = Value(member.value);
    } else if (member.name == "partitionByFields") {
      if (!spec.partition_by.is_missing()) {
        return mongo_error(
            6050204,
            "Maximum one of 'partitionBy' and 'partitionByFields' can be specified in "
            "'$fill'");
      }
      RESTITCH_TRY(spec.partition_by, partition_fields(member.value));
    } else if (member.name == "sortBy") {
      spec.sort_by = Value(member.value);
    } else if (member.name == "output") {
      output = member.value;
    } else {
      return mongo_error(
          40415, "BSON field '$fill." + std::string(member.name) + "' is an unknown field.");
    }
  }
  if (output.type() != Type::kObject) {
    return mongo_error(40414, "BSON field '$fill.output' is missing but a required field");
  }
  for (const bson::Element& field : output.get_document()) RESTITCH_CHECK(read_output(field, spec));
  if (spec.has_windows) {
    bson::Builder window;
    window.append("partitionBy", spec.partition_by).append("sortBy", spec.sort_by);
    window.append("output", std::move(spec.windows).finish());
    RESTITCH_CHECK(
        append_stage("$setWindowFields", Value::of(std::move(window).finish()), compiler, out));
  }
  if (!spec.has_values) return {};
  return append_stage("$addFields", Value::of(std::move(spec.values).finish()), compiler, out);
}

constexpr StageDefinition kStages[] = {{"$fill", make_fill}};

}  // namespace

StageTable fill_stages() { return kStages; }

}  // namespace restitch::query
