#pragma once

#include <string>

#include "bson/types.h"
#include "deployment/hosting.h"
#include "runtime/io_threads.h"

namespace restitch::server {

// Makes the hosted files of an app those of `root`/hosting: files that differ are stored, others
// removed. A directory without hosting/files leaves them as they are. What fails is logged; the
// other files are deployed nevertheless. Reads files on the calling thread, which must be none of
// the loops.
void deploy_hosted_files(const std::string& root, bson::ObjectId app,
                         const deployment::HostedFiles& files, runtime::IoThreads& threads);

}  // namespace restitch::server
