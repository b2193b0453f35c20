#include "app/assembly.h"

namespace restitch::app {
namespace {

void read_value(const Node& file, Assembly& assembly) {
  if (!file.is_object()) return;
  ValueConfig value;
  value.name = file["name"].required_text();
  check_name(file["name"], value.name);
  if (value.name.starts_with('_') || value.name.starts_with('-')) {
    file["name"].error("must begin with a letter or digit");
  }
  value.from_secret = file["from_secret"].flag();
  const Node content = file["value"];
  if (value.from_secret) {
    value.value = bson::Value::of(content.required_text());
  } else {
    value.value = content.value().is_missing() ? bson::Value::null() : bson::Value(content.value());
  }
  assembly.claim_name(file["name"], "Values", value.name, "ValueDuplicateName");
  if (!value.name.empty()) assembly.config.values.push_back(std::move(value));
}

}  // namespace

void read_values(Assembly& assembly) {
  assembly.each_file("values", [&](const Node& file) { read_value(file, assembly); });
}

}  // namespace restitch::app
