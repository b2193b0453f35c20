#pragma once

#include <string>
#include <string_view>

#include "api/admin/entities.h"

namespace restitch::api::admin {

// The app has one sync configuration (sync/config.json); the Admin API shows it as a block of the
// config of the service that it is for.

// Adds `sync` or `flexible_sync` if the service is the synced one.
void add_sync_block(const StoredConfig& config, const std::string& service, Members& out);

// Merges a sent block: objects member by member, arrays and permissions as a whole.
// kInvalidArgument when another service is synced, or the way to sync changes while it is on.
Status merge_sync_block(StoredConfig& config, const std::string& service, std::string_view type,
                        bson::View block);

}  // namespace restitch::api::admin
