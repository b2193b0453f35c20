#include "rules/update_plan.h"

#include <utility>
#include <vector>

#include "rules/batches.h"
#include "rules/commands.h"
#include "rules/write_access.h"
#include "rules/write_checks.h"

namespace restitch::rules {
namespace {

constexpr int kPathMatchedTwice = 54;
constexpr std::int32_t kSmallBatch = 16;

bool is_hidden(BoundRules& rules, const RoleProgram& role, bson::View document) {
  return look_at(rules, role, document).kind == Sight::Kind::kHidden;
}

// A refused write to a document of which the user sees nothing must look as if there were no such
// document.
WriteStep refused(UserRequest& request, const RoleProgram& role, bson::View document, Error error) {
  if (is_hidden(request.rules, role, document)) return {};
  return WriteStep::refuse(std::move(error));
}

WriteStep decide_update(UserRequest& request, const RoleProgram& role, const UpdateProgram& program,
                        bson::View before) {
  const bool is_whole = read_grant(request.rules, role, before) == ReadGrant::kWhole;
  Result<query::Updated> updated = program.apply(before);
  if (!updated) {
    Error error = is_whole ? std::move(updated).error() : without_values(updated.error());
    return refused(request, role, before, std::move(error));
  }
  if (!updated->modified) {
    return is_hidden(request.rules, role, before) ? WriteStep()
                                                  : WriteStep::of(WriteStep::Kind::kKeep);
  }
  // What stays as it is needs no permission. A replacement counts as a change even then.
  const bool is_same = updated->document.view().bytes() == before.bytes();
  if (is_same && is_hidden(request.rules, role, before)) return {};
  if (!is_same && !may_update(request.rules, role, before, updated->document)) {
    return refused(request, role, before, write_denied(WriteKind::kUpdate));
  }
  const Status reserved = check_reserved_fields(before, updated->document);
  if (!reserved) return refused(request, role, before, reserved.error());
  WriteStep step = WriteStep::of(WriteStep::Kind::kChange);
  step.after = std::move(updated->document);
  step.shows_values = is_whole;
  return step;
}

WriteStep decide_deletion(UserRequest& request, const RoleProgram& role, bson::View document) {
  if (may_delete(request.rules, role, document)) return WriteStep::of(WriteStep::Kind::kChange);
  return refused(request, role, document, write_denied(WriteKind::kDelete));
}

}  // namespace

WriteStep decide_write(UserRequest& request, const UpdateProgram* program, bson::View document) {
  Documents documents;
  documents.root = document;
  documents.prev_root = document;
  const RoleProgram* role = request.rules.role_of(documents);
  if (role == nullptr) return {};
  if (program == nullptr) return decide_deletion(request, *role, document);
  return decide_update(request, *role, *program, document);
}

namespace {

// Everything decided upon.
struct Plan {
  std::vector<StoredWrite> writes;
  std::int64_t matched = 0;
  bool shows_values = true;
  std::optional<bson::Document> kept;  // a single document that stays as it is
};

Task<Plan> plan_writes(UserRequest& request, const UpdateProgram* program, bool multi,
                       bson::View query) {
  Batches batches(request.source, request.operation.database, request.operation.collection,
                  request.call);
  FindParts parts;
  parts.filter = query;
  parts.sort = request.operation.sort;
  if (!multi) parts.batch_size = kSmallBatch;
  bson::Builder command = find_command(request.operation.collection, parts, bson::View());
  RESTITCH_CO_CHECK(co_await batches.open(std::move(command)));
  Plan plan;
  bool has_more = true;
  while (has_more) {
    for (const bson::Element& element : batches.current()) {
      const bson::View document = element.value.get_document();
      request.rules.next_document();
      WriteStep step = decide_write(request, program, document);
      while (request.rules.has_pending()) {
        RESTITCH_CO_CHECK(co_await request.rules.resolve());
        step = decide_write(request, program, document);
      }
      if (step.kind == WriteStep::Kind::kSkip) continue;
      if (step.kind == WriteStep::Kind::kRefuse) {
        RESTITCH_CO_CHECK(co_await batches.close());
        co_return std::move(*step.error);
      }
      ++plan.matched;
      if (step.kind == WriteStep::Kind::kChange) {
        plan.shows_values &= step.shows_values;
        plan.writes.push_back({bson::Document(document), std::move(step.after),
                               program != nullptr && program->is_replacement()});
      } else if (!multi) {
        plan.kept = bson::Document(document);
      }
      if (multi) continue;
      RESTITCH_CO_CHECK(co_await batches.close());
      co_return plan;
    }
    RESTITCH_CO_TRY(has_more, co_await batches.next());
  }
  co_return plan;
}

Task<void> check_plan(UserRequest& request, const Plan& plan) {
  for (const StoredWrite& write : plan.writes) {
    request.rules.next_document();
    if (write.after.empty()) {
      RESTITCH_CO_CHECK(co_await check_deletion(request, write.before));
    } else {
      RESTITCH_CO_CHECK(
          co_await check_schema(request, WriteKind::kUpdate, write.after, write.before.view()));
    }
  }
  co_return Status();
}

Task<WriteOutcome> insert_new(UserRequest& request, const UpdateProgram& program) {
  RESTITCH_CO_TRY(bson::Document document, program.new_document(request));
  RESTITCH_CO_CHECK(check_reserved_fields(bson::View(), document));
  RESTITCH_CO_TRY(const bool is_allowed, co_await is_insert_allowed(request, document));
  if (!is_allowed) co_return write_denied(WriteKind::kInsert);
  RESTITCH_CO_CHECK(co_await check_schema(request, WriteKind::kInsert, document, std::nullopt));
  std::vector<StoredWrite> writes;
  writes.push_back({bson::Document(), document, false});
  RESTITCH_CO_CHECK(co_await carry_out(request, writes));
  WriteOutcome outcome;
  outcome.after = std::move(document);
  outcome.is_upsert = true;
  co_return outcome;
}

}  // namespace

Result<UpdateProgram> UpdateProgram::compile(UserRequest& request) {
  RESTITCH_TRY(query::Filter filter, query::Filter::compile(request.query, request.command));
  query::UpdateOptions options;
  options.array_filters = request.operation.array_filters;
  RESTITCH_TRY(query::Update update,
               query::Update::compile(request.operation.update, request.command, options));
  return UpdateProgram(std::move(filter), std::move(update));
}

Result<query::Updated> UpdateProgram::apply(bson::View before) const {
  query::MatchDetails details;
  RESTITCH_CHECK(filter_.matches(before, &details));
  return update_.apply(before, details);
}

Result<bson::Document> UpdateProgram::new_document(UserRequest& request) const {
  Result<bson::Document> made = update_.upsert_document(filter_, request.query);
  // A filter may fix the same field as the request's own query, which is then enough.
  if (!made && made.error().mongo_code() == kPathMatchedTwice && request.has_filters) {
    RESTITCH_TRY(const query::Filter own,
                 query::Filter::compile(request.operation.filter, request.command));
    made = update_.upsert_document(own, request.operation.filter);
  }
  if (!made) return made;
  return query::prepare_for_insert(*made, bson::Timestamp{});
}

Task<WriteOutcome> write_matching(UserRequest& request, const UpdateProgram* program, bool multi) {
  RESTITCH_CO_TRY(const WriteReach reach, co_await find_write_reach(request));
  const bson::Document query = conjunction(request.query, reach.applying.to_query());
  Plan plan;
  if (reach.applying.kind != Pushed::Kind::kNone) {
    RESTITCH_CO_TRY(plan, co_await plan_writes(request, program, multi, query));
  }
  if (plan.matched == 0 && program != nullptr && request.operation.upsert) {
    auto inserted = co_await insert_new(request, *program);
    co_return inserted;
  }
  RESTITCH_CO_CHECK(co_await check_plan(request, plan));
  auto done = co_await carry_out(request, plan.writes);
  if (!done) {
    if (program == nullptr || plan.shows_values) co_return std::move(done).error();
    co_return without_values(done.error());
  }
  WriteOutcome outcome;
  outcome.matched = plan.matched;
  outcome.modified = static_cast<std::int64_t>(plan.writes.size());
  if (!multi && plan.kept) {
    outcome.before = plan.kept;
    outcome.after = plan.kept;
  } else if (!multi && !plan.writes.empty()) {
    outcome.before = std::move(plan.writes.front().before);
    outcome.after = std::move(plan.writes.front().after);
  }
  co_return outcome;
}

}  // namespace restitch::rules
