#include "base/log.h"
#include "bson/extended_json.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;

Result<Document> configure_fail_point(Operation& operation) {
  RESTITCH_TRY(const std::int64_t count,
               operation.services.fail_points.configure(operation.command));
  RESTITCH_LOG(kWarning, kSource, 5110, "Fail point set",
               {"command", bson::to_json(operation.command, bson::JsonMode::kRelaxed)});
  return bson::make_document("count", static_cast<std::int32_t>(count));
}

// In no version of the Stable API: for tests of `apiStrict`.
Result<Document> test_version_2(Operation&) { return Document(); }

}  // namespace

std::span<const CommandSpec> fail_point_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "configureFailPoint",
       .flags = kAdminOnly | kForTests,
       .read = configure_fail_point,
       .fields = "mode data"},
      {.name = "testVersion2", .flags = kForTests, .read = test_version_2},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
