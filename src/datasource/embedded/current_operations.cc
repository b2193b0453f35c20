#include "datasource/embedded/current_operations.h"

#include <unistd.h>

#include <ctime>

#include "bson/extended_json.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/operation.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::size_t kMaxShownBytes = 4096;  // of a command

std::string host_name() {
  char host[256] = "localhost";
  static_cast<void>(gethostname(host, sizeof host - 1));
  return host;
}

std::string text_of(bson::Date date) {
  const std::time_t seconds = date.millis / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  char millis[16];
  std::snprintf(millis, sizeof millis, ".%03d+00:00", static_cast<int>(date.millis % 1000));
  return std::string(text, size) + millis;
}

std::string_view kind_of(std::string_view name) {
  if (name == "find") return "query";
  if (name == "getMore") return "getmore";
  if (name == "insert" || name == "update") return name;
  if (name == "delete") return "remove";
  return "command";
}

std::string namespace_of(const Operation& operation) {
  const bson::Element first = *operation.command.view().begin();
  const auto collection = first.name == "getMore" ? operation.command["collection"].as_string()
                                                  : first.value.as_string();
  return operation.database + "." + std::string(collection.value_or("$cmd"));
}

void append_command(Builder& builder, View command) {
  if (command.size() <= kMaxShownBytes) {
    builder.append("command", command);
    return;
  }
  const std::string text = bson::to_shell(command);
  builder.open_object("command").append("$truncated", text.substr(0, kMaxShownBytes)).close();
}

void append_caller(Builder& builder, const Caller& caller) {
  builder.append("desc", "conn" + std::to_string(caller.connection));
  builder.append("connectionId", caller.connection);
  builder.append("client", caller.remote);
  if (!caller.app_name.empty()) builder.append("appName", caller.app_name);
  if (!caller.metadata.empty()) builder.append("clientMetadata", caller.metadata);
}

Document describe(const OperationEntry& entry, const Operation& operation, std::string_view host,
                  std::string_view now) {
  const auto running = std::chrono::steady_clock::now() - entry.started();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(running).count();
  Builder builder;
  builder.append("type", "op").append("host", host);
  if (operation.caller) {
    append_caller(builder, *operation.caller);
  } else {
    builder.append("desc", "server");
  }
  builder.append("active", true).append("currentOpTime", now);
  builder.append("threaded", true).append("opid", entry.id());
  if (const std::string key = session_key_of(operation); !key.empty()) {
    builder.open_object("lsid");
    append_session(builder, key);
    builder.close();
  }
  builder.append("secs_running", static_cast<std::int64_t>(micros / 1'000'000));
  builder.append("microsecs_running", static_cast<std::int64_t>(micros));
  builder.append("op", kind_of(operation.spec->name)).append("ns", namespace_of(operation));
  append_command(builder, operation.command);
  if (entry.interrupt().load() != 0) builder.append("killPending", true);
  builder.append("numYields", std::int32_t{0});
  builder.open_object("locks").close();
  builder.append("waitingForLock", false);
  builder.open_object("lockStats").close();
  builder.append("waitingForFlowControl", false);
  builder.open_object("flowControlStats").close();
  return std::move(builder).finish();
}

Document describe_idle(const IdleTransaction& idle, std::string_view host) {
  const auto open = std::chrono::steady_clock::now() - idle.started;
  Builder builder;
  builder.append("type", "idleSession").append("host", host);
  builder.append("desc", "inactive transaction");
  builder.append("active", false);
  builder.open_object("lsid");
  append_session(builder, idle.session);
  builder.close();
  builder.open_object("transaction");
  builder.open_object("parameters");
  builder.append("txnNumber", idle.txn_number).append("autocommit", false);
  builder.close();
  builder.append("startWallClockTime", text_of(idle.started_at));
  builder.append("timeOpenMicros",
                 static_cast<std::int64_t>(
                     std::chrono::duration_cast<std::chrono::microseconds>(open).count()));
  builder.close();
  builder.append("waitingForLock", false);
  return std::move(builder).finish();
}

}  // namespace

std::vector<Document> describe_operations(const Services& services,
                                          const OperationFilter& filter) {
  const std::string host = host_name();
  const std::string now = text_of(wall_clock());
  std::vector<Document> list;
  services.operations.for_each([&](const OperationEntry& entry, const Operation& operation) {
    list.push_back(describe(entry, operation, host, now));
  });
  if (filter.idle_sessions) {
    for (const IdleTransaction& idle : services.sessions.idle_transactions()) {
      list.push_back(describe_idle(idle, host));
    }
  }
  if (filter.idle_cursors) {
    for (Document& cursor : services.cursors.describe(host)) list.push_back(std::move(cursor));
  }
  return list;
}

std::vector<Document> describe_sessions(const Services& services) {
  std::vector<Document> list;
  for (const SessionTable::Listed& session : services.sessions.list()) {
    Builder builder;
    builder.open_object("_id");
    append_session(builder, session.id);
    builder.close();
    builder.append("lastUse", session.last_use);
    list.push_back(std::move(builder).finish());
  }
  return list;
}

}  // namespace restitch::datasource::embedded
