#include <utility>
#include <vector>

#include "rules/expression.h"
#include "rules/expression/parser.h"
#include "rules/expression/resolved.h"

namespace restitch::rules {
namespace {

// The specification of a filter with its expansions marked: an object whose members are copied,
// expanded or descended.
class CompiledTemplate : public Template {
 public:
  explicit CompiledTemplate(bson::Document text) : text_(std::move(text)) {}

  bson::Document expand(const EvaluationContext& context) const override {
    bson::Builder builder;
    expand_members(text_, builder, context, false);
    return std::move(builder).finish();
  }

 private:
  static void expand_members(bson::View object, bson::Builder& builder,
                             const EvaluationContext& context, bool is_array) {
    for (auto it = object.begin(); it != object.end(); ++it) {
      const std::string_view name = it->name;
      const bson::ValueView value = it->value;
      if (const auto inner = value.as_object()) {
        if (const auto converted = conversion_of(*inner, context)) {
          put(builder, name, converted->view(), is_array);
          continue;
        }
        is_array ? builder.push_object() : builder.open_object(name);
        expand_members(*inner, builder, context, false);
        builder.close();
      } else if (const auto list = value.as_array()) {
        is_array ? builder.push_open_array() : builder.open_array(name);
        expand_members(*list, builder, context, true);
        builder.close();
      } else if (const auto reference = reference_of(value)) {
        put_resolved(builder, name, resolve(*reference, context), is_array);
      } else {
        builder.append_raw(it.raw());
      }
    }
  }

  static void put(bson::Builder& builder, std::string_view name, bson::ValueView value,
                  bool is_array) {
    is_array ? builder.push(value) : builder.append(name, value);
  }

  // An expansion without a value must match nothing: it becomes a value that is in no document.
  static void put_resolved(bson::Builder& builder, std::string_view name, const bson::Value& value,
                           bool is_array) {
    if (!value.is_missing()) {
      put(builder, name, value, is_array);
    } else if (name == "$in" || name == "$nin" || name == "$all") {
      builder.open_array(name).push(nothing().view()).close();
    } else {
      put(builder, name, nothing(), is_array);
    }
  }

  // A user's data must not bring operators or patterns into the query.
  static bool is_plain_data(bson::ValueView value) {
    if (value.type() == bson::Type::kRegex) return false;
    if (value.type() == bson::Type::kObject) {
      const bson::View object = value.get_document();
      return object.empty() || !object.begin()->name.starts_with('$');
    }
    if (value.type() != bson::Type::kArray) return true;
    for (const bson::Element& element : value.get_document()) {
      if (!is_plain_data(element.value)) return false;
    }
    return true;
  }

  static const bson::Value& nothing() {
    static const bson::Value value = bson::Value::binary(0x80, "restitch:unresolved");
    return value;
  }

  static std::optional<Reference> reference_of(bson::ValueView value) {
    const auto text = value.as_string();
    if (!text || !text->starts_with("%%")) return std::nullopt;
    return parse_expansion(*text);
  }

  static bson::Value resolve(const Reference& reference, const EvaluationContext& context) {
    const Anchor anchor = anchor_of(reference, context);
    const std::span<const std::string> path(reference.path);
    const Resolved found =
        follow(anchor.view(), path.subspan(anchor.consumed), name_match_of(reference));
    const bool is_foreign =
        reference.source == Source::kUser || reference.source == Source::kRequest;
    if (is_foreign && !is_plain_data(found.view())) return {};
    return bson::Value(found.view());
  }

  // The value of {"%stringToOid": x}; nothing for other objects.
  static std::optional<bson::Value> conversion_of(bson::View object,
                                                  const EvaluationContext& context) {
    if (object.empty()) return std::nullopt;
    const bson::Element element = *object.begin();
    const auto conversion = conversion_from_name(element.name);
    if (!conversion) return std::nullopt;
    bson::Value inner(element.value);
    if (const auto reference = reference_of(element.value)) inner = resolve(*reference, context);
    auto converted = convert(*conversion, inner);
    return converted ? std::move(*converted) : nothing();
  }

  bson::Document text_;
};

// Query operators written with a percent sign are the query's own with a dollar sign.
std::string query_name(std::string_view name) {
  std::string result(name);
  if (result.size() > 1 && result[0] == '%' && result[1] != '%' && !conversion_from_name(name)) {
    result[0] = '$';
  }
  return result;
}

class TemplateParser {
 public:
  TemplateParser(const std::string& file, app::Findings& findings)
      : place_{Place::kFilter, file, findings} {}

  bool rewrite(bson::View object, bson::Builder& builder, const std::string& pointer,
               bool is_array) {
    bool is_good = true;
    for (const bson::Element& element : object) {
      is_good &= rewrite_member(element, builder, below(pointer, element.name), is_array);
    }
    return is_good;
  }

 private:
  bool rewrite_member(const bson::Element& element, bson::Builder& builder,
                      const std::string& pointer, bool is_array) {
    const std::string name = query_name(element.name);
    if (name.starts_with("%%")) {
      return fail(pointer, "do not know how to expand '" + name + "'");
    }
    if (const auto inner = element.value.as_object()) {
      is_array ? builder.push_object() : builder.open_object(name);
      const bool is_good = rewrite_object(*inner, builder, pointer);
      builder.close();
      return is_good;
    }
    if (const auto list = element.value.as_array()) {
      is_array ? builder.push_open_array() : builder.open_array(name);
      const bool is_good = rewrite(*list, builder, pointer, true);
      builder.close();
      return is_good;
    }
    is_array ? builder.push(element.value) : builder.append(name, element.value);
    return check_scalar(element.value, pointer);
  }

  bool rewrite_object(bson::View object, bson::Builder& builder, const std::string& pointer) {
    if (!object.empty() && conversion_from_name(object.begin()->name)) {
      builder.append_all(object);
      int slots = 0;
      const bson::Value whole = bson::Value::object(object);
      return parse_operand(whole, pointer, place_, slots).has_value();
    }
    if (object.contains("%function")) {
      return fail(pointer, "a filter's query cannot call a function");
    }
    return rewrite(object, builder, pointer, false);
  }

  bool check_scalar(bson::ValueView value, const std::string& pointer) {
    int slots = 0;
    return parse_operand(value, pointer, place_, slots).has_value();
  }

  bool fail(const std::string& pointer, const std::string& message) {
    place_.findings.error(place_.file, pointer, "BadRequest", "error validating rule: " + message);
    return false;
  }

  ParsePlace place_;
};

}  // namespace

std::shared_ptr<const Template> Template::compile(bson::View query, const std::string& file,
                                                  const std::string& pointer,
                                                  app::Findings& findings) {
  bson::Builder builder;
  if (!TemplateParser(file, findings).rewrite(query, builder, pointer, false)) return nullptr;
  return std::make_shared<const CompiledTemplate>(std::move(builder).finish());
}

}  // namespace restitch::rules
