#pragma once

#include <string>
#include <string_view>

#include "bson/extended_json.h"
#include "bson/view.h"

namespace restitch::query {

// An element as error messages print it: a: "x".
inline std::string element_text(std::string_view name, bson::ValueView value) {
  std::string text(name);
  text += ": ";
  text += bson::to_shell(value);
  return text;
}
inline std::string element_text(const bson::Element& element) {
  return element_text(element.name, element.value);
}

}  // namespace restitch::query
