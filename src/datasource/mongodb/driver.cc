#include "datasource/mongodb/driver.h"

#include <sys/mman.h>
#include <unistd.h>

#include <mutex>
#include <string>

#include "base/log.h"

namespace restitch::datasource::mongodb {
namespace {

void write_message(mongoc_log_level_t level, const char* domain, const char* message, void*) {
  if (level <= MONGOC_LOG_LEVEL_WARNING) {
    RESTITCH_LOG(kWarning, kSource, 5101, "MongoDB driver", {"domain", domain},
                 {"message", message});
  } else {
    RESTITCH_LOG(kDebug1, kSource, 5102, "MongoDB driver", {"domain", domain},
                 {"message", message});
  }
}

// Before main() already, the driver shares its counters under /dev/shm, where the file of a killed
// process would stay for ever. Nobody reads them.
const bool counters_are_private = [] {
  return ::shm_unlink(("/mongoc-" + std::to_string(::getpid())).c_str()) == 0;
}();

}  // namespace

void start_driver() {
  static std::once_flag once;
  std::call_once(once, [] {
    mongoc_log_set_handler(write_message, nullptr);
    mongoc_init();
    mongoc_handshake_data_append("restitch", RESTITCH_VERSION, nullptr);
  });
}

}  // namespace restitch::datasource::mongodb
