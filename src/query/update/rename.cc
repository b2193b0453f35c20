#include "query/update/rename.h"

#include "query/element_text.h"
#include "query/path.h"
#include "query/update/update_tree.h"

namespace restitch::query {
namespace {

class RenameSource final : public Modifier {
 public:
  Result<Change> apply(const UpdateTarget& target) const override {
    return target.value.is_missing() ? Change::none() : Change::remove();
  }
  bool creates() const override { return false; }
  BrokenPath on_broken_path(const ApplyContext&) const override { return BrokenPath::kIgnore; }
};

class RenameTarget final : public Modifier {
 public:
  explicit RenameTarget(std::string from) : from_(std::move(from)) {}

  Result<Change> apply(const UpdateTarget& target) const override {
    const bson::ValueView value = target.context.document.find_path(from_);
    return value.is_missing() ? Change::none() : Change::set(bson::Value(value));
  }
  BrokenPath on_broken_path(const ApplyContext& context) const override {
    const bool acts = !context.document.find_path(from_).is_missing();
    return acts ? BrokenPath::kCannotCreate : BrokenPath::kIgnore;
  }
  // What is moved is not known before.
  int depth() const override { return bson::kMaxDepth; }

 private:
  std::string from_;
};

Error array_on_path(std::string_view role, const std::string& path, std::string_view array,
                    bson::View document) {
  return mongo_error(2, "The " + std::string(role) + " field cannot be an array element, '" + path +
                            "' in doc with " + document_id_text(document) +
                            " has an array field called '" + std::string(array) + "'");
}

// Whether the source is there.
Result<bool> check_source(const Rename& rename, bson::View document) {
  bson::ValueView value = document.find(rename.from.front());
  std::string_view array;
  for (std::size_t i = 1; i < rename.from.size() && !value.is_missing(); ++i) {
    const std::string& component = rename.from[i];
    if (value.type() == bson::Type::kObject) {
      value = value.get_document().find(component);
      continue;
    }
    const auto index = array_index(component);
    if (value.type() != bson::Type::kArray || !index) {
      return mongo_error(28, "cannot use the part (" + rename.from[i - 1] + " of " +
                                 rename.from_path + ") to traverse the element ({" +
                                 element_text(rename.from[i - 1], value) + "})");
    }
    if (array.empty()) array = rename.from[i - 1];
    value = array_element(value.get_document(), *index);
  }
  if (value.is_missing()) return false;
  if (!array.empty()) return array_on_path("source", rename.from_path, array, document);
  return true;
}

Status check_target(const Rename& rename, bson::View document) {
  bson::ValueView value = document.find(rename.to.front());
  for (std::size_t i = 1; i < rename.to.size(); ++i) {
    if (value.type() == bson::Type::kArray) {
      return array_on_path("destination", rename.to_path, rename.to[i - 1], document);
    }
    if (value.type() != bson::Type::kObject) return {};
    value = value.get_document().find(rename.to[i]);
  }
  return {};
}

}  // namespace

ModifierPtr make_rename_source() { return std::make_unique<RenameSource>(); }

ModifierPtr make_rename_target(std::string from_path) {
  return std::make_unique<RenameTarget>(std::move(from_path));
}

Status check_renames(const OperatorUpdate& update, bson::View document) {
  for (const Rename& rename : update.renames) {
    RESTITCH_TRY(const bool exists, check_source(rename, document));
    if (exists) RESTITCH_CHECK(check_target(rename, document));
  }
  return {};
}

}  // namespace restitch::query
