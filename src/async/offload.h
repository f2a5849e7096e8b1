#pragma once

// WorkerPool: a few threads for what would block the loop (file syncs, big reads, YAML). The function runs on a worker;
// its result comes back to the awaiting coroutine on the loop.

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "async/latch.h"
#include "async/task.h"

namespace shipmate::async {

class WorkerPool {
 public:
  /// Throws where a thread cannot be made.
  explicit WorkerPool(std::size_t threads) {
    // One pool a thread: should the second thread not come about, a pool of two would wait for the first for ever.
    for (std::size_t made = 0; made < threads; ++made) workers_.push_back(std::make_unique<Worker>());
  }
  /// Waits for running functions.
  ~WorkerPool() {
    for (const auto& worker : workers_) worker->thread.join();
  }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `function` (a callable without arguments that returns a value) on the worker with the least to do. It must
  /// own what it uses: the awaiting coroutine may be cancelled and gone before it ends. Exceptions come back to the
  /// awaiter.
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
    const auto worker = std::ranges::min_element(workers_, {}, [](const auto& other) { return *other->jobs; });
    ++*(*worker)->jobs;
    boost::asio::post((*worker)->thread, [job, loop, jobs = (*worker)->jobs, function = std::move(function)]() mutable {
      try {
        job->value.emplace(function());
      } catch (...) {
        job->failure = std::current_exception();
      }
      boost::asio::post(loop, [job, jobs = std::move(jobs)] {
        --*jobs;
        job->done.Set();
      });
    });
    co_await job->done.Wait();
    if (job->failure) std::rethrow_exception(job->failure);
    co_return std::move(*job->value);
  }

 private:
  struct Worker {
    boost::asio::thread_pool thread{1};
    /// Not ended yet. Touched by the loop alone; it may outlive the worker in what is posted there.
    std::shared_ptr<std::size_t> jobs = std::make_shared<std::size_t>(0);
  };

  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace shipmate::async
