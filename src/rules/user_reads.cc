#include "rules/user_reads.h"

#include <algorithm>
#include <span>
#include <unordered_set>
#include <utility>

#include "query/path.h"
#include "rules/batches.h"
#include "rules/commands.h"
#include "rules/expression/path_walk.h"

namespace restitch::rules {
namespace {

constexpr std::int64_t kFirstBatch = 101;

bool is_everything(const Visibility& visibility) {
  return visibility.readable.kind == Pushed::Kind::kAll && visibility.readable.exact;
}

// {_id: <scalar>}: one document at most, best asked for as it stands.
bool is_id_equality(bson::View query) {
  if (query.count() != 1 || query.begin()->name != "_id") return false;
  switch (query.begin()->value.type()) {
    case bson::Type::kObject:
    case bson::Type::kArray:
    case bson::Type::kRegex:
    case bson::Type::kNull:
    case bson::Type::kUndefined:
      return false;
    default:
      return true;
  }
}

// Comparisons of rules know no collation: where the source decides alone, it must not use one.
const bson::Document& deciding_options(const Visibility& visibility) {
  static const bson::Document none;
  return visibility.readable.kind == Pushed::Kind::kQuery ? binary_collation() : none;
}

}  // namespace

Task<Visibility> find_visibility_of_find(UserRequest& request) {
  return is_id_equality(request.query) ? find_rough_visibility(request) : find_visibility(request);
}

bool leaves_find_to_source(const UserRequest& request, const Visibility& visibility) {
  return is_everything(visibility) && visibility.is_whole && request.filter_projection.empty();
}

bool leaves_distinct_to_source(const UserRequest& request, const Visibility& visibility) {
  return visibility.readable.exact && visibility.is_whole && request.filter_projection.empty() &&
         !is_reserved_field(request.operation.distinct_key);
}

bson::Document readable_query(const UserRequest& request, const Visibility& visibility) {
  if (is_id_equality(request.query)) return request.query;
  return conjunction(request.query, visibility.readable.to_query());
}

namespace {

struct Page {
  std::int64_t skip = 0;
  std::int64_t limit = 0;  // > 0
};

Page page_of(const UserRequest& request) {
  const std::int64_t most = request.settings.max_result_documents;
  if (request.operation.action == Action::kFindOne) return {request.operation.skip, 1};
  const std::int64_t limit = request.operation.limit;
  return {request.operation.skip, limit > 0 ? std::min(limit, most) : most};
}

// Nothing has to be decided per document: the source does it all.
Task<bson::Document> find_everything(UserRequest& request, Page page) {
  Batches batches(request.source, request.operation.database, request.operation.collection,
                  request.call);
  FindParts parts;
  parts.filter = request.query;
  parts.projection = request.operation.projection;
  parts.sort = request.operation.sort;
  parts.skip = page.skip;
  parts.limit = page.limit;
  bson::Builder command =
      find_command(request.operation.collection, parts, request.operation.options);
  RESTITCH_CO_CHECK(co_await batches.open(std::move(command)));
  bson::Builder result;
  bool has_more = true;
  while (has_more) {
    for (const bson::Element& element : batches.current()) {
      const bson::View document = element.value.get_document();
      if (has_reserved_field(document)) {
        result.push(without_reserved_fields(document));
      } else {
        result.push(document);
      }
    }
    RESTITCH_CO_TRY(has_more, co_await batches.next());
  }
  co_return std::move(result).finish();
}

struct Collected {
  bson::Document documents;  // array
  std::int64_t count = 0;
  std::int64_t hidden = 0;
};

Task<Collected> collect_page(UserRequest& request, const Presenter& presenter, bson::View query,
                             Page page, bool limit_at_source) {
  bson::Builder result;
  std::int64_t seen = 0;
  std::int64_t taken = 0;
  const Sink sink = [&](bson::View visible) -> Result<bool> {
    if (seen++ < page.skip) return true;
    if (presenter.shows_all()) {
      result.push(visible);
    } else {
      RESTITCH_TRY(bson::Document shown, presenter.show(visible));
      result.push(shown);
    }
    return ++taken < page.limit;
  };
  Scan scan;
  scan.query = query;
  scan.sort = request.operation.sort;
  const std::int64_t wanted = page.skip + page.limit;
  if (limit_at_source) {
    scan.limit = wanted;
  } else if (wanted < kFirstBatch) {
    scan.batch_size = static_cast<std::int32_t>(std::max<std::int64_t>(wanted, 8));
  }
  RESTITCH_CO_TRY(const std::int64_t hidden, co_await scan_visible(request, scan, sink));
  co_return Collected{std::move(result).finish(), taken, hidden};
}

Task<bson::Document> find_page(UserRequest& request, const Visibility& visibility) {
  const Page page = page_of(request);
  if (leaves_find_to_source(request, visibility)) {
    auto found = co_await find_everything(request, page);
    co_return found;
  }
  RESTITCH_CO_TRY(const Presenter presenter, Presenter::create(request));
  const bson::Document query = readable_query(request, visibility);
  const bool limit_at_source = visibility.readable.exact && !is_id_equality(request.query);
  RESTITCH_CO_TRY(Collected found,
                  co_await collect_page(request, presenter, query, page, limit_at_source));
  // The source and the rules may differ about a document only under a collation; then ask without a
  // limit.
  if (limit_at_source && found.hidden > 0 && found.count < page.limit) {
    RESTITCH_CO_TRY(found, co_await collect_page(request, presenter, query, page, false));
  }
  co_return std::move(found.documents);
}

// What `distinct` gives for one document: the values at the path, arrays as their elements.
void add_distinct(bson::View document, std::span<const std::string> path, bson::Builder& result,
                  std::unordered_set<bson::Value, bson::ValueHash, bson::ValueEqual>& seen) {
  const auto add = [&](bson::ValueView value) {
    if (seen.emplace(value).second) result.push(value);
  };
  const bson::ValueView whole{bson::Type::kObject, document.data(), document.size()};
  walk_path(whole, path, NameMatch::kExact, [&](bson::ValueView leaf) {
    if (leaf.type() == bson::Type::kArray) {
      for (const bson::Element& element : leaf.get_document()) add(element.value);
    } else if (!leaf.is_missing()) {
      add(leaf);
    }
    return false;
  });
}

}  // namespace

Task<bson::Value> find_as_user(UserRequest& request) {
  RESTITCH_CO_TRY(const Visibility visibility, co_await find_visibility_of_find(request));
  const bool wants_one = request.operation.action == Action::kFindOne;
  bson::Document found;
  if (visibility.readable.kind != Pushed::Kind::kNone) {
    RESTITCH_CO_TRY(found, co_await find_page(request, visibility));
  }
  if (!wants_one) co_return bson::Value::array(std::move(found));
  if (found.empty()) co_return bson::Value::null();
  co_return bson::Value(found.view().begin()->value);
}

Task<bson::Value> count_as_user(UserRequest& request) {
  const Operation& operation = request.operation;
  RESTITCH_CO_TRY(const Visibility visibility, co_await find_visibility(request));
  if (visibility.readable.kind == Pushed::Kind::kNone) {
    co_return bson::Value::of(std::int64_t{0});
  }
  const bson::Document query = conjunction(request.query, visibility.readable.to_query());
  if (visibility.readable.exact) {
    RESTITCH_CO_TRY(const std::int64_t counted,
                    co_await count_at_source(request.source, operation, query,
                                             deciding_options(visibility), request.call));
    co_return bson::Value::of(counted);
  }
  std::int64_t seen = 0;
  std::int64_t counted = 0;
  const Sink sink = [&](bson::View) -> Result<bool> {
    if (seen++ < operation.skip) return true;
    ++counted;
    return operation.limit <= 0 || counted < operation.limit;
  };
  Scan scan;
  scan.query = query;
  RESTITCH_CO_CHECK(co_await scan_visible(request, scan, sink));
  co_return bson::Value::of(counted);
}

Task<bson::Value> distinct_as_user(UserRequest& request) {
  const Operation& operation = request.operation;
  RESTITCH_CO_TRY(const Visibility visibility, co_await find_visibility(request));
  if (visibility.readable.kind == Pushed::Kind::kNone) co_return bson::Value::array(bson::View());
  const bson::Document query = conjunction(request.query, visibility.readable.to_query());
  if (leaves_distinct_to_source(request, visibility)) {
    bson::Builder command = distinct_command(operation.collection, operation.distinct_key, query,
                                             deciding_options(visibility));
    RESTITCH_CO_TRY(const bson::Document reply,
                    co_await datasource::run_command(request.source, operation.database,
                                                     std::move(command), request.call));
    co_return bson::Value(reply["values"]);
  }
  request.operation.projection = bson::Document();
  RESTITCH_CO_TRY(const Presenter presenter, Presenter::create(request));
  const std::vector<std::string> path = query::split_path(operation.distinct_key);
  bson::Builder values;
  std::unordered_set<bson::Value, bson::ValueHash, bson::ValueEqual> seen;
  const Sink sink = [&](bson::View visible) -> Result<bool> {
    if (presenter.shows_all()) {
      add_distinct(visible, path, values, seen);
      return true;
    }
    RESTITCH_TRY(const bson::Document shown, presenter.show(visible));
    add_distinct(shown, path, values, seen);
    return true;
  };
  Scan scan;
  scan.query = query;
  RESTITCH_CO_CHECK(co_await scan_visible(request, scan, sink));
  co_return bson::Value::array(std::move(values).finish());
}

}  // namespace restitch::rules
