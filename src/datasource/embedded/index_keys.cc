#include "datasource/embedded/index_keys.h"

#include <algorithm>

#include "bson/key_encoding.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/paths.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;
using bson::View;

// Where the walk along one field's path stands.
struct Walk {
  ValueView value;            // final, or the object reached so far
  std::size_t component = 0;  // next component to follow
  bool is_final = false;
};

ValueView element_at(View array, std::size_t position) {
  std::size_t at = 0;
  for (const bson::Element& element : array) {
    if (at++ == position) return element.value;
  }
  return {};
}

class KeyGenerator {
 public:
  KeyGenerator(const Index& index, IndexKeys& out) : index_(index), out_(out) {}

  Status run(View document) {
    std::vector<Walk> walks(index_.fields.size());
    const ValueView root(Type::kObject, document.data(), document.size());
    for (Walk& walk : walks) walk.value = root;
    RESTITCH_CHECK(expand(std::move(walks)));
    std::sort(out_.keys.begin(), out_.keys.end(),
              [](const IndexKey& a, const IndexKey& b) { return a.key < b.key; });
    out_.keys.erase(
        std::unique(out_.keys.begin(), out_.keys.end(),
                    [](const IndexKey& a, const IndexKey& b) { return a.key == b.key; }),
        out_.keys.end());
    return {};
  }

 private:
  // Follows object members until the end of the path, a missing value or an array that must be
  // expanded.
  void advance(std::size_t field, Walk& walk) {
    const std::vector<std::string>& components = index_.fields[field].components;
    while (!walk.is_final) {
      if (walk.value.type() == Type::kArray) {
        mark(field, walk.component);
        if (walk.component == components.size()) return;
        const auto position = array_position(components[walk.component]);
        const ValueView at =
            position ? element_at(walk.value.get_document(), *position) : ValueView();
        if (at.is_missing()) return;
        walk.value = at;
        ++walk.component;
        // An array reached by position is expanded only at the end of the path.
        continue;
      }
      if (walk.component == components.size()) {
        walk.is_final = true;
      } else if (walk.value.type() == Type::kObject) {
        walk.value = walk.value.get_document().find(components[walk.component++]);
      } else {
        walk.value = ValueView();
        walk.is_final = true;
      }
    }
  }

  void mark(std::size_t field, std::size_t component) {
    if (out_.multikey.empty()) out_.multikey.resize(index_.fields.size());
    // Component c of the path is what was followed to get here.
    out_.multikey[field] |= std::uint64_t{1} << std::min<std::size_t>(component - 1, 63);
  }

  Status expand(std::vector<Walk> walks) {
    const std::uint8_t* array = nullptr;
    std::size_t array_field = 0;
    for (std::size_t field = 0; field < walks.size(); ++field) {
      advance(field, walks[field]);
      if (walks[field].is_final) continue;
      const std::uint8_t* found = walks[field].value.get_document().data();
      if (array != nullptr && found != array) {
        return parallel_arrays(walks, field, array_field);
      }
      array = found;
      array_field = field;
    }
    if (array == nullptr) return emit(walks);
    const View elements(array);
    if (elements.empty()) {
      for (Walk& walk : walks) {
        if (walk.is_final) continue;
        const bool at_end = walk.component == index_.fields[&walk - walks.data()].components.size();
        walk.value = at_end ? undefined_.view() : ValueView();
        walk.is_final = true;
      }
      return expand(std::move(walks));
    }
    for (const bson::Element& element : elements) {
      std::vector<Walk> branch = walks;
      for (std::size_t field = 0; field < branch.size(); ++field) {
        Walk& walk = branch[field];
        if (walk.is_final) continue;
        walk.value = element.value;
        if (walk.component == index_.fields[field].components.size()) {
          walk.is_final = true;  // nested arrays are kept whole
        } else if (element.value.type() == Type::kArray) {
          step_into_nested(field, walk);
        }
      }
      RESTITCH_CHECK(expand(std::move(branch)));
    }
    return {};
  }

  // An array directly inside an array is entered by position only.
  void step_into_nested(std::size_t field, Walk& walk) {
    const auto position = array_position(index_.fields[field].components[walk.component]);
    const ValueView at = position ? element_at(walk.value.get_document(), *position) : ValueView();
    walk.value = at;
    ++walk.component;
    if (at.is_missing()) walk.is_final = true;
  }

  Error parallel_arrays(const std::vector<Walk>& walks, std::size_t second, std::size_t first) {
    const auto name = [&](std::size_t field) {
      return index_.fields[field].components[walks[field].component - 1];
    };
    return mongo_error(171,
                       "cannot index parallel arrays [" + name(second) + "] [" + name(first) + "]");
  }

  Status emit(const std::vector<Walk>& walks) {
    if (index_.sparse) {
      const bool any = std::any_of(walks.begin(), walks.end(),
                                   [](const Walk& walk) { return !walk.value.is_missing(); });
      if (!any) return {};
    }
    IndexKey entry;
    for (std::size_t field = 0; field < walks.size(); ++field) {
      append_index_value(index_.fields[field], index_.collation.get(), walks[field].value,
                         entry.key, &entry.type_bits);
    }
    out_.keys.push_back(std::move(entry));
    return {};
  }

  const Index& index_;
  IndexKeys& out_;
  Value undefined_ = Value::undefined();
};

// Value at a path that meets no array; false when it does.
bool plain_value(View document, const std::vector<std::string>& components, ValueView& out) {
  View at = document;
  for (std::size_t component = 0;; ++component) {
    out = at.find(components[component]);
    if (out.type() == Type::kArray) return false;
    if (component + 1 == components.size()) return true;
    if (out.type() != Type::kObject) {
      out = ValueView();
      return true;
    }
    at = out.get_document();
  }
}

// The common case: no array on any path gives exactly one key. False when an array was met.
bool generate_plain(const Index& index, View document, IndexKeys& out) {
  IndexKey entry;
  bool any = false;
  for (const IndexField& field : index.fields) {
    ValueView value;
    if (!plain_value(document, field.components, value)) return false;
    any = any || !value.is_missing();
    append_index_value(field, index.collation.get(), value, entry.key, &entry.type_bits);
  }
  if (any || !index.sparse) out.keys.push_back(std::move(entry));
  return true;
}

bool has_strings(ValueView value) {
  switch (value.type()) {
    case Type::kString:
    case Type::kSymbol:
    case Type::kObject:
    case Type::kArray:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::int64_t hashed_value(ValueView value) {
  std::string encoded;
  bson::append_key(encoded, value);
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a, then a finalizer that spreads the bits
  for (const char byte : encoded) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
  }
  hash ^= hash >> 33U;
  hash *= 0xFF51AFD7ED558CCDULL;
  hash ^= hash >> 33U;
  return static_cast<std::int64_t>(hash);
}

void append_index_value(const IndexField& field, const query::Collation* collation, ValueView value,
                        std::string& key, std::string* type_bits) {
  Value replaced;
  if (collation != nullptr && has_strings(value)) {
    replaced = query::collated(value, *collation);
    value = replaced.view();
  }
  if (field.hashed) {
    replaced = Value::of(hashed_value(value));
    value = replaced.view();
  }
  bson::append_key(key, value, field.descending);
  if (type_bits != nullptr) bson::append_type_bits(*type_bits, value);
}

Status generate_keys(const Index& index, View document, IndexKeys& out) {
  out.clear();
  if (index.partial) {
    RESTITCH_TRY(const bool matches, index.partial->filter->matches(document));
    if (!matches) return {};
  }
  if (generate_plain(index, document, out)) return {};
  out.clear();
  if (index.is_hashed()) {
    for (const IndexField& field : index.fields) {
      ValueView value;
      if (field.hashed && !plain_value(document, field.components, value)) {
        return mongo_error(16766, "hashed indexes do not currently support array values");
      }
    }
  }
  return KeyGenerator(index, out).run(document);
}

Document decode_index_key(const Index& index, std::string_view key, std::string_view type_bits) {
  Builder builder;
  for (const IndexField& field : index.fields) {
    auto value = bson::decode_key(key, type_bits, field.descending);
    if (!value) break;
    if (value->is_missing()) {
      builder.append(field.path, bson::Null{});
    } else {
      builder.append(field.path, *value);
    }
  }
  return std::move(builder).finish();
}

}  // namespace restitch::datasource::embedded
