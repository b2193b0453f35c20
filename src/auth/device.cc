#include "auth/device.h"

#include <algorithm>
#include <array>

namespace restitch::auth {
namespace {

constexpr std::size_t kMaxText = 256;

struct Field {
  std::string_view name;
  bool tells_devices_apart;
};
constexpr std::array<Field, 13> kFields{{{"appId", true},
                                         {"appVersion", false},
                                         {"platform", true},
                                         {"platformVersion", false},
                                         {"sdk", true},
                                         {"sdkVersion", false},
                                         {"cpuArch", true},
                                         {"deviceName", true},
                                         {"deviceVersion", true},
                                         {"frameworkName", true},
                                         {"frameworkVersion", false},
                                         {"coreVersion", false},
                                         {"bundleId", true}}};

std::optional<bson::ObjectId> id_in(bson::ValueView value) {
  auto id = value.as_object_id();
  if (const auto text = value.as_string(); !id && text) id = bson::ObjectId::from_hex(*text);
  if (id && id->to_hex() == kNoDevice) return std::nullopt;
  return id;
}

// Not in the middle of a character of UTF-8.
std::string_view shortened(std::string_view text) {
  if (text.size() <= kMaxText) return text;
  std::size_t end = kMaxText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

Device device_from(bson::ValueView value) {
  Device device;
  const auto object = value.as_object();
  if (!object) return device;
  device.id = id_in((*object)["deviceId"]);
  bson::Builder fields;
  for (const Field& field : kFields) {
    const auto text = (*object)[field.name].as_string();
    const std::string_view kept = text ? shortened(*text) : std::string_view();
    if (!kept.empty()) fields.append(field.name, kept);
    if (field.tells_devices_apart) device.likeness.append(kept).push_back('\x1f');
  }
  device.fields = std::move(fields).finish();
  return device;
}

}  // namespace restitch::auth
