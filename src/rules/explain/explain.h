#pragma once

#include "rules/explain/explanation.h"
#include "rules/user_request.h"
#include "runtime/task.h"

namespace restitch::rules {

// Says what the rules make of a request and why, without carrying it out: nothing is written. Every
// decision is made by the code that decides for ordinary requests. The operations of a bulk write
// are explained one by one; as nothing is written, none sees what those before it would change. An
// Error comes back when the data source cannot be asked; what the client would be refused is in the
// explanation. The request is not to be used afterwards.
Task<Explanation> explain(UserRequest& request, const ExplainOptions& options);

}  // namespace restitch::rules
