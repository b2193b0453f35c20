#include "datasource/embedded/change_stream/stream_options.h"

#include "datasource/embedded/error_names.h"
#include "datasource/embedded/fields.h"

namespace restitch::datasource::embedded {

namespace {

using bson::View;

constexpr std::string_view kKnownFields[] = {
    "fullDocument",         "fullDocumentBeforeChange", "resumeAfter",        "startAfter",
    "startAtOperationTime", "allChangesForCluster",     "showExpandedEvents", "showSystemEvents",
    "showMigrationEvents",  "showRawUpdateDescription"};

Status check_known(const Fields& fields) {
  for (const bson::Element& element : fields.view()) {
    const auto* const end = std::end(kKnownFields);
    if (std::find(std::begin(kKnownFields), end, element.name) != end) continue;
    return mongo_error(
        40415, "BSON field '$changeStream." + std::string(element.name) + "' is an unknown field.");
  }
  return {};
}

Result<StreamScope> scope_of(const Namespace& ns, bool is_for_cluster) {
  const std::string full = ns.collection.empty() ? ns.database : ns.full();
  if (is_for_cluster) {
    if (ns.database != "admin" || !ns.collection.empty()) {
      return mongo_error(code::kInvalidOptions,
                         "A $changeStream with 'allChangesForCluster:true' may only be opened on "
                         "the 'admin' database, and with no collection name; found " +
                             full);
    }
    return StreamScope{};
  }
  if (is_internal_database(ns.database)) {
    return mongo_error(code::kInvalidNamespace, "$changeStream may not be opened on the internal " +
                                                    ns.database + " database");
  }
  if (ns.collection.starts_with("system.")) {
    return mongo_error(code::kInvalidNamespace,
                       "$changeStream may not be opened on the internal " + full + " collection");
  }
  return StreamScope{ns.database, ns.collection};
}

Error bad_choice(std::string_view field, std::string_view value) {
  return mongo_error(code::kBadValue, "Enumeration value '" + std::string(value) +
                                          "' for field '$changeStream." + std::string(field) +
                                          "' is not a valid value.");
}

Status read_images(const Fields& fields, StreamOptions& options) {
  RESTITCH_TRY(const auto full, fields.string("fullDocument", "default"));
  if (full == "updateLookup") {
    options.full_document = FullDocument::kUpdateLookup;
  } else if (full == "whenAvailable") {
    options.full_document = FullDocument::kWhenAvailable;
  } else if (full == "required") {
    options.full_document = FullDocument::kRequired;
  } else if (full != "default") {
    return bad_choice("fullDocument", full);
  }
  RESTITCH_TRY(const auto before, fields.string("fullDocumentBeforeChange", "off"));
  if (before == "whenAvailable") {
    options.before_change = BeforeChange::kWhenAvailable;
  } else if (before == "required") {
    options.before_change = BeforeChange::kRequired;
  } else if (before != "off") {
    return bad_choice("fullDocumentBeforeChange", before);
  }
  return {};
}

Status read_start(const Fields& fields, StreamOptions& options) {
  const bool resumes = fields.has("resumeAfter");
  const bool starts = fields.has("startAfter");
  const bool has_time = fields.has("startAtOperationTime");
  if (has_time && (resumes || starts)) {
    return mongo_error(40674, "Only one type of resume option is allowed, but multiple were found");
  }
  if (resumes && starts) {
    return mongo_error(50865,
                       "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream "
                       "stage");
  }
  if (has_time) {
    const bson::ValueView time = fields["startAtOperationTime"];
    if (time.type() != bson::Type::kTimestamp) {
      return fields.wrong_type("startAtOperationTime", "timestamp");
    }
    options.start_at = time.get_timestamp();
    return {};
  }
  if (!resumes && !starts) return {};
  RESTITCH_TRY(const View token, fields.required_object(resumes ? "resumeAfter" : "startAfter"));
  RESTITCH_TRY(options.resume, ResumeToken::parse(token));
  if (resumes && options.resume->is_invalidate) {
    return mongo_error(code::kInvalidResumeToken,
                       "Attempting to resume a change stream using 'resumeAfter' is not allowed "
                       "from an invalidate notification");
  }
  return {};
}

}  // namespace

Result<StreamOptions> parse_stream_options(const Namespace& ns, bson::ValueView stage) {
  const auto object = stage.as_object();
  if (!object) {
    return mongo_error(50808, "$changeStream stage expects a document as argument.");
  }
  const Fields fields(*object, "$changeStream");
  RESTITCH_CHECK(check_known(fields));
  StreamOptions options;
  RESTITCH_TRY(const bool is_for_cluster, fields.boolean("allChangesForCluster"));
  RESTITCH_TRY(options.scope, scope_of(ns, is_for_cluster));
  RESTITCH_TRY(options.shows_expanded_events, fields.boolean("showExpandedEvents"));
  RESTITCH_CHECK(fields.boolean("showSystemEvents"));
  RESTITCH_CHECK(fields.boolean("showMigrationEvents"));
  RESTITCH_CHECK(read_images(fields, options));
  RESTITCH_CHECK(read_start(fields, options));
  return options;
}

}  // namespace restitch::datasource::embedded
