#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "rules/operation.h"

// What an app user may send over the MongoDB wire protocol (spec: rules §6.1, 9), as operations of
// rules/. Pure: nothing here runs anything.
namespace restitch::api::wire {

struct AppUserRead {
  rules::Operation operation;
  std::optional<std::int64_t> batch_size;
  bool is_single_batch = false;
};

// One statement of a write command; an insert is one statement with all its documents.
struct AppUserWrites {
  std::vector<rules::Operation> statements;
  bool is_ordered = true;
};

enum class AppUserCommand : std::uint8_t {
  kRead,    // find, aggregate, count, distinct
  kWrite,   // insert, update, delete
  kOther,   // answered without an operation
  kDenied,  // not for app users
};

AppUserCommand kind_of_command(std::string_view name);

// 9 FailedToParse names an option that app users do not have; 14 a member of a wrong type.
Result<AppUserRead> parse_read(std::string_view source, std::string_view database,
                               bson::View command);
Result<AppUserWrites> parse_writes(std::string_view source, std::string_view database,
                                   bson::View command);

// The MongoDB number of a failure of an operation, on which drivers base what they do.
Error wire_error(const Error& error);

}  // namespace restitch::api::wire
