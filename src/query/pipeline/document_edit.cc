#include "query/pipeline/document_edit.h"

namespace restitch::query {
namespace {

void write(bson::Builder& builder, bson::View document, std::span<const std::string> path,
           bson::ValueView value) {
  bool is_done = false;
  const auto put = [&](bson::ValueView present) {
    if (path.size() == 1) {
      builder.append(path.front(), value);
      return;
    }
    builder.open_object(path.front());
    write(builder, present.as_object().value_or(bson::View()), path.subspan(1), value);
    builder.close();
  };
  const auto end = document.end();
  for (auto at = document.begin(); at != end; ++at) {
    if (!is_done && at->name == path.front()) {
      put(at->value);
      is_done = true;
    } else {
      builder.append_raw(at.raw());
    }
  }
  if (!is_done && !value.is_missing()) put({});
}

}  // namespace

bson::ValueView object_path(bson::View document, std::span<const std::string> path) {
  bson::ValueView at = document.find(path.front());
  for (const std::string& component : path.subspan(1)) {
    if (at.type() != bson::Type::kObject) return {};
    at = at.get_document().find(component);
  }
  return at;
}

bson::Document with_path(bson::View document, std::span<const std::string> path,
                         bson::ValueView value) {
  bson::Builder builder;
  write(builder, document, path, value);
  return std::move(builder).finish();
}

}  // namespace restitch::query
