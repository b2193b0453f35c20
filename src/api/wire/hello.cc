#include "api/wire/hello.h"

#include "datasource/embedded/error_names.h"

namespace restitch::api::wire {

namespace {

using bson::Builder;
using bson::Document;
using bson::ValueView;
using bson::View;

constexpr int kBadValue = 2;
constexpr int kTypeMismatch = 14;
constexpr int kShutdownInProgress = 91;
constexpr int kMetadataMissingField = 183;
constexpr int kAppNameTooLarge = 184;
constexpr int kMetadataTooLarge = 185;
constexpr std::size_t kMaxAppName = 128;
constexpr std::size_t kMaxMetadata = 512;
constexpr std::int64_t kMaxWaitMillis = 24LL * 3600 * 1000;

void append_topology_version(Builder& builder, const Topology& topology) {
  builder.open_object("topologyVersion");
  builder.append("processId", topology.process_id);
  builder.append("counter", topology.counter.load());
  builder.close();
}

Result<TopologyVersion> read_topology_version(ValueView value) {
  const auto version = value.as_object();
  if (!version) return mongo_error(kTypeMismatch, "topologyVersion must be an object");
  const auto process_id = (*version)["processId"].as_object_id();
  if (!process_id) {
    return mongo_error(kTypeMismatch, "topologyVersion.processId must be an ObjectId");
  }
  const ValueView counter = (*version)["counter"];
  if (counter.type() != bson::Type::kInt64) {
    return mongo_error(kTypeMismatch, "topologyVersion.counter must be a long");
  }
  if (counter.get_int64() < 0) {
    return mongo_error(31372, "topologyVersion must have a non-negative counter");
  }
  return TopologyVersion{*process_id, counter.get_int64()};
}

Status read_awaiting(View command, HelloRequest& request) {
  const ValueView topology = command["topologyVersion"];
  const ValueView wait = command["maxAwaitTimeMS"];
  if (topology.is_missing() && wait.is_missing()) return {};
  if (wait.is_missing()) {
    return mongo_error(31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'");
  }
  if (topology.is_missing()) {
    return mongo_error(31368, "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'");
  }
  RESTITCH_TRY(request.known_topology, read_topology_version(topology));
  const auto millis = wait.as_integer();
  if (!millis) return mongo_error(kTypeMismatch, "maxAwaitTimeMS must be an integral number");
  if (*millis < 0) {
    return mongo_error(51024, "BSON field 'maxAwaitTimeMS' value must be >= 0, actual value '" +
                                  std::to_string(*millis) + "'");
  }
  request.max_wait = std::chrono::milliseconds(std::min(*millis, kMaxWaitMillis));
  return {};
}

Error missing_metadata(const char* field) {
  return mongo_error(kMetadataMissingField, std::string("Missing required field '") + field +
                                                "' in the client metadata document");
}

Status check_application(ValueView value) {
  if (value.is_missing()) return {};
  const auto application = value.as_object();
  if (!application) {
    return mongo_error(kTypeMismatch,
                       "The 'application' field is required to be a BSON document in the client "
                       "metadata document");
  }
  const ValueView name = (*application)["name"];
  if (name.is_missing()) return {};
  if (!name.as_string()) {
    return mongo_error(kTypeMismatch,
                       "The 'application.name' field must be a string in the client metadata "
                       "document");
  }
  if (name.get_string().size() > kMaxAppName) {
    return mongo_error(kAppNameTooLarge,
                       "The 'application.name' field must be less then or equal to 128 bytes in "
                       "the client metadata document");
  }
  return {};
}

}  // namespace

Result<HelloRequest> parse_hello(View command) {
  HelloRequest request;
  const ValueView metadata = command["client"];
  if (!metadata.is_missing()) {
    if (!metadata.as_object()) {
      return mongo_error(kTypeMismatch, "The client metadata document must be a document");
    }
    request.metadata = metadata.get_document();
  }
  if (const ValueView user = command["saslSupportedMechs"]; !user.is_missing()) {
    const auto name = user.as_string();
    if (!name || name->find('.') == std::string_view::npos) {
      return mongo_error(kBadValue, "UserName must contain a '.' separated database.user pair");
    }
  }
  RESTITCH_CHECK(read_awaiting(command, request));
  return request;
}

Status check_metadata(View metadata) {
  if (metadata.size() > kMaxMetadata) {
    return mongo_error(kMetadataTooLarge,
                       "The client metadata document must be less then or equal to 512 bytes");
  }
  RESTITCH_CHECK(check_application(metadata["application"]));
  const auto driver = metadata["driver"].as_object();
  if (!driver) return missing_metadata("driver");
  if (!(*driver)["name"].as_string()) return missing_metadata("driver.name");
  if (!(*driver)["version"].as_string()) return missing_metadata("driver.version");
  const auto system = metadata["os"].as_object();
  if (!system) return missing_metadata("os");
  if (!(*system)["type"].as_string()) return missing_metadata("os.type");
  return {};
}

Result<bool> knows_topology(const TopologyVersion& known, const Topology& topology) {
  if (known.process_id != topology.process_id) return false;
  const std::int64_t counter = topology.counter.load();
  if (known.counter > counter) {
    return mongo_error(31382,
                       "Received a topology version with a counter greater than that of this "
                       "server: " +
                           std::to_string(known.counter) + " > " + std::to_string(counter));
  }
  return known.counter == counter;
}

Document stopping_hello(const Topology& topology) {
  Builder builder;
  builder.append("ok", 0.0);
  builder.append("errmsg", "The server is in quiesce mode and will shut down");
  builder.append("code", std::int32_t{kShutdownInProgress});
  builder.append("codeName", datasource::embedded::error_name(kShutdownInProgress));
  append_topology_version(builder, topology);
  return std::move(builder).finish();
}

}  // namespace restitch::api::wire
