#include <sys/utsname.h>
#include <unistd.h>

#include <thread>

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/replica_set.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr const char* kVersion = "7.0.14";

Result<Document> nothing(Operation&) { return Document(); }

Result<Document> build_info(Operation&) {
  Builder reply;
  reply.append("version", kVersion).append("gitVersion", "restitch");
  reply.open_array("modules").close();
  reply.append("allocator", "system").append("javascriptEngine", "none");
  reply.append("sysInfo", "deprecated");
  reply.open_array("versionArray");
  reply.push(std::int32_t{7}).push(std::int32_t{0}).push(std::int32_t{14}).push(std::int32_t{0});
  reply.close();
  reply.open_object("openssl").close();
  reply.open_object("buildEnvironment").close();
  reply.append("bits", std::int32_t{64}).append("debug", false);
  reply.append("maxBsonObjectSize", std::int32_t{16777216});
  reply.open_array("storageEngines").push("rocksdb").close();
  reply.open_object("restitch").append("version", "0.1.0").close();
  return std::move(reply).finish();
}

Result<Document> connection_status(Operation& operation) {
  Builder reply;
  reply.open_object("authInfo");
  reply.open_array("authenticatedUsers").close();
  reply.open_array("authenticatedUserRoles").close();
  if (operation.command["showPrivileges"].truthy()) {
    reply.open_array("authenticatedUserPrivileges").close();
  }
  reply.close();
  return std::move(reply).finish();
}

void append_compression(Builder& reply, const char* name, const CompressionStatistics& counted) {
  reply.open_object(name);
  reply.open_object("compressor");
  reply.append("bytesIn", counted.compressor_in.load());
  reply.append("bytesOut", counted.compressor_out.load());
  reply.close();
  reply.open_object("decompressor");
  reply.append("bytesIn", counted.decompressor_in.load());
  reply.append("bytesOut", counted.decompressor_out.load());
  reply.close();
  reply.close();
}

Result<Document> server_status(Operation& operation) {
  const Services& services = operation.services;
  const auto uptime = std::chrono::steady_clock::now() - services.started;
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(uptime).count();
  char host[256] = "localhost";
  static_cast<void>(gethostname(host, sizeof host - 1));
  Builder reply;
  reply.append("host", host).append("version", kVersion).append("process", "mongod");
  reply.append("pid", static_cast<std::int64_t>(getpid()));
  reply.append("uptime", static_cast<double>(millis) / 1000.0);
  reply.append("uptimeMillis", static_cast<std::int64_t>(millis));
  reply.append("localTime", wall_clock());
  reply.open_object("connections");
  const ConnectionStatistics& connections = services.connections;
  reply.append("current", static_cast<std::int32_t>(connections.current.load()));
  reply.append("available", static_cast<std::int32_t>(connections.available.load()));
  reply.append("totalCreated", static_cast<std::int32_t>(connections.created.load()));
  reply.append("rejected", static_cast<std::int32_t>(connections.rejected.load()));
  reply.append("active", static_cast<std::int32_t>(connections.active.load()));
  reply.close();
  reply.open_object("network");
  reply.append("bytesIn", connections.bytes_in.load());
  reply.append("bytesOut", connections.bytes_out.load());
  reply.append("numRequests", connections.requests.load());
  reply.open_object("compression");
  append_compression(reply, "snappy", connections.snappy);
  append_compression(reply, "zstd", connections.zstd);
  append_compression(reply, "zlib", connections.zlib);
  reply.close();
  reply.close();
  reply.open_object("opcounters");
  const auto counter = [&](const char* name, const std::atomic<std::uint64_t>& value) {
    reply.append(name, static_cast<std::int64_t>(value.load()));
  };
  counter("insert", services.inserts);
  counter("query", services.queries);
  counter("update", services.updates);
  counter("delete", services.deletes);
  counter("getmore", services.get_mores);
  counter("command", services.commands);
  reply.close();
  reply.open_object("mem").append("bits", std::int32_t{64}).append("supported", true).close();
  reply.open_object("metrics").open_object("cursor").open_object("open");
  reply.append("total", static_cast<std::int64_t>(services.cursors.size()));
  reply.close().close().close();
  reply.open_object("repl");
  reply.append("setName", kSetName).append("isWritablePrimary", true).append("secondary", false);
  reply.open_array("hosts").push(address_for(operation)).close();
  reply.close();
  reply.open_object("storageEngine");
  reply.append("name", "rocksdb").append("supportsCommittedReads", true).append("persistent", true);
  reply.close();
  reply.open_object("transactions");
  reply.append("currentOpen", static_cast<std::int64_t>(services.sessions.open_transactions()));
  reply.close();
  reply.open_object("logicalSessionRecordCache");
  reply.append("activeSessionsCount", static_cast<std::int32_t>(services.sessions.size()));
  reply.close();
  return std::move(reply).finish();
}

void append_parameter(Builder& reply, const Services& services, std::string_view name) {
  if (name == "featureCompatibilityVersion") {
    reply.open_object(name).append("version", "7.0").close();
  } else if (name == "requireApiVersion") {
    reply.append(name, false);
  } else if (name == "authenticationMechanisms") {
    reply.open_array(name).push("SCRAM-SHA-1").push("SCRAM-SHA-256").close();
  } else if (name == "enableTestCommands") {
    reply.append(name, services.fail_points.is_allowed());
  } else if (name == "transactionLifetimeLimitSeconds") {
    reply.append(name, static_cast<std::int32_t>(kTransactionLifetime.count()));
  } else if (name == "cursorTimeoutMillis") {
    reply.append(name, std::int64_t{600000});
  }
}

constexpr std::string_view kParameters[] = {
    "authenticationMechanisms",    "cursorTimeoutMillis", "enableTestCommands",
    "featureCompatibilityVersion", "requireApiVersion",   "transactionLifetimeLimitSeconds"};

Result<Document> get_parameter(Operation& operation) {
  const auto all = operation.target().as_object();
  const bool wants_all =
      operation.target().as_string() == "*" || (all && (*all)["allParameters"].truthy());
  Builder reply;
  bool found = wants_all;
  for (const std::string_view name : kParameters) {
    if (!wants_all && !operation.command.view().contains(name)) continue;
    append_parameter(reply, operation.services, name);
    found = true;
  }
  if (!found) return mongo_error(code::kInvalidOptions, "no option found to get");
  return std::move(reply).finish();
}

Result<Document> host_info(Operation&) {
  utsname names{};
  static_cast<void>(uname(&names));
  Builder reply;
  reply.open_object("system");
  reply.append("currentTime", wall_clock());
  reply.append("hostname", names.nodename).append("cpuAddrSize", std::int32_t{64});
  reply.append("memSizeMB", static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) *
                                sysconf(_SC_PAGE_SIZE) / (1 << 20));
  reply.append("numCores", static_cast<std::int32_t>(std::thread::hardware_concurrency()));
  reply.append("cpuArch", names.machine).append("numaEnabled", false);
  reply.close();
  reply.open_object("os");
  reply.append("type", names.sysname)
      .append("name", names.sysname)
      .append("version", names.release);
  reply.close();
  reply.open_object("extra").close();
  return std::move(reply).finish();
}

Result<Document> get_log(Operation& operation) {
  const auto name = operation.target().as_string();
  if (!name) return operation.fields().wrong_type("getLog", "string");
  Builder reply;
  if (*name == "*") {
    reply.open_array("names").push("global").push("startupWarnings").close();
  } else if (*name == "global" || *name == "startupWarnings") {
    reply.append("totalLinesWritten", std::int32_t{0});
    reply.open_array("log").close();
  } else {
    return mongo_error(96, "No log named '" + std::string(*name) + "'");
  }
  return std::move(reply).finish();
}

Result<Document> command_line(Operation&) {
  Builder reply;
  reply.open_array("argv").push("restitch").close();
  reply.open_object("parsed").close();
  return std::move(reply).finish();
}

Result<Document> list_commands(Operation& operation) {
  Builder reply;
  reply.open_object("commands");
  for (const auto family : all_commands()) {
    for (const CommandSpec& spec : family) {
      if (spec.has(kForTests) && !operation.services.fail_points.is_allowed()) continue;
      reply.open_object(spec.name);
      reply.append("help", "").append("requiresAuth", !spec.has(kNoSession));
      reply.append("secondaryOk", spec.write == nullptr).append("adminOnly", spec.has(kAdminOnly));
      reply.close();
    }
  }
  reply.close();
  return std::move(reply).finish();
}

Result<Document> free_monitoring(Operation&) { return bson::make_document("state", "disabled"); }

Result<Document> current_operations(Operation&) {
  Builder reply;
  reply.open_array("inprog").close();
  return std::move(reply).finish();
}

Result<Document> kill_operation(Operation& operation) {
  if (!operation.command["op"].is_number()) return operation.fields().missing("op");
  return bson::make_document("info", "attempting to kill op");
}

}  // namespace

std::span<const CommandSpec> diagnostic_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "ping", .flags = kNoSession, .read = nothing},
      {.name = "buildInfo", .alias = "buildinfo", .flags = kNoSession, .read = build_info},
      {.name = "connectionStatus",
       .flags = kNoSession,
       .read = connection_status,
       .fields = "showPrivileges"},
      {.name = "serverStatus", .flags = kIgnoresUnknownFields, .read = server_status},
      {.name = "getParameter", .flags = kAdminOnly | kIgnoresUnknownFields, .read = get_parameter},
      {.name = "hostInfo", .read = host_info},
      {.name = "getLog", .flags = kAdminOnly, .read = get_log},
      {.name = "getCmdLineOpts", .flags = kAdminOnly, .read = command_line},
      {.name = "listCommands", .read = list_commands},
      {.name = "features", .read = nothing, .fields = "oidReset"},
      {.name = "getFreeMonitoringStatus", .flags = kAdminOnly, .read = free_monitoring},
      {.name = "currentOp",
       .flags = kAdminOnly | kIgnoresUnknownFields,
       .read = current_operations},
      {.name = "killOp", .flags = kAdminOnly, .read = kill_operation, .fields = "op"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
