#pragma once

// WorkerPool: a few threads for what would block the loop (file syncs, big reads, YAML). The function runs on a worker;
// its result comes back to the awaiting coroutine on the loop.

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "async/latch.h"
#include "async/task.h"

namespace shipmate::async {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads) : pool_(threads) {}
  /// Waits for running functions.
  ~WorkerPool() { pool_.join(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `function` (a callable without arguments that returns a value) on a worker. It must own what it uses: the
  /// awaiting coroutine may be cancelled and gone before it ends. Exceptions come back to the awaiter.
  template <class Function>
  Task<std::invoke_result_t<Function>> Run(Function function) {
    using Value = std::invoke_result_t<Function>;
    struct Job {
      explicit Job(const Executor& executor) : done(executor) {}
      std::optional<Value> value;
      std::exception_ptr failure;
      Event done;
    };
    const Executor loop = co_await boost::asio::this_coro::executor;
    auto job = std::make_shared<Job>(loop);
    boost::asio::post(pool_, [job, loop, function = std::move(function)]() mutable {
      try {
        job->value.emplace(function());
      } catch (...) {
        job->failure = std::current_exception();
      }
      boost::asio::post(loop, [job] { job->done.Set(); });
    });
    co_await job->done.Wait();
    if (job->failure) std::rethrow_exception(job->failure);
    co_return std::move(*job->value);
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace shipmate::async
