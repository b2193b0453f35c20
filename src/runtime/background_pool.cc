#include "runtime/background_pool.h"

#include <sys/resource.h>

#include <thread>

namespace restitch::runtime {

std::unique_ptr<BlockingPool> make_background_pool(std::size_t threads, std::size_t queue_limit, int nice) {
  std::unique_ptr<BlockingPool> pool;
  // Linux: a nice value is a thread's own, and the threads that it starts have it too. One that cannot be had is done
  // without.
  std::thread maker([&] {
    (void)::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + nice);
    pool = std::make_unique<BlockingPool>(threads, queue_limit);
  });
  maker.join();
  return pool;
}

}  // namespace restitch::runtime
