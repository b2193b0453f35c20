#include "datasource/embedded/pipeline_writes.h"

#include "bson/compare.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/internal_command.h"
#include "datasource/embedded/schema_changes.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::ValueView;
using bson::View;
using WhenMatched = query::MergeSpec::WhenMatched;
using WhenNotMatched = query::MergeSpec::WhenNotMatched;

constexpr std::size_t kBatchBytes = 8U << 20U;
constexpr std::size_t kBatchCount = 1000;

// The first error of a reply to an internal command.
Status status_of(Result<Document> reply) {
  if (!reply) return std::move(reply).error();
  if (auto error = error_of_reply(*reply)) return std::move(*error);
  return {};
}

class BatchInsert {
 public:
  BatchInsert(Services& services, Namespace ns, bool bypasses_validation)
      : services_(services), ns_(std::move(ns)), bypasses_validation_(bypasses_validation) {}

  Status add(Document document) {
    bytes_ += document.bytes().size();
    documents_.push_back(std::move(document));
    if (bytes_ < kBatchBytes && documents_.size() < kBatchCount) return {};
    return flush();
  }

  Status flush() {
    if (documents_.empty()) return {};
    Builder command;
    command.append("insert", ns_.collection);
    command.open_array("documents");
    for (const Document& document : documents_) command.push(document);
    command.close();
    command.append("bypassDocumentValidation", bypasses_validation_);
    documents_.clear();
    bytes_ = 0;
    return status_of(run_internal(services_, ns_.database, std::move(command).finish()));
  }

 private:
  Services& services_;
  Namespace ns_;
  bool bypasses_validation_;
  std::vector<Document> documents_;
  std::size_t bytes_ = 0;
};

// Members of the reply's first write error that are no part of an Error: keyPattern, keyValue,
// errInfo.
Document extra_of_reply(View reply) {
  Builder extra;
  const auto errors = reply["writeErrors"].as_array();
  if (!errors || errors->empty()) return Document();
  const View error = errors->begin()->value.get_document();
  for (const bson::Element& element : error) {
    if (element.name != "index" && element.name != "code" && element.name != "errmsg") {
      extra.append(element.name, element.value);
    }
  }
  return std::move(extra).finish();
}

// Whether some unique index is exactly on these fields.
bool has_unique_index(const Collection& collection, const std::vector<std::string>& on) {
  for (const IndexPtr& index : collection.indexes) {
    if (!index->unique || index->is_building || index->partial ||
        index->fields.size() != on.size()) {
      continue;
    }
    const bool all = std::all_of(on.begin(), on.end(), [&](const std::string& path) {
      return std::any_of(index->fields.begin(), index->fields.end(),
                         [&](const IndexField& field) { return field.path == path; });
    });
    if (all) return true;
  }
  return false;
}

Status append_on(Builder& query, const query::MergeSpec& spec, View document) {
  for (const std::string& path : spec.on) {
    const ValueView value = document.find_path(path);
    if (value.type() == bson::Type::kArray) {
      return mongo_error(51185, "$merge write error: 'on' field '" + path + "' is an array");
    }
    if (value.is_nullish()) {
      return mongo_error(51132,
                         "$merge write error: 'on' field cannot be missing, null, undefined "
                         "or an array");
    }
    query.open_object(path).append("$eq", value).close();
  }
  return {};
}

Document with_id(View document) {
  if (document.contains("_id")) return Document(document);
  Builder builder;
  builder.append("_id", bson::ObjectId::generate());
  builder.append_all(document);
  return std::move(builder).finish();
}

// {$replaceWith: {$mergeObjects: ["$$ROOT", document]}} as one update stage array element.
void append_update(Builder& statement, const query::MergeSpec& spec, View document,
                   View let_values) {
  switch (spec.when_matched) {
    case WhenMatched::kReplace:
      statement.append("u", document);
      break;
    case WhenMatched::kMerge: {
      statement.open_array("u").push_object().open_object("$replaceWith");
      statement.open_array("$mergeObjects");
      statement.push("$$ROOT");
      statement.push_object().append("$literal", document).close();
      statement.close().close().close().close();
      break;
    }
    case WhenMatched::kPipeline: {
      statement.append_array("u", spec.pipeline);
      statement.open_object("c");
      statement.append_all(let_values);
      if (!let_values.contains("new")) statement.append("new", document);
      statement.close();
      break;
    }
    case WhenMatched::kKeepExisting:
    case WhenMatched::kFail: {
      statement.open_object("u").append("$setOnInsert", document).close();
      break;
    }
  }
}

}  // namespace

Status write_out(Services& services, const Namespace& target, query::DocumentStream& input,
                 bool bypasses_validation) {
  RESTITCH_CHECK(check_namespace(target.database, target.collection));
  const CollectionPtr former = services.catalog->find(target.database, target.collection);
  if (former && former->is_capped) {
    return mongo_error(17152,
                       "namespace '" + target.full() + "' is capped so it can't be used for $out");
  }
  if (former && former->is_view()) {
    return mongo_error(code::kViewError,
                       "Namespace " + target.full() + " is a view, not a collection");
  }
  const Namespace temporary{target.database, "tmp.agg_out." + bson::ObjectId::generate().to_hex()};
  RESTITCH_CHECK(create_like(services, temporary, former));
  const auto fill = [&]() -> Status {
    BatchInsert insert(services, temporary, bypasses_validation);
    for (;;) {
      RESTITCH_TRY(auto document, input.next());
      if (!document) break;
      RESTITCH_CHECK(insert.add(with_id(*document)));
    }
    return insert.flush();
  };
  Status filled = fill();
  if (filled) filled = replace_collection(services, temporary, target);
  if (!filled) drop_quietly(services, temporary);
  return filled;
}

Status write_merge(Services& services, const query::MergeSpec& spec, View document, View let_values,
                   bool bypasses_validation, Document* error_extra) {
  const CollectionPtr target = services.catalog->find(spec.database, spec.collection);
  const bool is_on_id = spec.on.size() == 1 && spec.on.front() == "_id";
  if (!is_on_id && (!target || !has_unique_index(*target, spec.on))) {
    return mongo_error(51183, "Cannot find index to verify that join fields will be unique");
  }
  const Document stored = is_on_id ? with_id(document) : Document(document);
  const auto run = [&](Document write) -> Result<Document> {
    RESTITCH_TRY(Document reply, run_internal(services, spec.database, std::move(write)));
    auto error = error_of_reply(reply);
    if (!error) return reply;
    if (error_extra != nullptr) *error_extra = extra_of_reply(reply);
    return std::move(*error);
  };
  const auto insert = [&]() -> Status {
    Builder command;
    command.append("insert", spec.collection);
    command.open_array("documents").push(with_id(stored)).close();
    command.append("bypassDocumentValidation", bypasses_validation);
    return status_of(run(std::move(command).finish()));
  };
  if (spec.when_matched == WhenMatched::kFail && spec.when_not_matched == WhenNotMatched::kInsert) {
    return insert();
  }
  Builder command;
  command.append("update", spec.collection);
  command.open_array("updates").push_object();
  command.open_object("q");
  RESTITCH_CHECK(append_on(command, spec, stored));
  command.close();
  append_update(command, spec, stored, let_values);
  const bool inserts = spec.when_not_matched == WhenNotMatched::kInsert;
  // A pipeline or merge that matches nothing inserts the document itself, as a second step.
  const bool upserts = inserts && (spec.when_matched == WhenMatched::kReplace ||
                                   spec.when_matched == WhenMatched::kKeepExisting ||
                                   spec.when_matched == WhenMatched::kFail);
  command.append("upsert", upserts);
  command.close().close();
  command.append("bypassDocumentValidation", bypasses_validation);
  RESTITCH_TRY(const Document reply, run(std::move(command).finish()));
  const bool was_upserted = reply["upserted"].as_array().has_value();
  const bool was_matched = reply["n"].as_integer().value_or(0) > 0 && !was_upserted;
  if (was_matched) {
    if (spec.when_matched == WhenMatched::kFail) {
      return Error(ErrorCode::kDuplicateKey, code::kDuplicateKey,
                   "$merge failed due to a DuplicateKey error :: caused by :: a document matches");
    }
    return {};
  }
  if (was_upserted) return {};
  if (spec.when_not_matched == WhenNotMatched::kFail) {
    return mongo_error(13113,
                       "$merge could not find a matching document in the target collection for at "
                       "least one document in the source collection");
  }
  if (spec.when_not_matched == WhenNotMatched::kDiscard) return {};
  return insert();
}

}  // namespace restitch::datasource::embedded
