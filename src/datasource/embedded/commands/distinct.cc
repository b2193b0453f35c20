#include <unordered_set>

#include "bson/compare.h"
#include "datasource/embedded/catalog.h"
#include "datasource/embedded/commands/distinct_values.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/paths.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;
using bson::View;

// Calls `give` for every value that the path leads to: arrays are entered at every step, by
// elements and by position, and the last array is unwound once.
template <typename Give>
void each_value(ValueView value, const std::vector<std::string>& path, std::size_t at,
                const Give& give) {
  if (at == path.size()) {
    if (value.type() == Type::kArray) {
      for (const bson::Element& element : value.get_document()) give(element.value);
    } else if (!value.is_missing()) {
      give(value);
    }
    return;
  }
  if (value.type() == Type::kObject) {
    each_value(value.get_document().find(path[at]), path, at + 1, give);
  } else if (value.type() == Type::kArray) {
    const auto position = array_position(path[at]);
    std::size_t index = 0;
    for (const bson::Element& element : value.get_document()) {
      if (position == index++) each_value(element.value, path, at + 1, give);
      if (element.value.type() == Type::kObject) {
        each_value(element.value.get_document().find(path[at]), path, at + 1, give);
      }
    }
  }
}

}  // namespace

DistinctValues::DistinctValues(std::string_view key, const query::Comparator& comparator)
    : path_(split_path(key)),
      comparator_(comparator),
      seen_(0, Hash{&comparator_}, Equal{&comparator_}) {}

Status DistinctValues::add(View document) {
  bool is_too_large = false;
  each_value(ValueView(Type::kObject, document.data(), document.size()), path_, 0,
             [&](ValueView value) {
               const auto [at, is_new] = seen_.emplace(value);
               if (!is_new) return;
               bytes_ += value.raw().size() + 10;
               is_too_large = is_too_large || bytes_ > bson::kMaxDocumentBytes;
               order_.push_back(&*at);
             });
  if (is_too_large) return mongo_error(17217, "distinct too big, 16mb cap");
  return {};
}

Document DistinctValues::reply() const {
  bson::Builder builder;
  builder.open_array("values");
  for (const Value* value : order_) builder.push(*value);
  builder.close();
  return std::move(builder).finish();
}

std::size_t distinct_scan_fields(const QueryPlan& plan, std::string_view key) {
  if (plan.access != Access::kIndexScan || plan.scans.front().is_point_lookup) return 0;
  const Index& index = *plan.scans.front().index;
  if (index.collation) return 0;
  for (std::size_t field = 0; field < index.fields.size(); ++field) {
    if (index.fields[field].path != key) continue;
    return index.fields[field].hashed || index.multikey_bits(field) != 0 ? 0 : field + 1;
  }
  return 0;
}

Result<Document> run_distinct(Operation& operation) {
  RESTITCH_TRY(const std::string name, operation.collection_name());
  ++operation.services.queries;
  const Fields fields = operation.fields();
  RESTITCH_TRY(const std::string_view key, fields.required_string("key"));
  RESTITCH_TRY(const View query, fields.object("query"));
  if (key.find('\0') != std::string_view::npos) {
    return mongo_error(31032, "Key field cannot contain an embedded null byte");
  }
  operation.reader();
  RESTITCH_TRY(const CollectionPtr collection, operation.find_collection(operation.database, name));
  if (collection && collection->is_view()) return run_distinct_on_view(operation, collection);
  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  const query::Comparator comparator = context->comparator;
  FindRequest request;
  request.filter = query;
  request.hint = fields["hint"];
  read_from(operation, request);
  request.distinct_key = key;
  RESTITCH_TRY(auto stream, FindStream::make(collection, request, std::move(context)));
  attach_stream(operation, *stream);
  const std::size_t skipped = distinct_scan_fields(stream->plan(), key);
  DistinctValues values(key, comparator);
  for (;;) {
    RESTITCH_TRY(const bool found, stream->next());
    if (!found) break;
    RESTITCH_CHECK(values.add(stream->document()));
    // Missing and null share a key, but only one of them is a value.
    if (skipped > 0 && !stream->document().find_path(key).is_nullish()) {
      RESTITCH_CHECK(stream->executor().skip_equal(skipped));
    }
  }
  stream->summarize(operation.summary);
  Document reply = values.reply();
  if (!operation.pinned()) return reply;
  bson::Builder builder;
  builder.append_all(reply);
  builder.append("atClusterTime", operation.pinned()->cluster_time());
  return std::move(builder).finish();
}

}  // namespace restitch::datasource::embedded
