#include "query/path.h"
#include "query/pipeline/stage.h"
#include "query/projection.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::ValueView;

// What a projection does with top-level fields, as far as a filter in front of it is concerned.
struct Exposure {
  bool inclusive = false;
  std::set<std::string> kept;     // inclusive: passed through whole
  std::set<std::string> touched;  // exclusive: changed or removed
};

class ProjectStage final : public DocumentStage {
 public:
  ProjectStage(Projection projection, Exposure exposure)
      : projection_(std::move(projection)), exposure_(std::move(exposure)) {}

  Result<std::optional<Document>> apply(Document document, RunContext& run) const override {
    RESTITCH_TRY(Document out, projection_.apply(document, run.variables));
    return std::optional(std::move(out));
  }

  bool lets_filter_pass(const std::set<std::string>& fields) const override {
    for (const std::string& field : fields) {
      if (exposure_.inclusive ? !exposure_.kept.contains(field)
                              : exposure_.touched.contains(field)) {
        return false;
      }
    }
    return true;
  }

 private:
  Projection projection_;
  Exposure exposure_;
};

bool is_flag(ValueView value) { return value.is_number() || value.type() == Type::kBool; }

Exposure exposure_of(bson::View spec, bool inclusive) {
  Exposure exposure;
  exposure.inclusive = inclusive;
  if (inclusive) exposure.kept.insert("_id");
  for (const bson::Element& element : spec) {
    const std::vector<std::string> path = split_path(element.name);
    exposure.touched.insert(path.front());
    const bool keeps_whole = path.size() == 1 && is_flag(element.value) && element.value.truthy();
    if (keeps_whole) {
      exposure.kept.insert(path.front());
    } else {
      exposure.kept.erase(path.front());
    }
  }
  return exposure;
}

Status make_project(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto spec = element.value.as_object();
  if (!spec) return mongo_error(15969, "$project specification must be an object");
  RESTITCH_TRY(Projection projection,
               Projection::compile(*spec, ProjectionDialect::kAggregation, compiler.context,
                                   nullptr, &compiler.options.scope));
  Exposure exposure = exposure_of(*spec, projection.is_inclusive());
  out.push_back(std::make_shared<ProjectStage>(std::move(projection), std::move(exposure)));
  return {};
}

Result<std::vector<std::string>> unset_paths(ValueView spec) {
  std::vector<std::string> paths;
  if (const auto path = spec.as_string()) {
    paths.emplace_back(*path);
    return paths;
  }
  const auto array = spec.as_array();
  if (!array) return mongo_error(31002, "$unset specification must be a string or an array");
  for (const bson::Element& element : *array) {
    const auto path = element.value.as_string();
    if (!path) {
      return mongo_error(
          31120, "$unset specification must be a string or an array containing only string values");
    }
    paths.emplace_back(*path);
  }
  if (paths.empty()) {
    return mongo_error(31119,
                       "$unset specification must be a string or an array with at least one field");
  }
  return paths;
}

Status make_unset(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  RESTITCH_TRY(const std::vector<std::string> paths, unset_paths(element.value));
  bson::Builder builder;
  for (const std::string& path : paths) builder.append(path, false);
  const Document spec = std::move(builder).finish();
  auto projection = Projection::compile(spec, ProjectionDialect::kAggregation, compiler.context,
                                        nullptr, &compiler.options.scope);
  if (!projection) {
    const Error& error = projection.error();
    constexpr std::string_view kForeign = "Invalid $project";
    std::string text = error.message();
    if (text.compare(0, kForeign.size(), kForeign) == 0) {
      text.replace(0, kForeign.size(), "Invalid $unset");
    }
    return Error(error.code(), error.mongo_code(), std::move(text));
  }
  out.push_back(std::make_shared<ProjectStage>(std::move(*projection), exposure_of(spec, false)));
  return {};
}

constexpr StageDefinition kStages[] = {
    {"$project", make_project, kInUpdate | kInChangeStream},
    {"$unset", make_unset, kInUpdate | kInChangeStream},
};

}  // namespace

StageTable projection_stages() { return kStages; }

}  // namespace restitch::query
