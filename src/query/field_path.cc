#include "query/field_path.h"

#include "query/path.h"

namespace restitch::query {

Status check_field_path(std::string_view path) {
  if (path.empty()) return mongo_error(40352, "FieldPath cannot be constructed with empty string");
  if (path.back() == '.') return mongo_error(40353, "FieldPath must not end with a '.'.");
  for (const std::string& component : split_path(path)) {
    if (component.empty()) {
      return mongo_error(15998, "FieldPath field names may not be empty strings.");
    }
    if (component.front() == '$') {
      return mongo_error(16410,
                         "FieldPath field names may not start with '$'. Consider using "
                         "$getField or $setField.");
    }
  }
  return {};
}

}  // namespace restitch::query
