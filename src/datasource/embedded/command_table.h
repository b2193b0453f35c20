#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "datasource/embedded/operation.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

class WriteCommand;

enum CommandFlag : std::uint32_t {
  kAdminOnly = 1U << 0U,       // 13 on other databases
  kInTransaction = 1U << 1U,   // allowed in a multi-document transaction
  kRetryableWrite = 1U << 2U,  // may carry a txnNumber without autocommit
  kIgnoresUnknownFields = 1U << 3U,
  kEndsTransaction = 1U << 4U,  // commitTransaction, abortTransaction
  kNoSession = 1U << 5U,        // needs no authentication: a txnNumber is refused
  kOnPool = 1U << 6U,           // never tried on the caller's thread
  kForTests = 1U << 7U,         // exists only when fail points are allowed
  kSnapshotRead = 1U << 9U,     // may read with level snapshot outside transactions
  kOnExternal = 1U << 12U,      // also on $external, where no collections are
};

// Everything the dispatcher has to know about a command. Exactly one of the handlers is set.
struct CommandSpec {
  using Read = Result<bson::Document> (*)(Operation&);
  using Write = Result<std::unique_ptr<WriteCommand>> (*)(Operation&);
  using Async = asio::awaitable<Result<bson::Document>> (*)(Operation&);

  std::string_view name;
  std::string_view alias = {};  // other spelling; empty if none
  std::uint32_t flags = 0;
  // Synchronous and repeatable: tried with ReadTier::kCacheOnly on the caller's thread, then again
  // on the pool.
  Read read = nullptr;
  Write write = nullptr;
  Async async = nullptr;              // runs on the caller's executor and moves where it must
  std::string_view fields = {};       // known fields, blank-separated, besides the generic ones
  std::string_view parser_name = {};  // name of the request in error texts, when not `name`

  bool has(CommandFlag flag) const { return (flags & flag) != 0; }
  // Whether it has a counter of its own among the opcounters.
  bool is_counted_apart() const {
    return name == "insert" || name == "find" || name == "update" || name == "delete" ||
           name == "getMore";
  }
  std::string_view request_name() const { return parser_name.empty() ? name : parser_name; }
};

// Null for an unknown command (59).
const CommandSpec* find_command(std::string_view name);
// 40415 for a field that the command does not know, 40413 for one given twice.
Status check_known_fields(const CommandSpec& spec, bson::View command);

// A field that every command accepts.
bool is_generic_field(std::string_view name);

// One table a family, joined by find_command.
std::span<const CommandSpec> read_commands();
std::span<const CommandSpec> write_commands();
std::span<const CommandSpec> index_commands();
std::span<const CommandSpec> catalog_commands();
std::span<const CommandSpec> session_commands();
std::span<const CommandSpec> diagnostic_commands();
std::span<const CommandSpec> statistics_commands();
std::span<const CommandSpec> explain_commands();
std::span<const CommandSpec> parameter_commands();
std::span<const CommandSpec> plan_cache_commands();
std::span<const CommandSpec> fail_point_commands();
std::span<const CommandSpec> topology_commands();
std::span<const CommandSpec> search_commands();
std::span<const CommandSpec> sign_in_commands();
std::span<const CommandSpec> user_commands();

std::vector<std::span<const CommandSpec>> all_commands();

// Whether `apiStrict: true` allows the command: those of MongoDB's Stable API, version 1.
bool is_in_stable_api(std::string_view command);

}  // namespace restitch::datasource::embedded
