#include "datasource/embedded/commit.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

namespace restitch::datasource::embedded {

asio::awaitable<Result<storage::Committed>> commit_unit(storage::Engine& engine,
                                                        std::unique_ptr<WriteUnit> unit,
                                                        storage::Durability durability) {
  auto initiate = [](auto handler, storage::Engine* target, std::unique_ptr<WriteUnit> writes,
                     storage::Durability wanted) {
    auto executor = asio::get_associated_executor(handler);
    // std::function wants copies; the handler is called once.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    WriteUnit::commit(*target, std::move(writes), wanted,
                      [executor, shared](Result<storage::Committed> result) {
                        asio::post(executor, [shared, result = std::move(result)]() mutable {
                          auto resume = std::move(*shared);
                          std::move(resume)(std::move(result));
                        });
                      });
  };
  auto committed = co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                                 void(Result<storage::Committed>)>(
      std::move(initiate), asio::use_awaitable, &engine, std::move(unit), durability);
  co_return committed;
}

}  // namespace restitch::datasource::embedded
