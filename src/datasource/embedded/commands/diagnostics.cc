#include <sys/utsname.h>
#include <unistd.h>

#include <thread>

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/current_operations.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/replica_set.h"
#include "datasource/embedded/services.h"
#include "query/filter/filter.h"

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

std::int64_t number(std::uint64_t count) { return static_cast<std::int64_t>(count); }

void append_cursor_metrics(Builder& reply, const CursorTable::Counts& counts) {
  reply.open_object("metrics").open_object("cursor");
  reply.append("timedOut", number(counts.timed_out)).append("totalOpened", number(counts.opened));
  reply.open_object("open");
  reply.append("noTimeout", number(counts.no_timeout)).append("pinned", number(counts.pinned));
  reply.append("total", number(counts.open));
  reply.close().close().close();
}

void append_transactions(Builder& reply, const Services& services) {
  const TransactionCounters& counters = services.transactions;
  const auto open = static_cast<std::int64_t>(services.sessions.open_transactions());
  const auto idle = static_cast<std::int64_t>(services.sessions.idle_transactions().size());
  reply.open_object("transactions");
  reply.append("retriedCommandsCount", number(counters.retried_commands.load()));
  reply.append("retriedStatementsCount", number(counters.retried_statements.load()));
  reply.append("currentActive", std::max<std::int64_t>(0, open - idle));
  reply.append("currentInactive", idle).append("currentOpen", open);
  reply.append("totalAborted", number(counters.aborted.load()));
  reply.append("totalCommitted", number(counters.committed.load()));
  reply.append("totalStarted", number(counters.started.load()));
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
  append_cursor_metrics(reply, services.cursors.counts());
  reply.open_object("repl");
  reply.append("setName", kSetName).append("isWritablePrimary", true).append("secondary", false);
  reply.open_array("hosts").push(address_for(operation)).close();
  reply.close();
  reply.open_object("storageEngine");
  reply.append("name", "rocksdb").append("supportsCommittedReads", true).append("persistent", true);
  reply.close();
  append_transactions(reply, services);
  reply.open_object("logicalSessionRecordCache");
  reply.append("activeSessionsCount", static_cast<std::int32_t>(services.sessions.size()));
  reply.close();
  return std::move(reply).finish();
}

bool wants_parameter(View command, std::string_view name) { return command.contains(name); }
bool wants_every_parameter(View, std::string_view) { return true; }

Result<Document> get_parameter(Operation& operation) {
  const View options = operation.target().as_object().value_or(View());
  const bool wants_all = operation.target().as_string() == "*" || options["allParameters"].truthy();
  Builder reply;
  const int count = append_parameters(reply, operation.services.parameters,
                                      wants_all ? wants_every_parameter : wants_parameter,
                                      operation.command, options["showDetails"].truthy());
  if (count == 0) return mongo_error(code::kInvalidOptions, "no option found to get");
  return std::move(reply).finish();
}

Result<Document> set_one_parameter(Operation& operation) {
  for (const bson::Element& element : operation.command.view()) {
    if (element.name == "setParameter" || is_generic_field(element.name)) continue;
    RESTITCH_TRY(const bson::Value was,
                 set_parameter(operation.services.parameters, element.name, element.value));
    return bson::make_document("was", was);
  }
  return mongo_error(code::kInvalidOptions,
                     "no option found to set, use help:true to see options ");
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

// The other fields of currentOp are a filter over its entries.
Document operation_filter(View command) {
  Builder filter;
  bool is_first = true;
  for (const bson::Element& element : command) {
    if (std::exchange(is_first, false) || is_generic_field(element.name)) continue;
    if (element.name == "$all" || element.name == "$ownOps" || element.name == "$truncateOps") {
      continue;
    }
    filter.append(element.name, element.value);
  }
  return std::move(filter).finish();
}

Result<Document> current_operations(Operation& operation) {
  query::CommandContext context;
  RESTITCH_CHECK(operation.fill_context(context, nullptr));
  const Document spec = operation_filter(operation.command);
  RESTITCH_TRY(const query::Filter filter, query::Filter::compile(spec, context));
  Builder reply;
  reply.open_array("inprog");
  for (const Document& entry : describe_operations(operation.services, {})) {
    RESTITCH_TRY(const bool matches, filter.matches(entry, nullptr));
    if (matches) reply.push(entry);
  }
  reply.close();
  return std::move(reply).finish();
}

Result<Document> kill_operation(Operation& operation) {
  const bson::ValueView op = operation.command["op"];
  if (op.is_missing()) return mongo_error(4, "Did not provide \"op\" field");
  const auto number = op.as_integer();
  if (!number) return operation.fields().wrong_type("op", "number");
  if (*number < INT32_MIN || *number > INT32_MAX) {
    return mongo_error(26823, "invalid op : " + std::to_string(*number));
  }
  operation.services.operations.interrupt(static_cast<std::int32_t>(*number), code::kInterrupted);
  return bson::make_document("info", "attempting to kill op");
}

// Of the profiler, which stays off, only the limit of the log of slow operations can be set.
Result<Document> profile(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const auto level, fields.integer("profile"));
  RESTITCH_TRY(const auto slow_millis, fields.integer("slowms"));
  if (!level) return fields.missing("profile");
  if (*level < -1 || *level > 2) {
    return mongo_error(code::kBadValue,
                       "Expected 'profile' to be between -1 and 2, got " + std::to_string(*level));
  }
  if (*level > 0) {
    return mongo_error(115, "the profiler is not available; slow operations are in the log");
  }
  Parameters& parameters = operation.services.parameters;
  Builder reply;
  reply.append("was", std::int32_t{0});
  reply.append("slowms", static_cast<std::int32_t>(parameters.slow_millis.load()));
  reply.append("sampleRate", 1.0);
  if (*level == 0 && slow_millis) parameters.slow_millis = *slow_millis;
  return std::move(reply).finish();
}

Result<Document> set_compatibility_version(Operation& operation) {
  const auto version = operation.target().as_string();
  if (!version) return operation.fields().wrong_type("setFeatureCompatibilityVersion", "string");
  if (*version == "7.0") return Document();
  return mongo_error(code::kBadValue,
                     "Invalid feature compatibility version value, expected '7.0'"
                     ", found '" +
                         std::string(*version) + "'");
}

}  // namespace

std::span<const CommandSpec> diagnostic_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "ping", .flags = kNoSession, .read = nothing},
      {.name = "buildInfo", .alias = "buildinfo", .flags = kNoSession, .read = build_info},
      {.name = "serverStatus", .flags = kIgnoresUnknownFields, .read = server_status},
      {.name = "getParameter", .flags = kAdminOnly | kIgnoresUnknownFields, .read = get_parameter},
      {.name = "setParameter",
       .flags = kAdminOnly | kIgnoresUnknownFields,
       .read = set_one_parameter},
      {.name = "hostInfo", .read = host_info},
      {.name = "getLog", .flags = kAdminOnly, .read = get_log},
      {.name = "getCmdLineOpts", .flags = kAdminOnly, .read = command_line},
      {.name = "listCommands", .read = list_commands},
      {.name = "features", .read = nothing, .fields = "oidReset"},
      {.name = "getFreeMonitoringStatus", .flags = kAdminOnly, .read = free_monitoring},
      {.name = "profile", .read = profile, .fields = "slowms sampleRate filter"},
      {.name = "setFeatureCompatibilityVersion",
       .flags = kAdminOnly | kIgnoresUnknownFields,
       .read = set_compatibility_version},
      {.name = "currentOp",
       .flags = kAdminOnly | kIgnoresUnknownFields,
       .read = current_operations},
      {.name = "killOp", .flags = kAdminOnly, .read = kill_operation, .fields = "op"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
