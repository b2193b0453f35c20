#include "query/pipeline/group_stage.h"

#include "query/expression/value_set.h"
#include "query/pipeline/spec_stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

class GroupStream final : public FilledStream {
 public:
  GroupStream(DocumentStreamPtr input, const Expression& id, std::span<const GroupField> fields,
              RunPtr run)
      : FilledStream(std::move(input), std::move(run)),
        id_(id),
        fields_(fields),
        groups_(make_value_container<ValueMap<GroupState>>(command().comparator)) {}

 private:
  using Groups = ValueMap<GroupState>;

  Result<std::optional<Document>> take() override {
    if (at_ == order_.size()) return std::optional<Document>();
    const auto& [id, state] = *order_[at_++];
    bson::Builder builder;
    builder.append("_id", id);
    state.append_results(fields_, builder);
    return std::optional(std::move(builder).finish());
  }

  Status fill(StreamReader& input) override {
    while (true) {
      RESTITCH_TRY(const auto document, input.next_view());
      if (!document) return {};
      EvalContext context = run().evaluation(*document);
      Value storage;
      RESTITCH_TRY(ValueView id, id_.peek(context, storage));
      if (id.is_missing()) id = ValueView(Type::kNull, nullptr, 0);
      RESTITCH_TRY(GroupState * group, group_of(id));
      RESTITCH_TRY(const std::int64_t growth, group->feed(fields_, context));
      if (!hold(growth)) {
        return mongo_error(292,
                           "Exceeded memory limit for $group, but didn't allow external sort. Pass "
                           "allowDiskUse:true to opt in.");
      }
    }
  }

  Result<GroupState*> group_of(ValueView id) {
    if (const auto found = groups_.find(id); found != groups_.end()) return &found->second;
    EvalContext context = run().evaluation(id.as_object().value_or(bson::View()));
    RESTITCH_TRY(GroupState state, GroupState::start(fields_, context));
    const auto inserted = groups_.emplace(Value(id), std::move(state)).first;
    order_.push_back(&*inserted);
    constexpr std::int64_t kPerGroup = 160;
    constexpr std::int64_t kPerField = 96;
    hold(kPerGroup + static_cast<std::int64_t>(id.raw().size()) +
         kPerField * static_cast<std::int64_t>(fields_.size()));
    return &inserted->second;
  }

  const Expression& id_;
  std::span<const GroupField> fields_;
  Groups groups_;
  std::vector<const Groups::value_type*> order_;  // as first met
  std::size_t at_ = 0;
};

Status make_group(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto spec = element.value.as_object();
  if (!spec) return mongo_error(15947, "a group's fields must be specified in an object");
  ExpressionPtr id;
  std::vector<GroupField> fields;
  for (const bson::Element& member : *spec) {
    if (member.name == "_id") {
      if (id) return mongo_error(15948, "a group's _id may only be specified once");
      RESTITCH_TRY(id, compiler.expression(member.value));
    } else if (member.name == "$doingMerge") {
      return mongo_error(17030, "$doingMerge should be true if present");
    } else {
      RESTITCH_TRY(GroupField field, compile_group_field(member, compiler));
      fields.push_back(std::move(field));
    }
  }
  if (!id) return mongo_error(15955, "a group specification must include an _id");
  out.push_back(std::make_shared<GroupStage>(std::move(id), std::move(fields)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$group", make_group}};

}  // namespace

Result<DocumentStreamPtr> GroupStage::open(DocumentStreamPtr input, const RunPtr& run) const {
  return DocumentStreamPtr(std::make_unique<GroupStream>(std::move(input), *id_, fields_, run));
}

bool GroupStage::ignores_contents() const {
  if (!id_->constant()) return false;
  for (const GroupField& field : fields_) {
    if (!field.plan->ignores_contents()) return false;
  }
  return true;
}

StageTable group_stages() { return kStages; }

}  // namespace restitch::query
