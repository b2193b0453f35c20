#pragma once

#include <optional>
#include <string>

#include "bson/document.h"

namespace restitch::auth {

// What a client tells of the device that it signs in from (spec: client-api §5).
struct Device {
  std::optional<bson::ObjectId> id;  // that the client got before
  bson::Document fields;  // platform, sdkVersion, … as they came: known names, texts, bounded
  std::string likeness;   // equal for the same device whatever versions it runs now

  bool is_told() const { return id || !fields.view().empty(); }
};

inline constexpr std::string_view kNoDevice = "000000000000000000000000";

// `device` is `options.device` of a sign-in. Whatever it holds, nothing is refused for it.
Device device_from(bson::ValueView device);

}  // namespace restitch::auth
