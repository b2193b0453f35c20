#include "datasource/embedded/internal_command.h"

#include <random>
#include <thread>

#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/schema_changes.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

Status commit_own_unit(Operation& operation) {
  auto unit = operation.take_own_unit();
  operation.refresh_snapshot();
  if (!unit || !unit->has_writes()) return {};
  return wait_for_commit(*operation.services.engine, std::move(unit), operation.durability);
}

Status run_steps(Operation& operation, WriteCommand& command) {
  using Step = WriteCommand::Step;
  int conflicts = 0;
  for (;;) {
    RESTITCH_TRY(const Step step, command.step());
    RESTITCH_CHECK(commit_own_unit(operation));
    switch (step) {
      case Step::kFinished:
        return {};
      case Step::kCommit:
        conflicts = 0;
        break;
      case Step::kConflict:
        std::this_thread::sleep_for(conflict_pause(conflicts++));
        break;
      case Step::kCreateCollection:
        RESTITCH_CHECK(ensure_collection(operation.services, command.ns()));
        break;
    }
  }
}

}  // namespace

std::chrono::microseconds conflict_pause(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  constexpr int kFirstMicros = 100;
  constexpr int kMaxDoublings = 8;
  const int ceiling = kFirstMicros << std::min(attempt, kMaxDoublings);
  return std::chrono::microseconds(
      std::uniform_int_distribution<int>(ceiling / 4, ceiling)(random));
}

Document success_reply(View reply) {
  Builder builder;
  builder.append_all(reply);
  builder.append("ok", 1.0);
  return std::move(builder).finish();
}

Document error_reply(const Error& error, View extra, const LabelContext& labels) {
  Builder builder;
  builder.append("ok", 0.0);
  append_error(builder, error, extra, true);
  int number = error.mongo_code();
  if (error.code() == ErrorCode::kWriteConflict) number = code::kWriteConflict;
  append_error_labels(builder, number, 0, labels);
  return std::move(builder).finish();
}

Result<Document> run_internal(Services& services, std::string_view database, Document command) {
  Operation operation(services);
  operation.database = std::string(database);
  operation.command = std::move(command);
  operation.spec = find_command(operation.command.view().begin()->name);
  operation.tier = storage::ReadTier::kAll;
  RESTITCH_ASSERT(operation.spec != nullptr && operation.spec->write != nullptr);
  auto write = operation.spec->write(operation);
  if (!write) return error_reply(write.error(), operation.error_extra, {});
  if (Status ran = run_steps(operation, **write); !ran) {
    return error_reply(ran.error(), operation.error_extra, {});
  }
  return success_reply((*write)->reply());
}

}  // namespace restitch::datasource::embedded
