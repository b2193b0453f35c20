#pragma once

#include "functions/function_service.h"
#include "rules/data_access.h"

namespace restitch::deployment {

// Names of databases and collections for system functions. The server's own databases are left out.
functions::NameLister make_name_lister(rules::SourceMap sources);

}  // namespace restitch::deployment
