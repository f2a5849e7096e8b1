// supervise N entrypoint|shell RUNS: what N services cost the supervisor. A real Manager with real processes, each a
// sleep, in a directory of its own; chat and TLS are not part of it.

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/deadline.h"
#include "async/offload.h"
#include "async/spawn.h"
#include "base/clock.h"
#include "base/log.h"
#include "bench/figures.h"
#include "bench/temp_dir.h"
#include "os/child_process.h"
#include "os/exit_watch.h"
#include "os/heap.h"
#include "service/backends/process.h"
#include "service/manager.h"
#include "service/notifier.h"

namespace shipmate::bench {

namespace {

using std::chrono::steady_clock;

// Time for what a start leaves to do before memory is read.
constexpr std::chrono::milliseconds kSettle{500};
constexpr std::chrono::seconds kJoinLimit{10};
constexpr std::size_t kWorkers = 2;  // as the program has

struct Order {
  std::size_t services = 0;
  bool shell = false;
  std::size_t runs = 0;
};

std::unique_ptr<service::Backend> MakeProcessBackend(service::BackendContext context) {
  return std::make_unique<service::backends::ProcessBackend>(std::move(context));
}

class Bench {
 public:
  explicit Bench(const Order& order) : order_(order), loop_(1), pool_(kWorkers), background_(loop_.get_executor()) {}

  int Run() {
    async::Spawn(loop_.get_executor(), "bench", Main());
    loop_.run();
    return failure_.empty() ? 0 : 1;
  }

 private:
  service::ManagerOptions Options() {
    service::ManagerOptions options;
    options.config.base_dir = dir_.Path();
    options.config.services_dir = dir_.Path() + "/services";
    options.config.log_dir = dir_.Path() + "/logs";
    options.config.state_dir = dir_.Path() + "/state";
    for (std::size_t i = 0; i < order_.services; ++i) {
      config::ServiceConfig service;
      service.name = fmt::format("service-{:04}", i);
      service.kind = config::ServiceKind::kProcess;
      // A start is measured until the process runs, not until it has proved to stay up.
      service.min_uptime = std::chrono::milliseconds(0);
      if (order_.shell) {
        service.process_cmd = "sleep 100000";
      } else {
        service.entrypoint = {"sleep", "100000"};
      }
      options.services.push_back(std::move(service));
    }
    options.backends = &MakeProcessBackend;
    options.environment = os::InheritedEnvironment({});
    options.clock = &clock_;
    options.pool = &pool_;
    return options;
  }

  Task<void> Main() {
    background_.Spawn("reaper", os::ReapOrphans());
    auto manager = co_await service::Manager::Create(loop_.get_executor(), Options(), notifier_);
    if (manager) {
      manager_ = std::move(*manager);
      for (std::size_t run = 0; run < order_.runs && failure_.empty(); ++run) co_await Once();
      co_await manager_->Stop();
    } else {
      failure_ = manager.error().what;
    }
    background_.Cancel();
    co_await background_.Join(kJoinLimit);
    loop_.stop();
    if (failure_.empty()) {
      PrintAll();
    } else {
      std::fprintf(stderr, "supervise: %s\n", failure_.c_str());
    }
  }

  Task<void> Once() {
    const auto cpu = CpuTime();
    auto begin = steady_clock::now();
    const service::BulkResult started = co_await manager_->StartAll();
    start_.push_back(Milliseconds(steady_clock::now() - begin));
    start_cpu_.push_back(Milliseconds(CpuTime() - cpu));
    Demand(started, "start");

    co_await async::Sleep(kSettle);
    memory_.push_back(ReadMemory());

    begin = steady_clock::now();
    const auto views = co_await manager_->Views();
    views_.push_back(Milliseconds(steady_clock::now() - begin));
    begin = steady_clock::now();
    const auto states = co_await manager_->GetAllStates();
    states_.push_back(Milliseconds(steady_clock::now() - begin));
    std::size_t running = 0;
    for (const auto& view : views) running += view.pid != 0 ? 1 : 0;
    if (running != order_.services || states.size() != order_.services) {
      failure_ = fmt::format("only {} of {} services run", running, order_.services);
    }

    begin = steady_clock::now();
    const service::BulkResult stopped = co_await manager_->StopAll();
    stop_.push_back(Milliseconds(steady_clock::now() - begin));
    Demand(stopped, "stop");
  }

  void Demand(const service::BulkResult& result, std::string_view what) {
    if (result.done.size() == order_.services) return;
    failure_ = fmt::format("{} reached {} of {} services", what, result.done.size(), order_.services);
    if (!result.failed.empty()) {
      failure_ += fmt::format(": {}: {}", result.failed.front().first, result.failed.front().second);
    }
  }

  void PrintOne(const std::string& what, const std::string& unit, std::vector<double> values) const {
    Print({.bench = "supervise",
           .what = what,
           .variant = order_.shell ? "shell" : "entrypoint",
           .n = order_.services,
           .unit = unit},
          std::move(values));
  }

  void PrintAll() const {
    std::vector<double> proportional;
    std::vector<double> resident;
    std::vector<double> anonymous;
    for (const Memory& memory : memory_) {
      proportional.push_back(memory.proportional);
      resident.push_back(memory.resident);
      anonymous.push_back(memory.anonymous);
    }
    PrintOne("start_all", "ms", start_);
    PrintOne("start_all_cpu", "ms", start_cpu_);
    PrintOne("views", "ms", views_);
    PrintOne("all_states", "ms", states_);
    PrintOne("stop_all", "ms", stop_);
    PrintOne("pss", "MiB", std::move(proportional));
    PrintOne("rss", "MiB", std::move(resident));
    PrintOne("anonymous", "MiB", std::move(anonymous));
  }

  const Order order_;
  TempDir dir_;
  base::SystemClock clock_;
  boost::asio::io_context loop_;
  async::WorkerPool pool_;
  service::NopNotifier notifier_;
  std::unique_ptr<service::Manager> manager_;
  async::TaskGroup background_;
  std::string failure_;

  std::vector<double> start_;
  std::vector<double> start_cpu_;
  std::vector<double> views_;
  std::vector<double> states_;
  std::vector<double> stop_;
  std::vector<Memory> memory_;
};

bool ReadNumber(std::string_view text, std::size_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out > 0;
}

int Main(const std::vector<std::string_view>& arguments) {
  Order order;
  const bool good = arguments.size() == 3 && ReadNumber(arguments[0], &order.services) &&
                    (arguments[1] == "entrypoint" || arguments[1] == "shell") && ReadNumber(arguments[2], &order.runs);
  if (!good) {
    std::fputs("usage: supervise N entrypoint|shell RUNS\n", stderr);
    return 2;
  }
  order.shell = arguments[1] == "shell";
  os::KeepHeapSmall();
  base::InitLog({.level = base::LogLevel::kError});
  int status = 1;
  {
    Bench bench(order);
    status = bench.Run();
  }
  base::ShutdownLog();
  return status;
}

}  // namespace

}  // namespace shipmate::bench

int main(int argc, char** argv) {
  return shipmate::bench::Main({argv + 1, argv + argc});
}
