#include "runtime/io_threads.h"

#include <pthread.h>

#include <string>

#include "base/log.h"

namespace restitch::runtime {

IoThreads::IoThreads(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
    guards_.push_back(boost::asio::make_work_guard(*contexts_.back()));
  }
}

IoThreads::~IoThreads() { stop(); }

void IoThreads::start() {
  for (std::size_t i = 0; i < contexts_.size(); ++i) {
    threads_.emplace_back([this, i] {
      const std::string name = "io-" + std::to_string(i);
      ::pthread_setname_np(::pthread_self(), name.c_str());
      log::set_thread_context(name);
      contexts_[i]->run();
    });
  }
}

void IoThreads::stop() {
  guards_.clear();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace restitch::runtime
