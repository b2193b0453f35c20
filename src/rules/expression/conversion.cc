#include "rules/expression/conversion.h"

#include <cstring>
#include <string>

#include "base/encoding.h"

namespace restitch::rules {
namespace {

constexpr std::uint8_t kUuidSubtype = 4;
constexpr std::size_t kUuidBytes = 16;
constexpr std::size_t kUuidTextSize = 36;

bool is_hyphen_place(std::size_t index) {
  return index == 8 || index == 13 || index == 18 || index == 23;
}

std::optional<bson::Value> string_to_oid(bson::ValueView value) {
  if (value.type() == bson::Type::kObjectId) return bson::Value(value);
  const auto text = value.as_string();
  if (!text) return std::nullopt;
  if (text->size() == 12) {
    bson::ObjectId id;
    std::memcpy(id.bytes.data(), text->data(), id.bytes.size());
    return bson::Value::of(id);
  }
  const auto id = bson::ObjectId::from_hex(*text);
  if (!id) return std::nullopt;
  return bson::Value::of(*id);
}

std::optional<bson::Value> oid_to_string(bson::ValueView value) {
  const auto id = value.as_object_id();
  if (!id) return std::nullopt;
  return bson::Value::of(id->to_hex());
}

std::optional<bson::Value> string_to_uuid(bson::ValueView value) {
  const auto text = value.as_string();
  if (!text || text->size() != kUuidTextSize) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text->size(); ++i) {
    if (is_hyphen_place(i) != ((*text)[i] == '-')) return std::nullopt;
    if (!is_hyphen_place(i)) digits.push_back((*text)[i]);
  }
  const auto bytes = from_hex(digits);
  if (!bytes) return std::nullopt;
  return bson::Value::binary(kUuidSubtype, *bytes);
}

std::optional<bson::Value> uuid_to_string(bson::ValueView value) {
  if (value.type() != bson::Type::kBinary) return std::nullopt;
  const bson::BinaryView binary = value.get_binary();
  if (binary.subtype != kUuidSubtype || binary.bytes.size() != kUuidBytes) return std::nullopt;
  std::string text = to_hex(binary.bytes);
  for (const std::size_t place : {8U, 13U, 18U, 23U}) text.insert(place, 1, '-');
  return bson::Value::of(text);
}

}  // namespace

std::optional<Conversion> conversion_from_name(std::string_view name) {
  if (name == "%stringToOid") return Conversion::kStringToOid;
  if (name == "%oidToString") return Conversion::kOidToString;
  if (name == "%stringToUuid") return Conversion::kStringToUuid;
  if (name == "%uuidToString") return Conversion::kUuidToString;
  return std::nullopt;
}

std::optional<bson::Value> convert(Conversion conversion, bson::ValueView value) {
  switch (conversion) {
    case Conversion::kStringToOid:
      return string_to_oid(value);
    case Conversion::kOidToString:
      return oid_to_string(value);
    case Conversion::kStringToUuid:
      return string_to_uuid(value);
    case Conversion::kUuidToString:
      return uuid_to_string(value);
  }
  return std::nullopt;
}

}  // namespace restitch::rules
