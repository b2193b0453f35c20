#include "rules/explain/secret_mask.h"

#include <algorithm>
#include <utility>

#include "bson/extended_json.h"
#include "rules/expression/conversion.h"

namespace restitch::rules {
namespace {

constexpr std::size_t kMostShown = 160;
constexpr const char* kPlaceholder = "<secret>";

bool is_container(bson::ValueView value) {
  return value.type() == bson::Type::kObject || value.type() == bson::Type::kArray;
}

// Whole characters of UTF-8.
void cut(std::string& text) {
  if (text.size() <= kMostShown) return;
  std::size_t end = kMostShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  text += "…";
}

}  // namespace

SecretMask::SecretMask(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    hidden_.push_back(bson::Value::of(secret));
    for (const Conversion conversion : {Conversion::kStringToOid, Conversion::kStringToUuid}) {
      auto converted = convert(conversion, bson::Value::of(secret));
      if (converted) hidden_.push_back(std::move(*converted));
    }
  }
}

bool SecretMask::hides(bson::ValueView value) const {
  return std::any_of(hidden_.begin(), hidden_.end(), [&](const bson::Value& hidden) {
    return hidden.type() == value.type() && hidden.view().raw() == value.raw();
  });
}

bool SecretMask::hides_any(bson::ValueView value) const {
  if (!is_container(value)) return hides(value);
  for (const bson::Element& element : value.get_document()) {
    if (hides_any(element.value)) return true;
  }
  return false;
}

void SecretMask::copy_masked(bson::View from, bson::Builder& to, bool is_array) const {
  for (const bson::Element& element : from) {
    const bson::Value value = apply(element.value);
    is_array ? to.push(value.view()) : to.append(element.name, value.view());
  }
}

bson::Value SecretMask::apply(bson::ValueView value) const {
  if (hidden_.empty() || !hides_any(value)) return bson::Value(value);
  if (!is_container(value)) return bson::Value::of(kPlaceholder);
  bson::Builder builder;
  const bool is_array = value.type() == bson::Type::kArray;
  copy_masked(value.get_document(), builder, is_array);
  bson::Document copy = std::move(builder).finish();
  return is_array ? bson::Value::array(std::move(copy)) : bson::Value::of(std::move(copy));
}

bson::Document SecretMask::apply(bson::View document) const {
  if (hidden_.empty()) return bson::Document(document);
  bson::Builder builder;
  copy_masked(document, builder, false);
  return std::move(builder).finish();
}

std::string SecretMask::show(bson::ValueView value) const {
  if (value.is_missing()) return "missing";
  std::string text = bson::to_json(apply(value).view(), bson::JsonMode::kRelaxed);
  cut(text);
  return text;
}

}  // namespace restitch::rules
