#include <boost/asio/post.hpp>
#include <map>

#include "api/admin/routes.h"
#include "api/admin/service_command.h"
#include "bson/extended_json.h"
#include "datasource/client.h"
#include "schema/schema.h"

namespace restitch::api::admin {
namespace {

constexpr Family kCommands{"service", "ServiceNotFound", ""};
constexpr std::int64_t kSample = 10'000;
constexpr std::int64_t kMaxSample = 50'000;
constexpr std::int32_t kBatch = 250;
constexpr std::size_t kMaxErrors = 1000;      // kinds of errors by field
constexpr std::size_t kMaxFailedIds = 1000;   // of each

// Documents that break the same thing at the same place.
struct Failure {
  std::int64_t count = 0;
  std::vector<bson::Value> ids;
};

// What was found so far; bounded.
class Report {
 public:
  void add(bson::View document, const std::vector<schema::Violation>& violations) {
    ++processed_;
    if (violations.empty()) return;
    ++failed_;
    std::map<Key, bool> seen;
    for (const schema::Violation& violation : violations) {
      Key key(violation.code, violation.path);
      if (seen.emplace(key, true).second) count(std::move(key), document["_id"]);
    }
  }

  bson::Document document() const {
    bson::Builder out;
    out.open_array("errors");
    for (const auto& [key, failure] : failures_) {
      const auto& [code, path] = key;
      out.push_object().append("error_code", code).append("error_count", failure.count);
      out.append("field", path == "(root)" ? path : "(root)." + path);
      out.open_array("failed_ids");
      for (const bson::Value& id : failure.ids) out.push(text_of(id));
      out.close();
      out.open_object("failed_documents_query").open_object("_id").open_array("$in");
      for (const bson::Value& id : failure.ids) out.push(id);
      out.close().close().close().close();
    }
    out.close();
    out.append("total_processed_count", processed_).append("total_error_count", failed_);
    return std::move(out).finish();
  }

 private:
  using Key = std::pair<std::string, std::string>;  // code, path

  void count(Key key, bson::ValueView id) {
    if (!failures_.contains(key) && failures_.size() == kMaxErrors) return;
    Failure& failure = failures_[std::move(key)];
    ++failure.count;
    if (failure.ids.size() < kMaxFailedIds) failure.ids.emplace_back(id);
  }

  static std::string text_of(const bson::Value& id) {
    if (const auto object_id = id.view().as_object_id()) return object_id->to_hex();
    if (const auto text = id.view().as_string()) return std::string(*text);
    std::string out;
    bson::append_json(out, id.view(), bson::JsonMode::kRelaxed);
    return out;
  }

  std::map<Key, Failure> failures_;
  std::int64_t processed_ = 0, failed_ = 0;
};

// The schema that is sent, or with `true` (or nothing) the one that the collection has.
Result<bson::Document> schema_document(bson::ValueView sent, const Namespace& wanted,
                                       const app::DataSourceConfig* source) {
  if (const auto object = sent.as_object()) return bson::Document(*object);
  if (!sent.is_nullish() && sent.as_bool() != true) {
    return Error(ErrorCode::kInvalidArgument, "'from_schema' must be a schema");
  }
  if (source != nullptr) {
    for (const app::CollectionConfig& collection : source->collections) {
      const bool is_wanted =
          collection.database == wanted.database && collection.collection == wanted.collection;
      if (is_wanted && collection.schema) return *collection.schema;
    }
  }
  return Error(ErrorCode::kInvalidArgument, "the collection '" + wanted.database + "." +
                                                wanted.collection + "' has no schema");
}

struct Sample {
  bson::Document query;
  datasource::FindOptions options;
};

Result<Sample> sample_of(bson::View body) {
  Sample sample;
  RESTITCH_TRY(sample.query, object_of(body, "query"));
  RESTITCH_TRY(sample.options.sort, object_of(body, "sort"));
  const bson::ValueView limit = body["limit"];
  sample.options.limit = limit.is_nullish() ? kSample : limit.as_integer().value_or(0);
  if (sample.options.limit < 1 || sample.options.limit > kMaxSample) {
    return Error(ErrorCode::kInvalidArgument, "'limit' must be between 1 and 50000");
  }
  sample.options.batch_size = kBatch;
  return sample;
}

Task<AdminReply> validate(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto source, source_of(api, request));
  auto parsed = bson::parse_json_document(request.http.body());
  if (!parsed) {
    co_return Error(ErrorCode::kBadRequest,
                    "invalid JSON in the request body: " + parsed.error().message());
  }
  const bson::Document body = std::move(*parsed);
  RESTITCH_CO_TRY(const Namespace wanted, namespace_of(body));
  RESTITCH_CO_TRY(const Sample sample, sample_of(body));
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  const auto config = request.app->deployed();
  RESTITCH_CO_TRY(const deployment::Entity* service,
                  config->require(deployment::EntityKind::kService, request.parameters.at(0)));
  const app::DataSourceConfig* configured = app->config->find_data_source(service->name);
  RESTITCH_CO_TRY(const bson::Document rules,
                  schema_document(body["from_schema"], wanted, configured));
  const auto schema = schema::Schema::compile(rules, "from_schema", request.findings);
  if (!schema || request.findings.has_errors()) {
    co_return Error(ErrorCode::kInvalidArgument, deployment::describe(request.findings));
  }
  RESTITCH_CO_TRY(const bson::Value null_types,
                  co_await api.apps().store().extra(request.app->identity().id, "null_types"));
  schema::ValidationSettings settings;
  settings.null_allowed_for_optional = null_types.view().as_bool().value_or(false);

  const datasource::Collection collection(*source, wanted.database, wanted.collection);
  RESTITCH_CO_TRY(datasource::Cursor cursor,
                  co_await collection.open(sample.query, sample.options));
  Report report;
  for (;;) {
    RESTITCH_CO_TRY(const auto batch, co_await cursor.next_batch());
    if (batch.empty()) break;
    for (const bson::Document& document : batch) {
      report.add(document, schema->validate(document, settings));
    }
    co_await asio::post(asio::use_awaitable);  // others have their turn
  }
  co_return AdminReply::of(report.document());
}

Task<AdminReply> validate_documents(AdminApi& api, AdminRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  auto outcome = co_await validate(api, request);
  note_schema_command(api, request, "SCHEMA_VALIDATION", begin, outcome ? nullptr : &outcome.error());
  co_return outcome;
}

}  // namespace

std::vector<Route> validation_routes() {
  Route route = app_route("POST", "/services/{id}/commands/validate_documents", kCommands,
                          &validate_documents);
  route.changes = false;
  return {route};
}

}  // namespace restitch::api::admin
