#include "service/schedule.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "async/latch.h"
#include "async/spawn.h"
#include "base/log.h"

namespace shipmate::service {

namespace {

struct Plan {
  explicit Plan(const Executor& executor) : done(executor) {}
  std::string name;
  std::size_t next = 0;
  std::size_t count = 0;
  std::size_t workers = 0;
  std::function<Task<void>(std::size_t)> work;
  async::Event done;
};

Task<void> Worker(std::shared_ptr<Plan> plan) {
  while (plan->next < plan->count) {
    const std::size_t index = plan->next++;
    try {
      co_await plan->work(index);
    } catch (const std::exception& error) {
      LogError(plan->name + ": " + error.what());
    }
  }
  if (--plan->workers == 0) plan->done.Set();
}

}  // namespace

Task<void> RunBounded(std::string name, std::size_t count, std::size_t bound,
                      std::function<Task<void>(std::size_t)> work) {
  if (count == 0) co_return;
  const Executor executor = co_await boost::asio::this_coro::executor;
  const auto plan = std::make_shared<Plan>(executor);
  plan->name = std::move(name);
  plan->count = count;
  plan->workers = std::clamp(bound, std::size_t{1}, count);
  plan->work = std::move(work);
  for (std::size_t i = plan->workers; i > 0; --i) async::Spawn(executor, plan->name, Worker(plan));
  co_await plan->done.Wait();
}

}  // namespace shipmate::service
