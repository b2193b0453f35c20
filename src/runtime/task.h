#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/result.h"

namespace restitch {

namespace asio = boost::asio;

// An asynchronous operation that ends in a value or an Error. It starts when awaited and runs on the awaiting
// coroutine's executor.
template <typename T>
using Task = asio::awaitable<Result<T>>;

}  // namespace restitch
