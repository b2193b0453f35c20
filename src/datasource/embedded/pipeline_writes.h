#pragma once

#include "base/result.h"
#include "datasource/embedded/namespace.h"
#include "datasource/embedded/services.h"
#include "query/pipeline/pipeline.h"

namespace restitch::datasource::embedded {

// Both wait for the disk: to be called on a thread that may.

// $out: fills a new collection and puts it in the place of the named one, whose indexes and options
// it takes over.
Status write_out(Services& services, const Namespace& target, query::DocumentStream& input,
                 bool bypasses_validation);
// $merge for one document. `error_extra` (may be null) gets what the error reply says besides the
// error.
Status write_merge(Services& services, const query::MergeSpec& spec, bson::View document,
                   bson::View let_values, bool bypasses_validation, bson::Document* error_extra);

}  // namespace restitch::datasource::embedded
