#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::auth {

// A text member of what a client sent to sign in: kMissingParameter, or kInvalidArgument when it is
// no text.
inline Result<std::string> text_member(bson::View credential, std::string_view name) {
  const bson::ValueView value = credential[name];
  if (value.is_missing()) {
    return Error(ErrorCode::kMissingParameter, "missing parameter '" + std::string(name) + "'");
  }
  const auto text = value.as_string();
  if (!text)
    return Error(ErrorCode::kInvalidArgument,
                 "parameter '" + std::string(name) + "' must be a string");
  return std::string(*text);
}

}  // namespace restitch::auth
