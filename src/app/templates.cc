#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "app/assembly.h"
#include "bson/extended_json.h"

namespace restitch::app {
namespace {

constexpr std::string_view kOpening = "%(%%";
constexpr std::string_view kTag = "environment.tag";
constexpr std::string_view kValues = "environment.values.";

std::string_view environment_file(std::string_view tag) {
  return tag.empty() ? std::string_view("no-environment") : tag;
}

// Copies BSON with its templates replaced.
class Expander {
 public:
  Expander(std::string tag, bson::Document values)
      : tag_(std::move(tag)), values_(std::move(values)) {}

  bson::Value expand(const std::string& file, bson::ValueView value, Findings& findings) {
    file_ = &file;
    findings_ = &findings;
    bson::Builder wrapper;
    copy("", value, wrapper, "", false);
    return bson::Value(std::move(wrapper).finish().view().begin()->value);
  }

 private:
  void copy(std::string_view name, bson::ValueView value, bson::Builder& out,
            const std::string& pointer, bool is_element) {
    const bool is_object = value.type() == bson::Type::kObject;
    if (is_object || value.type() == bson::Type::kArray) {
      if (is_element) {
        is_object ? out.push_object() : out.push_open_array();
      } else {
        is_object ? out.open_object(name) : out.open_array(name);
      }
      for (const bson::Element& element : value.get_document()) {
        copy(element.name, element.value, out, below(pointer, element.name), !is_object);
      }
      out.close();
      return;
    }
    const auto text = value.as_string();
    if (text && text->find(kOpening) != std::string_view::npos) {
      const std::string expanded = expand_text(*text, pointer);
      is_element ? out.push(expanded) : out.append(name, expanded);
      return;
    }
    is_element ? out.push(value) : out.append(name, value);
  }

  std::string expand_text(std::string_view text, const std::string& pointer) {
    std::string out;
    std::size_t at = 0;
    while (true) {
      const std::size_t start = text.find(kOpening, at);
      if (start == std::string_view::npos) break;
      const std::size_t end = text.find(')', start);
      if (end == std::string_view::npos) break;
      out.append(text.substr(at, start - at));
      const std::string_view name =
          text.substr(start + kOpening.size(), end - start - kOpening.size());
      if (const auto replacement = resolve(name)) {
        out.append(*replacement);
      } else {
        findings_->error(
            *file_, pointer, "InvalidParameter",
            "cannot expand '" + std::string(text.substr(start, end + 1 - start)) + "'");
      }
      at = end + 1;
    }
    return out.append(text.substr(at));
  }

  // Text of an environment value; nothing for one that is not there or has no plain text.
  std::optional<std::string> resolve(std::string_view name) const {
    if (name == kTag) return tag_;
    if (!name.starts_with(kValues)) return std::nullopt;
    const bson::ValueView value = values_.view().find_path(name.substr(kValues.size()));
    if (const auto text = value.as_string()) return std::string(*text);
    if (value.is_number() || value.type() == bson::Type::kBool) {
      return bson::to_json(value, bson::JsonMode::kRelaxed);
    }
    if (value.type() == bson::Type::kObjectId) return value.get_object_id().to_hex();
    return std::nullopt;
  }

  std::string tag_;
  bson::Document values_;
  Findings* findings_ = nullptr;
  const std::string* file_ = nullptr;
};

bool has_template(const bson::Value& value) {
  return value.view().raw().find(kOpening) != std::string_view::npos;
}

}  // namespace

void expand_templates(Tree& tree, Findings& findings) {
  std::string tag;
  if (const auto root = tree.find(tree.root_file).as_object()) {
    tag = std::string(root->find("environment").as_string().value_or(""));
    if (tag == "none") tag.clear();
  }
  bson::Document values;
  const std::string file = "environments/" + std::string(environment_file(tag)) + ".json";
  if (const auto content = tree.find(file).as_object()) {
    if (const auto object = content->find("values").as_object()) values = bson::Document(*object);
  }
  Expander expander(std::move(tag), std::move(values));
  for (auto& [path, content] : tree.json) {
    if (path.starts_with("environments/") || !has_template(content)) continue;
    content = expander.expand(path, content, findings);
  }
  Findings told;
  for (auto& [path, content] : tree.plain) {
    if (path.starts_with("environments/") || !has_template(content)) continue;
    content = expander.expand(path, content, told);
  }
}

}  // namespace restitch::app
