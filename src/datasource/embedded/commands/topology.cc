#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/replica_set.h"
#include "datasource/embedded/users/sasl.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// 7fffffff and the term: later elections compare greater.
bson::ObjectId election_id(std::int64_t term) {
  constexpr std::size_t kTermAt = 4;
  bson::ObjectId id;
  id.bytes[0] = 0x7F;
  for (std::size_t at = 1; at < kTermAt; ++at) id.bytes[at] = 0xFF;
  for (std::size_t at = 0; at < sizeof term; ++at) {
    const auto shift = 8U * static_cast<unsigned>(sizeof term - 1 - at);
    id.bytes[kTermAt + at] =
        static_cast<std::uint8_t>((static_cast<std::uint64_t>(term) >> shift) & 0xFFU);
  }
  return id;
}

void append_last_write(Builder& reply, const Services& services) {
  const bson::Timestamp last = services.engine->last_committed();
  const bson::Date date{static_cast<std::int64_t>(last.seconds) * 1000};
  reply.open_object("lastWrite");
  append_optime(reply, "opTime", last, services);
  reply.append("lastWriteDate", date);
  append_optime(reply, "majorityOpTime", last, services);
  reply.append("majorityWriteDate", date);
  reply.close();
}

// The compressors that both sides have, as the client prefers them.
void append_compression(Builder& reply, const Operation& operation) {
  const auto wanted = operation.command["compression"].as_array();
  if (!wanted || operation.caller == nullptr) return;
  const auto offered = operation.caller->compressors;
  std::vector<std::string_view> common;
  for (const bson::Element& element : *wanted) {
    const auto name = element.value.as_string();
    if (!name || std::find(offered.begin(), offered.end(), *name) == offered.end()) continue;
    if (std::find(common.begin(), common.end(), *name) == common.end()) common.push_back(*name);
  }
  if (common.empty()) return;
  reply.open_array("compression");
  for (const std::string_view name : common) reply.push(name);
  reply.close();
}

Task<Document> hello_reply(Operation& operation, const char* primary_field) {
  const Services& services = operation.services;
  const std::string address = address_for(operation);
  Builder reply;
  if (operation.command["helloOk"].truthy()) reply.append("helloOk", true);
  reply.open_object("topologyVersion");
  reply.append("processId", services.topology.process_id);
  reply.append("counter", services.topology.counter.load());
  reply.close();
  reply.open_array("hosts").push(address).close();
  reply.append("setName", kSetName).append("setVersion", std::int32_t{1});
  reply.append(primary_field, true).append("secondary", false);
  reply.append("primary", address).append("me", address);
  reply.append("electionId", election_id(services.identity.term));
  append_last_write(reply, services);
  reply.append("maxBsonObjectSize", std::int32_t{16777216});
  reply.append("maxMessageSizeBytes", std::int32_t{48000000});
  reply.append("maxWriteBatchSize", std::int32_t{100000});
  reply.append("localTime", wall_clock());
  reply.append("logicalSessionTimeoutMinutes", std::int32_t{30});
  reply.append("connectionId", operation.caller != nullptr
                                   ? static_cast<std::int32_t>(operation.caller->connection)
                                   : 1);
  reply.append("minWireVersion", std::int32_t{0}).append("maxWireVersion", std::int32_t{21});
  reply.append("readOnly", false);
  append_compression(reply, operation);
  RESTITCH_CO_CHECK(co_await append_sasl(reply, operation));
  co_return std::move(reply).finish();
}

asio::awaitable<Result<Document>> hello(Operation& operation) {
  return hello_reply(operation, "isWritablePrimary");
}
asio::awaitable<Result<Document>> is_master(Operation& operation) {
  return hello_reply(operation, "ismaster");
}

Result<Document> whats_my_uri(Operation& operation) {
  return bson::make_document(
      "you", operation.caller != nullptr ? operation.caller->remote : std::string("127.0.0.1:0"));
}

Result<Document> replica_status(Operation& operation) {
  const Services& services = operation.services;
  const bson::Timestamp last = services.engine->last_committed();
  Builder reply;
  reply.append("set", kSetName).append("date", wall_clock()).append("myState", std::int32_t{1});
  reply.append("term", services.identity.term);
  reply.open_array("members").push_object();
  reply.append("_id", std::int32_t{0}).append("name", address_for(operation));
  reply.append("health", 1.0);
  reply.append("state", std::int32_t{1}).append("stateStr", "PRIMARY").append("self", true);
  append_optime(reply, "optime", last, services);
  reply.close().close();
  return std::move(reply).finish();
}

Result<Document> replica_config(Operation& operation) {
  Builder reply;
  reply.open_object("config");
  reply.append("_id", kSetName).append("version", std::int32_t{1});
  reply.append("term", operation.services.identity.term);
  reply.open_array("members").push_object();
  reply.append("_id", std::int32_t{0}).append("host", address_for(operation));
  reply.append("priority", 1.0).append("votes", std::int32_t{1});
  reply.close().close();
  reply.close();
  return std::move(reply).finish();
}

Result<Document> initiate(Operation&) { return mongo_error(23, "already initialized"); }

}  // namespace

std::span<const CommandSpec> topology_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "hello", .flags = kIgnoresUnknownFields | kNoSession, .async = hello},
      {.name = "isMaster",
       .alias = "ismaster",
       .flags = kIgnoresUnknownFields | kNoSession,
       .async = is_master},
      {.name = "whatsmyuri", .flags = kNoSession, .read = whats_my_uri},
      {.name = "replSetInitiate", .flags = kAdminOnly | kIgnoresUnknownFields, .read = initiate},
      {.name = "replSetGetStatus",
       .flags = kAdminOnly | kIgnoresUnknownFields,
       .read = replica_status},
      {.name = "replSetGetConfig",
       .flags = kAdminOnly | kIgnoresUnknownFields,
       .read = replica_config},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
