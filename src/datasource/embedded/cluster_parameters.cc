#include "datasource/embedded/cluster_parameters.h"

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::string_view kStreamOptions = "changeStreamOptions";
constexpr std::string_view kRow = "p|changeStreamOptions";
constexpr int kNoSuchKey = 4;

Error unknown_parameter(std::string_view name) {
  return mongo_error(kNoSuchKey, "Unknown server parameter: " + std::string(name));
}

// {preAndPostImages: {expireAfterSeconds: seconds or "off"}}; negative: off.
Result<std::int64_t> parse_lifetime(View value) {
  const Fields fields(value, kStreamOptions);
  RESTITCH_TRY(const View images, fields.required_object("preAndPostImages"));
  const bson::ValueView lifetime = images["expireAfterSeconds"];
  if (lifetime.as_string() == "off") return -1;
  if (lifetime.as_string()) {
    return mongo_error(code::kBadValue,
                       "Expected an integer or the string 'off' for 'expireAfterSeconds'");
  }
  RESTITCH_TRY(
      const auto seconds,
      Fields(images, "changeStreamOptions.preAndPostImages").integer("expireAfterSeconds"));
  if (!seconds || *seconds <= 0) {
    return mongo_error(code::kBadValue, "Expected a positive integer for 'expireAfterSeconds'");
  }
  return *seconds;
}

asio::awaitable<Result<Document>> set_cluster_parameter(Operation& operation) {
  const auto request = operation.target().as_object();
  if (!request || request->count() != 1) {
    co_return mongo_error(code::kInvalidOptions,
                          "setClusterParameter only supports setting exactly one parameter");
  }
  const bson::Element element = *request->begin();
  if (element.name != kStreamOptions) co_return unknown_parameter(element.name);
  const auto value = element.value.as_object();
  if (!value) {
    co_return mongo_error(code::kInvalidOptions, "Cluster parameter value must be an object");
  }
  RESTITCH_CO_TRY(const std::int64_t seconds, parse_lifetime(*value));
  Services* services = &operation.services;
  const auto work = [services, seconds]() -> Status {
    const std::lock_guard lock(services->schema_mutex);
    auto transaction = services->engine->begin(storage::Transaction::Mode::kLatest);
    Builder row;
    row.append("expireAfterSeconds", seconds);
    row.append("time", services->engine->last_committed());
    transaction->put_catalog_row(kRow, std::move(row).finish());
    RESTITCH_CHECK(commit_and_wait(*services->engine, std::move(transaction)));
    return load_cluster_parameters(*services);
  };
  RESTITCH_CO_CHECK(co_await services->schema_pool->run(work));
  co_return Document();
}

Result<Document> get_cluster_parameter(Operation& operation) {
  const bson::ValueView wanted = operation.target();
  std::vector<std::string_view> names;
  if (const auto name = wanted.as_string()) {
    names.push_back(*name);
  } else if (const auto list = wanted.as_array()) {
    for (const bson::Element& element : *list) {
      if (!element.value.as_string()) {
        return operation.fields().wrong_type("getClusterParameter", "string");
      }
      names.push_back(element.value.get_string());
    }
  } else {
    return operation.fields().wrong_type("getClusterParameter", "[string, array");
  }
  for (const std::string_view name : names) {
    if (name != kStreamOptions && name != "*") return unknown_parameter(name);
  }
  const std::int64_t seconds = operation.services.image_lifetime_seconds.load();
  const std::uint64_t time = operation.services.parameter_time.load();
  Builder reply;
  reply.open_array("clusterParameters");
  if (!names.empty()) {
    reply.push_object();
    reply.append("_id", kStreamOptions);
    if (time != 0) {
      reply.append("clusterParameterTime", bson::Timestamp{static_cast<std::uint32_t>(time >> 32U),
                                                           static_cast<std::uint32_t>(time)});
    }
    reply.open_object("preAndPostImages");
    if (seconds < 0) {
      reply.append("expireAfterSeconds", "off");
    } else {
      reply.append("expireAfterSeconds", seconds);
    }
    reply.close().close();
  }
  reply.close();
  return std::move(reply).finish();
}

}  // namespace

Status load_cluster_parameters(Services& services) {
  RESTITCH_TRY(const auto rows, services.engine->catalog_rows());
  for (const auto& [key, row] : rows) {
    if (key != kRow) continue;
    services.image_lifetime_seconds = row["expireAfterSeconds"].as_integer().value_or(-1);
    const bson::ValueView time = row["time"];
    if (time.type() == bson::Type::kTimestamp) {
      services.parameter_time =
          std::uint64_t{time.get_timestamp().seconds} << 32U | time.get_timestamp().increment;
    }
  }
  return {};
}

std::span<const CommandSpec> parameter_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "setClusterParameter", .flags = kAdminOnly, .async = set_cluster_parameter},
      {.name = "getClusterParameter", .flags = kAdminOnly, .read = get_cluster_parameter},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
