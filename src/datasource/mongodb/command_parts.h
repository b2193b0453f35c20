#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bson/document.h"

namespace restitch::datasource::mongodb {

// How a command must be handed to the library.
enum class Route : std::uint8_t {
  kRead,         // a read that may be repeated after a network failure
  kOpensCursor,  // a read whose reply may hold an open cursor
  kWrite,        // insert, update, delete, findAndModify: repeated by their transaction number
  kGetMore,
  kKillCursors,
  kCommit,
  kAbort,
  kOther,
};

// A command taken apart: the session fields and concerns, which the library adds itself, and the
// rest.
struct CommandParts {
  bson::Document body;
  Route route = Route::kOther;
  std::string name;
  bool in_transaction = false;  // autocommit: false
  bool starts_transaction = false;
  bool has_our_limit = false;                  // `max_time_ms` has been added
  std::string session;                         // the 16 bytes of lsid.id; empty without one
  bson::Document read_concern, write_concern;  // empty: none was given
};

// `max_time_ms` is added where the command has no limit of its own and takes one.
CommandParts take_apart(bson::View command, std::optional<std::int64_t> max_time_ms);

}  // namespace restitch::datasource::mongodb
