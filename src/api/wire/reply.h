#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/sessions.h"

namespace restitch::api::wire {

using datasource::embedded::LabelContext;

// What the labels of the command's errors depend on.
LabelContext label_context(bson::View command);

// {ok: 0, errmsg, code, codeName, [errorLabels]} for a command that never reached the data source,
// or for an Error that the data source gave instead of a reply.
bson::Document error_reply(const Error& error, const LabelContext& labels = {});

// Adds $clusterTime and operationTime to a reply, in place.
bson::Document with_times(bson::Document reply, bson::Timestamp cluster_time,
                          bson::Timestamp operation_time);

// The cluster time that a client has heard of; zero when it names none. Errors: of a wrong shape,
// or more than a year ahead of `wall_seconds`.
Result<bson::Timestamp> gossiped_time(bson::View command, std::uint32_t wall_seconds);

}  // namespace restitch::api::wire
