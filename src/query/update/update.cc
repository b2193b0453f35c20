#include "query/update/update.h"

#include "bson/compare.h"
#include "query/element_text.h"
#include "query/pipeline/pipeline.h"
#include "query/update/applier.h"
#include "query/update/diff.h"
#include "query/update/stored_document.h"
#include "query/update/update_tree.h"
#include "query/update/upsert.h"

namespace restitch::query {
namespace {

bson::Timestamp current_timestamp(const CommandContext& context) {
  if (context.cluster_time != bson::Timestamp{}) return context.cluster_time;
  return {static_cast<std::uint32_t>(context.now.millis / 1000), 1};
}

Error id_altered(bson::ValueView id) {
  return mongo_error(
      66,
      "After applying the update, the (immutable) field '_id' was found to have been "
      "altered to " +
          element_text("_id", id));
}

// The post-image must have the _id of the pre-image.
Status check_same_id(bson::View before, bson::View after) {
  const bson::ValueView old_id = before["_id"];
  if (old_id.is_missing()) return {};
  const bson::ValueView new_id = after["_id"];
  return bson::equal(old_id, new_id) ? Status() : Status(id_altered(new_id));
}

Updated unchanged(bson::View document) { return {bson::Document(document), false, {}, false, {}}; }

Updated described(bson::Document result, const ChangeLog& log) {
  Updated updated;
  updated.description = log.describe(result);
  updated.disambiguated_paths = log.disambiguate();
  updated.document = std::move(result);
  updated.modified = true;
  return updated;
}

// An insertable document: _id first, made if there is none.
Result<bson::Document> finish_upsert(bson::Document document) {
  const bson::ValueView id = document["_id"];
  if (id.is_missing()) {
    document = with_id_first(bson::Value::of(bson::ObjectId::generate()), document, std::nullopt);
  } else {
    RESTITCH_CHECK(check_id(id));
    if (document.view().begin()->name != "_id") {
      document = with_id_first(id, document, std::nullopt);
    }
  }
  RESTITCH_CHECK(check_depth(document));
  RESTITCH_CHECK(check_size(document, TooLarge::kUpsert));
  return document;
}

}  // namespace

// One of the three styles.
struct Update::Impl {
  explicit Impl(const CommandContext& command) : context(command) {}
  virtual ~Impl() = default;
  virtual UpdateStyle style() const = 0;
  virtual Result<Updated> apply(bson::View document, const MatchDetails& details) const = 0;
  virtual Result<bson::Document> upsert(const Filter& filter) const = 0;

  const CommandContext& context;
};

namespace {

class OperatorsImpl final : public Update::Impl {
 public:
  OperatorsImpl(OperatorUpdate update, const CommandContext& command)
      : Impl(command), update_(std::move(update)) {}

  UpdateStyle style() const override { return UpdateStyle::kOperators; }

  Result<Updated> apply(bson::View document, const MatchDetails& details) const override {
    const ApplyContext apply_context{context, document, false};
    UpdateApplier applier(update_, apply_context, details.array_index);
    RESTITCH_TRY(bson::Document result, applier.run());
    if (!applier.changed()) return unchanged(document);
    RESTITCH_CHECK(check(document, result));
    RESTITCH_CHECK(check_size(result, TooLarge::kUpdate));
    return described(std::move(result), applier.log());
  }

  Result<bson::Document> upsert(const Filter& filter) const override {
    RESTITCH_TRY(const bson::Document base, document_from_query(filter));
    const ApplyContext apply_context{context, base, true};
    UpdateApplier applier(update_, apply_context, std::nullopt);
    RESTITCH_TRY(bson::Document result, applier.run());
    RESTITCH_CHECK(check(base, result));
    return finish_upsert(std::move(result));
  }

 private:
  Status check(bson::View before, bson::View after) const {
    if (!update_.id_path.empty()) {
      const bson::ValueView old_id = before["_id"];
      if (!old_id.is_missing() && !bson::equal(old_id, after["_id"])) {
        return mongo_error(66, "Performing an update on the path '" + update_.id_path +
                                   "' would modify the immutable field '_id'");
      }
      RESTITCH_CHECK(check_id(after["_id"]));
    }
    if (!update_.dollar_field.empty()) RESTITCH_CHECK(check_top_level_names(after));
    if (update_.depth > bson::kMaxDepth) RESTITCH_CHECK(check_depth(after));
    return {};
  }

  OperatorUpdate update_;
};

class ReplacementImpl final : public Update::Impl {
 public:
  ReplacementImpl(bson::View replacement, const CommandContext& command,
                  bool keeps_empty_timestamps)
      : Impl(command), replacement_(replacement), keeps_empty_timestamps_(keeps_empty_timestamps) {}

  UpdateStyle style() const override { return UpdateStyle::kReplacement; }

  Result<Updated> apply(bson::View document, const MatchDetails&) const override {
    // Only a replacement sent with the _id can be equal to what is stored.
    if (replacement_.bytes() == document.bytes()) return unchanged(document);
    RESTITCH_TRY(bson::Document result, with_id(document["_id"]));
    RESTITCH_CHECK(check_size(result, TooLarge::kUpdate));
    return Updated{std::move(result), true, {}, true, {}};
  }

  Result<bson::Document> upsert(const Filter& filter) const override {
    RESTITCH_TRY(const bson::Value id, id_from_query(filter));
    RESTITCH_TRY(bson::Document result, with_id(id));
    return finish_upsert(std::move(result));
  }

 private:
  Result<bson::Document> with_id(bson::ValueView id) const {
    const bson::ValueView sent = replacement_["_id"];
    if (!sent.is_missing()) {
      RESTITCH_CHECK(check_id(sent));
      if (!id.is_missing() && !bson::equal(id, sent)) return id_altered(sent);
    }
    std::optional<bson::Timestamp> now;
    if (!keeps_empty_timestamps_) now = current_timestamp(context);
    return with_id_first(id.is_missing() ? sent : id, replacement_, now);
  }

  bson::Document replacement_;
  bool keeps_empty_timestamps_;
};

class PipelineImpl final : public Update::Impl {
 public:
  PipelineImpl(const CommandContext& command, bson::View constants)
      : Impl(command), own_context_(command) {
    if (constants.empty()) return;
    bson::Builder let;
    let.append_all(constants);
    for (const bson::Element& element : command.let.view()) {
      if (!constants.contains(element.name)) let.append(element.name, element.value);
    }
    own_context_.let = std::move(let).finish();
  }

  Status compile(bson::View stages) {
    PipelineOptions options;
    options.use = PipelineUse::kUpdate;
    RESTITCH_TRY(pipeline_, Pipeline::compile(stages, own_context_, std::move(options)));
    return {};
  }

  UpdateStyle style() const override { return UpdateStyle::kPipeline; }

  Result<Updated> apply(bson::View document, const MatchDetails&) const override {
    RESTITCH_TRY(bson::Document result, transformed(document));
    if (result.bytes() == document.bytes()) return unchanged(document);
    RESTITCH_CHECK(check_same_id(document, result));
    RESTITCH_CHECK(check_depth(result));
    RESTITCH_CHECK(check_size(result, TooLarge::kUpdate));
    const auto difference = diff_documents(document, result);
    if (!difference) return Updated{std::move(result), true, {}, true, {}};
    return described(std::move(result), *difference);
  }

  Result<bson::Document> upsert(const Filter& filter) const override {
    RESTITCH_TRY(const bson::Document base, document_from_query(filter));
    RESTITCH_TRY(bson::Document result, transformed(base));
    RESTITCH_CHECK(check_same_id(base, result));
    return finish_upsert(std::move(result));
  }

 private:
  // A pipeline that puts another document in the place of this one keeps the _id, as a replacement
  // does.
  Result<bson::Document> transformed(bson::View document) const {
    RESTITCH_TRY(bson::Document result, pipeline_.transform(document));
    const bson::ValueView id = document["_id"];
    if (id.is_missing() || result.view().contains("_id")) return result;
    return with_id_first(id, result, std::nullopt);
  }

  CommandContext own_context_;
  Pipeline pipeline_;
};

using ImplPtr = std::shared_ptr<const Update::Impl>;

Result<ImplPtr> compile_pipeline(bson::View stages, const CommandContext& context,
                                 const UpdateOptions& options) {
  if (!options.array_filters.empty()) {
    return mongo_error(9, "arrayFilters may not be specified for pipeline-style updates");
  }
  auto impl = std::make_shared<PipelineImpl>(context, options.constants);
  RESTITCH_CHECK(impl->compile(stages));
  return ImplPtr(std::move(impl));
}

Result<ImplPtr> compile_replacement(bson::View document, const CommandContext& context,
                                    const UpdateOptions& options) {
  if (options.multi) {
    return mongo_error(9, "multi update is not supported for replacement-style update");
  }
  if (!options.array_filters.empty()) {
    return mongo_error(9, "arrayFilters may not be specified for replacement-style updates");
  }
  RESTITCH_CHECK(check_top_level_names(document));
  RESTITCH_CHECK(check_depth(document));
  return ImplPtr(
      std::make_shared<ReplacementImpl>(document, context, options.keeps_empty_timestamps));
}

}  // namespace

Result<Update> Update::compile(bson::ValueView update, const CommandContext& context,
                               const UpdateOptions& options) {
  Update compiled;
  if (const auto stages = update.as_array()) {
    RESTITCH_TRY(compiled.impl_, compile_pipeline(*stages, context, options));
    return compiled;
  }
  if (!options.constants.empty()) {
    return mongo_error(51198, "Constant values may only be specified for pipeline updates");
  }
  const auto document = update.as_object();
  if (!document) {
    return mongo_error(9, "Update argument must be either an object or an array");
  }
  if (document->empty() || document->begin()->name.substr(0, 1) != "$") {
    RESTITCH_TRY(compiled.impl_, compile_replacement(*document, context, options));
    return compiled;
  }
  RESTITCH_TRY(OperatorUpdate operators,
               parse_operators(*document, options.array_filters, context));
  compiled.impl_ = std::make_shared<OperatorsImpl>(std::move(operators), context);
  return compiled;
}

UpdateStyle Update::style() const { return impl_->style(); }

Result<Updated> Update::apply(bson::View document, const MatchDetails& details) const {
  return impl_->apply(document, details);
}

Result<bson::Document> Update::upsert_document(const Filter& filter, bson::View) const {
  return impl_->upsert(filter);
}

}  // namespace restitch::query
