#include "app/tree.h"

#include <utility>

#include "bson/extended_json.h"

namespace restitch::app {
namespace {

// Plain JSON with its Extended JSON decoded; as it is where wrappers are malformed, as in a file.
bson::Value decoded(const bson::Value& plain) {
  if (plain.view().raw().find('$') == std::string_view::npos) return plain;
  auto value = bson::parse_json(bson::to_json(plain.view(), bson::JsonMode::kRelaxed));
  return value ? std::move(*value) : plain;
}

}  // namespace

bson::ValueView Tree::find(const std::string& path) const {
  const auto it = json.find(path);
  return it == json.end() ? bson::ValueView() : it->second.view();
}

bson::ValueView Tree::as_written(const std::string& path) const {
  const auto it = plain.find(path);
  return it == plain.end() ? find(path) : it->second.view();
}

void Tree::put(const std::string& path, bson::Value as_written) {
  bson::Value meant = decoded(as_written);
  if (meant.view().raw() == as_written.view().raw()) {
    plain.erase(path);
  } else {
    plain[path] = std::move(as_written);
  }
  json[path] = std::move(meant);
}

void Tree::remove(const std::string& path) {
  json.erase(path);
  plain.erase(path);
  sources.erase(path);
}

}  // namespace restitch::app
