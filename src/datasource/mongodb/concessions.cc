#include "datasource/mongodb/concessions.h"

#include <string_view>
#include <utility>

namespace restitch::datasource::mongodb {
namespace {

using bson::Builder;
using bson::Document;
using bson::Element;
using bson::View;

constexpr int kMaxTimeMsExpired = 50;
constexpr int kNotImplemented = 238;

bool is_simple_collation(const Element& element) {
  const auto collation = element.value.as_object();
  return element.name == "collation" && collation && collation->count() == 1 &&
         (*collation)["locale"].as_string() == "simple";
}

// Without the simple collation, at the top and in the statements of a write.
Document without_simple_collation(View body, bool& was_there) {
  Builder kept;
  for (const Element& element : body) {
    if (is_simple_collation(element)) {
      was_there = true;
      continue;
    }
    const auto statements = element.value.as_array();
    if (!statements || (element.name != "updates" && element.name != "deletes")) {
      kept.append(element.name, element.value);
      continue;
    }
    kept.open_array(element.name);
    for (const Element& statement : *statements) {
      kept.push_object();
      for (const Element& part : statement.value.as_object().value_or(View())) {
        if (is_simple_collation(part)) {
          was_there = true;
        } else {
          kept.append(part.name, part.value);
        }
      }
      kept.close();
    }
    kept.close();
  }
  return std::move(kept).finish();
}

std::optional<Document> without_limit(View body) {
  if (!body.contains("maxTimeMS")) return std::nullopt;
  Builder kept;
  for (const Element& element : body) {
    if (element.name != "maxTimeMS") kept.append(element.name, element.value);
  }
  return std::move(kept).finish();
}

}  // namespace

std::optional<Document> without_refused_part(View body, View reply, bool limit_is_ours) {
  if (reply["ok"].truthy()) return std::nullopt;
  const std::string_view text = reply["errmsg"].as_string().value_or("");
  const std::int64_t code = reply["code"].as_integer().value_or(0);
  if (limit_is_ours && code != kMaxTimeMsExpired && text.find("maxTimeMS") != text.npos) {
    return without_limit(body);
  }
  if (code != kNotImplemented || text.find("collation") == text.npos) return std::nullopt;
  bool was_there = false;
  Document kept = without_simple_collation(body, was_there);
  if (!was_there) return std::nullopt;
  return kept;
}

}  // namespace restitch::datasource::mongodb
