#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/write_command.h"

namespace restitch::datasource::embedded {

// Runs a writing command to its end on a thread that may wait. The reply is that of the command,
// `ok` included.
Result<bson::Document> run_internal(Services& services, std::string_view database,
                                    bson::Document command);

// {…reply, ok: 1}
bson::Document success_reply(bson::View reply);
// {ok: 0, errmsg, code, codeName, …extra, errorLabels}
bson::Document error_reply(const Error& error, bson::View extra, const LabelContext& labels);
// How long to wait before a conflicting write is tried again.
std::chrono::microseconds conflict_pause(int attempt);

}  // namespace restitch::datasource::embedded
