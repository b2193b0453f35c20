#include "schema/types.h"

#include <array>
#include <limits>

namespace restitch::schema {
namespace {

enum : TypeSet {
  kObject = kObjectType,
  kArray = 1U << 1U,
  kString = 1U << 2U,
  kInt = 1U << 3U,
  kLong = 1U << 4U,
  kDouble = 1U << 5U,
  kFloat = 1U << 6U,
  kDecimal = 1U << 7U,
  kNumber = 1U << 8U,
  kBool = 1U << 9U,
  kDate = 1U << 10U,
  kTimestamp = 1U << 11U,
  kNull = 1U << 12U,
  kRegex = 1U << 13U,
  kObjectId = 1U << 14U,
  kBinData = 1U << 15U,
  kUuid = 1U << 16U,
  kJavascript = 1U << 17U,
  kSymbol = 1U << 18U,
  kMinKey = 1U << 19U,
  kMaxKey = 1U << 20U,
  kLinkingObjects = 1U << 21U,  // no value is stored for these
  kMixed = 1U << 22U,
};

struct Name {
  std::string_view name;
  TypeSet types;
};

constexpr std::array kBsonTypes = {
    Name{"object", kObject},       Name{"array", kArray},
    Name{"string", kString},       Name{"int", kInt},
    Name{"long", kLong},           Name{"double", kDouble},
    Name{"float", kFloat},         Name{"decimal", kDecimal},
    Name{"number", kNumber},       Name{"bool", kBool},
    Name{"boolean", kBool},        Name{"date", kDate},
    Name{"timestamp", kTimestamp}, Name{"null", kNull},
    Name{"regex", kRegex},         Name{"objectId", kObjectId},
    Name{"binData", kBinData},     Name{"binary", kBinData},
    Name{"uuid", kUuid},           Name{"javascript", kJavascript},
    Name{"function", kJavascript}, Name{"symbol", kSymbol},
    Name{"minKey", kMinKey},       Name{"maxKey", kMaxKey},
    Name{"mixed", kMixed},         Name{"linkingObjects", kLinkingObjects},
};

constexpr std::array kJsonTypes = {
    Name{"object", kObject}, Name{"array", kArray},   Name{"number", kNumber},
    Name{"boolean", kBool},  Name{"string", kString}, Name{"null", kNull},
};

template <typename Names>
std::optional<TypeSet> find(const Names& names, std::string_view wanted) {
  for (const Name& entry : names) {
    if (entry.name == wanted) return entry.types;
  }
  return std::nullopt;
}

struct Names {
  TypeSet types;
  std::string_view text;
};

bool fits_int32(std::int64_t value) {
  return value >= std::numeric_limits<std::int32_t>::min() &&
         value <= std::numeric_limits<std::int32_t>::max();
}

Names names_for(bson::ValueView value) {
  constexpr std::uint8_t kUuidSubtype = 4;
  switch (value.type()) {
    case bson::Type::kDouble:
      return {kDouble | kNumber | kFloat | kMixed, "double number float mixed"};
    case bson::Type::kInt32:
      return {kInt | kLong | kNumber | kMixed, "int long number mixed"};
    case bson::Type::kInt64:
      if (fits_int32(value.get_int64())) {
        return {kInt | kLong | kNumber | kMixed, "int long number mixed"};
      }
      return {kLong | kNumber | kMixed, "long number mixed"};
    case bson::Type::kDecimal128:
      return {kDecimal | kNumber | kMixed, "decimal number mixed"};
    case bson::Type::kString:
      return {kString | kMixed, "string mixed"};
    case bson::Type::kObject:
      return {kObject | kMixed, "object mixed"};
    case bson::Type::kArray:
      return {kArray | kMixed, "array mixed"};
    case bson::Type::kBool:
      return {kBool | kMixed, "bool boolean mixed"};
    case bson::Type::kDate:
      return {kDate | kMixed, "date mixed"};
    case bson::Type::kTimestamp:
      return {kTimestamp | kMixed, "timestamp mixed"};
    case bson::Type::kNull:
      return {kNull | kMixed, "null mixed"};
    case bson::Type::kRegex:
      return {kRegex | kMixed, "regex mixed"};
    case bson::Type::kObjectId:
      return {kObjectId | kMixed, "objectId mixed"};
    case bson::Type::kBinary:
      if (value.get_binary().subtype == kUuidSubtype) {
        return {kUuid | kBinData | kMixed, "uuid binData mixed"};
      }
      return {kBinData | kMixed, "binData mixed"};
    case bson::Type::kCode:
    case bson::Type::kCodeWithScope:
      return {kJavascript | kMixed, "javascript function mixed"};
    case bson::Type::kSymbol:
      return {kSymbol | kMixed, "symbol mixed"};
    case bson::Type::kMinKey:
      return {kMinKey | kMixed, "minKey mixed"};
    case bson::Type::kMaxKey:
      return {kMaxKey | kMixed, "maxKey mixed"};
    case bson::Type::kUndefined:
    case bson::Type::kDbPointer:
    case bson::Type::kMissing:
      break;
  }
  return {kMixed, "mixed"};
}

}  // namespace

std::optional<TypeSet> types_of_bson_type(std::string_view name) { return find(kBsonTypes, name); }

std::optional<TypeSet> types_of_type(std::string_view name) { return find(kJsonTypes, name); }

TypeSet types_of(bson::ValueView value) { return names_for(value).types; }

std::string_view names_of(bson::ValueView value) { return names_for(value).text; }

}  // namespace restitch::schema
