#pragma once

#include <span>
#include <string_view>

namespace restitch::api::admin {

// What the description of the Admin API says of a route beyond what the route itself tells. The lists
// are of words with a space between them.
struct OperationNote {
  std::string_view method, path;  // as in the route; "~" stands for …/groups/{group}/apps/{app}
  std::string_view summary;
  // Query parameters and members of the JSON body: NAME, NAME:TYPE, with "!" behind it when needed.
  // Types are those of JSON schema, `any`, `name`, `time`, `environment`, and texts with "|" between
  // them; a text when none is given. The body "any" may be whatever JSON there is, "file" is a form
  // with a file.
  std::string_view query, body;
  // Answers that are no error: a status, with ":" and a type (`file` for bytes) when it has a body.
  std::string_view answers;
};

std::span<const OperationNote> operation_notes();

}  // namespace restitch::api::admin
