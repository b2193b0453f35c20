#pragma once

#include "rules/explain/explanation.h"
#include "rules/user_request.h"
#include "runtime/task.h"

namespace restitch::rules {

// Says what the rules make of a request and why, without carrying it out: nothing is written. Every
// decision is made by the code that decides for ordinary requests. An Error comes back when the
// data source cannot be asked, or for an action that cannot be explained (kBulkWrite, kDistinct);
// what the client would be refused is in the explanation. The request is not to be used afterwards.
Task<Explanation> explain(UserRequest& request, const ExplainOptions& options);

}  // namespace restitch::rules
