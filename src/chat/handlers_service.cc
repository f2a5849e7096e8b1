// What starts and stops services.

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <memory>

#include "async/latch.h"
#include "async/spawn.h"
#include "chat/clean.h"
#include "chat/handlers.h"

namespace shipmate::chat {

namespace {

// Of a service that did not start well.
constexpr std::size_t kTailLines = 10;

/// One operation on several services at once.
struct Batch {
  Batch(const Executor& executor, std::vector<std::string> its_names)
      : names(std::move(its_names)), replies(names.size()), left(names.size()), done(executor) {}

  const std::vector<std::string> names;
  std::vector<service::Reply> replies;
  std::size_t left;
  async::Event done;
};

Task<void> RunOne(service::Manager& manager, std::shared_ptr<Batch> batch, std::size_t index, std::string op) {
  try {
    batch->replies[index] = co_await manager.Do(batch->names[index], op);
    // A person who started something wants to find it.
    if (batch->replies[index].ok && (op == "start" || op == "restart") && !batch->replies[index].text.contains("pid")) {
      const auto view = co_await manager.View(batch->names[index]);
      if (view && view->pid > 0) batch->replies[index].text += fmt::format(" (pid {})", view->pid);
    }
  } catch (const std::exception& error) {
    batch->replies[index] = {error.what(), false};
  }
  if (--batch->left == 0) batch->done.Set();
}

Task<std::shared_ptr<Batch>> RunAll(service::Manager& manager, std::vector<std::string> names, std::string op) {
  const Executor executor = co_await boost::asio::this_coro::executor;
  auto batch = std::make_shared<Batch>(executor, std::move(names));
  for (std::size_t i = 0; i < batch->names.size(); ++i) {
    async::Spawn(executor, op + " " + batch->names[i], RunOne(manager, batch, i, op));
  }
  if (!batch->names.empty()) co_await batch->done.Wait();
  co_return batch;
}

std::size_t CountFailed(const Batch& batch) {
  std::size_t failed = 0;
  for (const service::Reply& reply : batch.replies) failed += reply.ok ? 0 : 1;
  return failed;
}

// "restart: 3 done, 1 failed"
std::string Summary(const std::string& op, std::size_t total, std::size_t failed) {
  if (failed == 0) return fmt::format("{}: {} done", op, total);
  return fmt::format("{}: {} done, {} failed", op, total - failed, failed);
}

Task<Message> Change(const Request& request, std::string op) {
  const auto batch = co_await RunAll(request.desk.manager, request.arguments.services, op);
  Message message;
  if (batch->names.size() == 1) {
    message.headline.Bold(batch->names[0]).Plain(": " + batch->replies[0].text);
    if (const std::string tail = CleanBlock(batch->replies[0].log_tail); !tail.empty()) {
      message.code = std::string(LastLines(tail, kTailLines));
    }
    co_return message;
  }
  message.headline.Plain(Summary(op, batch->names.size(), CountFailed(*batch)));
  for (std::size_t i = 0; i < batch->names.size(); ++i) {
    message.lines.push_back(Text().Bold(batch->names[i]).Plain(": " + batch->replies[i].text));
  }
  co_return message;
}

Message BulkAnswer(const service::BulkResult& result, std::string_view done, std::string_view already) {
  std::vector<std::string> parts;
  if (!result.done.empty()) parts.push_back(fmt::format("{} {}", result.done.size(), done));
  if (!result.already.empty()) parts.push_back(fmt::format("{} already {}", result.already.size(), already));
  if (!result.failed.empty()) parts.push_back(fmt::format("{} failed:", result.failed.size()));
  Message message;
  message.headline.Plain(parts.empty() ? "No services configured." : fmt::format("{}", fmt::join(parts, ", ")));
  for (const auto& [name, why] : result.failed) message.lines.push_back(Text().Bold(name).Plain(": " + why));
  return message;
}

// What the channel may touch.
std::vector<std::string> Within(const Request& request) {
  auto names = request.desk.manager.ServiceNames();
  std::erase_if(names, [&](const std::string& name) { return !request.scope.Has(name); });
  return names;
}

}  // namespace

Task<Message> HandleStart(const Request& request) {
  return Change(request, "start");
}
Task<Message> HandleStop(const Request& request) {
  return Change(request, "stop");
}
Task<Message> HandleRestart(const Request& request) {
  return Change(request, "restart");
}

Task<Message> HandlePull(const Request& request) {
  const auto batch = co_await RunAll(request.desk.manager, request.arguments.services, "pull");
  Message message;
  if (batch->names.size() == 1) {
    message.headline.Bold(batch->names[0]).Plain(batch->replies[0].ok ? ": git pull" : ": git pull failed");
    message.code = batch->replies[0].text;
    co_return message;
  }
  message.headline.Plain(Summary("pull", batch->names.size(), CountFailed(*batch)));
  message.code.emplace();
  for (std::size_t i = 0; i < batch->names.size(); ++i) {
    *message.code += fmt::format("{}{}:\n{}", i == 0 ? "" : "\n", batch->names[i], CleanBlock(batch->replies[i].text));
  }
  co_return message;
}

Task<Message> HandleStartAll(const Request& request) {
  service::BulkResult result;
  if (request.scope.Limited()) {
    result = co_await request.desk.manager.StartMany(Within(request));
  } else {
    result = co_await request.desk.manager.StartAll();
  }
  co_return BulkAnswer(result, "started", "running");
}

Task<Message> HandleStopAll(const Request& request) {
  service::BulkResult result;
  if (request.scope.Limited()) {
    result = co_await request.desk.manager.StopMany(Within(request));
  } else {
    result = co_await request.desk.manager.StopAll();
  }
  co_return BulkAnswer(result, "stopped", "stopped");
}

}  // namespace shipmate::chat
