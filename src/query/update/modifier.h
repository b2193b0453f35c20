#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

// What an application of an update to one document works with.
struct ApplyContext {
  const CommandContext& command;
  bson::View document;     // pre-image
  bool inserting = false;  // building the document of an upsert
};

// The place a modifier acts on.
struct UpdateTarget {
  const ApplyContext& context;
  bson::ValueView value;   // missing if there is none
  std::string_view field;  // last component of the path
};

// What a modifier wants done to its target.
struct Change {
  enum class Kind : std::uint8_t { kNone, kSet, kRemove };

  static Change none() { return {}; }
  static Change remove() { return {Kind::kRemove, nullptr, {}, {}}; }
  static Change set(bson::Value value) { return {Kind::kSet, nullptr, std::move(value), {}}; }
  // `value` must outlive the change.
  static Change set_borrowed(const bson::Value& value) { return {Kind::kSet, &value, {}, {}}; }

  bson::ValueView value() const { return borrowed != nullptr ? borrowed->view() : owned.view(); }

  Kind kind = Kind::kNone;
  const bson::Value* borrowed = nullptr;
  bson::Value owned;
  // The new array is the old one with elements added from this index on.
  std::optional<std::size_t> appended_from;
};

// What happens when a path runs through something that is neither an object nor a fitting array.
enum class BrokenPath : std::uint8_t { kCannotCreate, kCannotTraverse, kIgnore };

// One operator of an update on one path. Immutable, thread-safe.
class Modifier {
 public:
  virtual ~Modifier() = default;
  virtual Result<Change> apply(const UpdateTarget& target) const = 0;
  // Whether it may act where nothing is.
  virtual bool creates() const { return true; }
  virtual BrokenPath on_broken_path(const ApplyContext&) const { return BrokenPath::kCannotCreate; }
  // Nesting below the target that the result may have.
  virtual int depth() const { return 0; }
};
using ModifierPtr = std::unique_ptr<Modifier>;

// "_id: 1", or "no id": how messages name a document.
std::string document_id_text(bson::View document);

// Levels of nesting inside a value: 0 for a scalar.
int nesting_of(bson::ValueView value);

// The modifier of one operator for one field. `element` is the operator's member: path and operand.
// $rename is not among them. Errors are those of parsing.
Result<ModifierPtr> make_modifier(std::string_view operator_name, const bson::Element& element,
                                  const CommandContext& context);
bool is_update_operator(std::string_view name);

Result<ModifierPtr> make_arithmetic(std::string_view operator_name, const bson::Element& element);
Result<ModifierPtr> make_bit(const bson::Element& element);
Result<ModifierPtr> make_push(bson::ValueView operand, const CommandContext& context);
Result<ModifierPtr> make_add_to_set(bson::ValueView operand, const CommandContext& context);
Result<ModifierPtr> make_pop(const bson::Element& element);
Result<ModifierPtr> make_pull(bson::ValueView operand, const CommandContext& context);
Result<ModifierPtr> make_pull_all(bson::ValueView operand, const CommandContext& context);

}  // namespace restitch::query
