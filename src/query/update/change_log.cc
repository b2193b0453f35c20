#include "query/update/change_log.h"

#include <map>
#include <unordered_map>

#include "query/path.h"

namespace restitch::query {
namespace {

// The first values of an object's fields, of which many or few are asked for.
class Fields {
 public:
  Fields(bson::View object, std::size_t asked) : object_(object) {
    constexpr std::size_t kSearched = 8;
    if (asked <= kSearched) return;
    for (const bson::Element& element : object) table_.emplace(element.name, element.value);
  }
  bson::ValueView find(std::string_view name) const {
    if (table_.empty()) return object_.find(name);
    const auto found = table_.find(name);
    return found == table_.end() ? bson::ValueView() : found->second;
  }

 private:
  bson::View object_;
  std::unordered_map<std::string_view, bson::ValueView> table_;
};

}  // namespace

ChangeLog& ChangeLog::child(std::string_view name, bool is_array) {
  if (const auto place = places_.find(children_, name)) return *children_[*place].log;
  add_child(name, ChangeLog(is_array));
  return *children_.back().log;
}

void ChangeLog::add_child(std::string_view name, ChangeLog child) {
  children_.push_back({std::string(name), std::make_unique<ChangeLog>(std::move(child))});
  places_.note_last(children_);
}

bson::Document ChangeLog::describe(bson::View post_image) const {
  bson::Builder out;
  out.open_object("updatedFields");
  append_updated(post_image, "", out);
  out.close();
  out.open_array("removedFields");
  append_removed("", out);
  out.close();
  out.open_array("truncatedArrays");
  append_truncated("", out);
  out.close();
  return std::move(out).finish();
}

bson::Document ChangeLog::disambiguate() const {
  bson::Builder out;
  Components path;
  append_ambiguous(path, out);
  return std::move(out).finish();
}

void ChangeLog::append_ambiguous(Components& path, bson::Builder& out) const {
  if (new_size_) append_if_ambiguous(path, out);
  for (const auto* names : {&updated_, &inserted_, &removed_}) {
    for (const std::string& name : *names) {
      path.push_back({name, is_array_});
      append_if_ambiguous(path, out);
      path.pop_back();
    }
  }
  for (const auto& [name, log] : children_) {
    path.push_back({name, is_array_});
    log->append_ambiguous(path, out);
    path.pop_back();
  }
}

void ChangeLog::append_if_ambiguous(const Components& path, bson::Builder& out) {
  bool ambiguous = false;
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto& [name, is_index] = path[i];
    if (i != 0) text += '.';
    text += name;
    if (is_index) continue;
    const bool is_number =
        !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    ambiguous = ambiguous || name.find('.') != std::string_view::npos || (i != 0 && is_number);
  }
  if (!ambiguous) return;
  out.open_array(text);
  for (const auto& [name, is_index] : path) {
    if (is_index) {
      out.push(static_cast<std::int32_t>(array_index(name).value_or(0)));
    } else {
      out.push(name);
    }
  }
  out.close();
}

void ChangeLog::append_updated(bson::View post, const std::string& prefix,
                               bson::Builder& out) const {
  if (is_array_) return append_elements(post, prefix, out);
  const Fields fields(post, updated_.size() + inserted_.size() + children_.size());
  for (const std::string& name : updated_) out.append(prefix + name, fields.find(name));
  for (const std::string& name : inserted_) out.append(prefix + name, fields.find(name));
  for (const auto& [name, log] : children_) {
    log->append_updated(fields.find(name).get_document(), prefix + name + ".", out);
  }
}

// Elements of an array come in the order of their positions.
void ChangeLog::append_elements(bson::View post, const std::string& prefix,
                                bson::Builder& out) const {
  std::map<std::size_t, const ChangeLog*> changed;  // null: the whole element
  for (const std::string& name : updated_) changed.emplace(array_index(name).value_or(0), nullptr);
  for (const auto& [name, log] : children_) {
    changed.emplace(array_index(name).value_or(0), log.get());
  }
  auto next = changed.begin();
  std::size_t position = 0;
  for (const bson::Element& element : post) {
    if (next == changed.end()) return;
    if (next->first == position) {
      const std::string path = prefix + std::to_string(position);
      if (next->second == nullptr) {
        out.append(path, element.value);
      } else {
        next->second->append_updated(element.value.get_document(), path + ".", out);
      }
      ++next;
    }
    ++position;
  }
}

void ChangeLog::append_removed(const std::string& prefix, bson::Builder& out) const {
  for (const std::string& name : removed_) out.push(prefix + name);
  for (const auto& [name, log] : children_) log->append_removed(prefix + name + ".", out);
}

void ChangeLog::append_truncated(const std::string& prefix, bson::Builder& out) const {
  if (new_size_) {
    out.push_object()
        .append("field", std::string_view(prefix).substr(0, prefix.size() - 1))
        .append("newSize", *new_size_)
        .close();
  }
  for (const auto& [name, log] : children_) log->append_truncated(prefix + name + ".", out);
}

}  // namespace restitch::query
