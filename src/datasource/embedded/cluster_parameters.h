#pragma once

#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Reads the stored cluster parameters at the start.
Status load_cluster_parameters(Services& services);

}  // namespace restitch::datasource::embedded
