#include "datasource/embedded/fields.h"

namespace restitch::datasource::embedded {

namespace {
constexpr std::string_view kNumbers = "[long, int, decimal, double";
}

Error Fields::wrong_type(std::string_view name, std::string_view expected) const {
  const bool is_list = !expected.empty() && expected.front() == '[';
  return mongo_error(14, "BSON field '" + std::string(owner_) + "." + std::string(name) +
                             "' is the wrong type '" +
                             std::string(bson::alias_of(view_.find(name).type())) +
                             (is_list ? "', expected types '" : "', expected type '") +
                             std::string(expected) + (is_list ? "']" : "'"));
}

Error Fields::missing(std::string_view name) const {
  return mongo_error(40414, "BSON field '" + std::string(owner_) + "." + std::string(name) +
                                "' is missing but a required field");
}

Result<bson::View> Fields::object(std::string_view name) const {
  const bson::ValueView value = view_.find(name);
  if (value.is_nullish()) return bson::View();
  if (const auto object = value.as_object()) return *object;
  return wrong_type(name, "object");
}

Result<bson::View> Fields::required_object(std::string_view name) const {
  if (!has(name)) return missing(name);
  if (const auto object = view_.find(name).as_object()) return *object;
  return wrong_type(name, "object");
}

Result<bson::View> Fields::array(std::string_view name) const {
  const bson::ValueView value = view_.find(name);
  if (value.is_missing()) return bson::View();
  if (const auto array = value.as_array()) return *array;
  return wrong_type(name, "array");
}

Result<bson::View> Fields::required_array(std::string_view name) const {
  if (!has(name)) return missing(name);
  return array(name);
}

Result<bool> Fields::boolean(std::string_view name, bool fallback) const {
  const bson::ValueView value = view_.find(name);
  if (value.is_nullish()) return fallback;
  if (const auto boolean = value.as_bool()) return *boolean;
  if (value.is_number()) return value.truthy();
  return wrong_type(name, "[bool, long, int, decimal, double");
}

Result<std::string_view> Fields::string(std::string_view name, std::string_view fallback) const {
  const bson::ValueView value = view_.find(name);
  if (value.is_missing()) return fallback;
  if (const auto text = value.as_string()) return *text;
  return wrong_type(name, "string");
}

Result<std::string_view> Fields::required_string(std::string_view name) const {
  if (!has(name)) return missing(name);
  return string(name);
}

Result<std::optional<std::int64_t>> Fields::integer(std::string_view name) const {
  const bson::ValueView value = view_.find(name);
  if (value.is_nullish()) return std::optional<std::int64_t>();
  if (!value.is_number()) return wrong_type(name, kNumbers);
  const auto number = value.as_integer();
  if (!number) return wrong_type(name, "long");
  return number;
}

Result<std::optional<std::int64_t>> Fields::non_negative(std::string_view name) const {
  RESTITCH_TRY(const std::optional<std::int64_t> number, integer(name));
  if (number && *number < 0) {
    return mongo_error(51024, "BSON field '" + std::string(name) +
                                  "' value must be >= 0, actual value '" + std::to_string(*number) +
                                  "'");
  }
  return number;
}

}  // namespace restitch::datasource::embedded
