#pragma once

#include "datasource/embedded/change_stream/event_builder.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Whether events of this kind show documents that have to be found first.
bool needs_images(ChangeKind kind, const StreamOptions& options);
// Finds them: the current document for updateLookup, stored images else. kWouldBlock by tier; 47
// when an image is required and not there.
Result<EventImages> find_images(Services& services, const LogEntry& entry,
                                const StreamOptions& options, storage::ReadTier tier);

}  // namespace restitch::datasource::embedded
