// What the way from Discord's socket costs:
//   gateway events COUNT RUNS         events that are not for us, from the socket to the filter
//   gateway commands COUNT            how long from a command's frame to the request that answers it
//   gateway serve events COUNT RUNS   only the other side of these, for a client of another make:
//   gateway serve commands COUNT      prints {"port": N}
//
// The client is the Discord frontend as the program has it, with its hub, outbox and a manager; the other side is a
// BlastServer in a process of its own. Plain sockets of 127.0.0.1.

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/latch.h"
#include "async/offload.h"
#include "async/spawn.h"
#include "base/clock.h"
#include "base/log.h"
#include "bench/blast_server.h"
#include "bench/figures.h"
#include "bench/temp_dir.h"
#include "bench/wire_watch.h"
#include "chat/dispatcher.h"
#include "chat/hub.h"
#include "chat/outbox.h"
#include "chat/verbs.h"
#include "gate/deploy_gate.h"
#include "gate/store.h"
#include "os/child_process.h"
#include "platforms/discord/discord.h"
#include "service/backends/process.h"
#include "service/manager.h"
#include "service/notifier.h"

namespace shipmate::bench {

namespace {

using std::chrono::steady_clock;

constexpr int kPatience = 120;
constexpr std::chrono::seconds kJoinLimit{5};
constexpr std::size_t kWorkers = 2;
constexpr const char* kCommand = "!count";

std::unique_ptr<service::Backend> MakeProcessBackend(service::BackendContext context) {
  return std::make_unique<service::backends::ProcessBackend>(std::move(context));
}

/// Passes on to the hub what the server's marks do not mean.
class MarkingInbox final : public chat::Inbox {
 public:
  MarkingInbox(Executor executor, chat::Hub& hub, std::size_t events)
      : hub_(hub), events_(events), over_(std::move(executor)) {}

  void Receive(chat::Incoming incoming) override {
    if (incoming.text == kBegin) {
      begin_ = steady_clock::now();
      cpu_ = CpuTime();
    } else if (incoming.text == kEnd) {
      const auto count = static_cast<double>(events_);
      const std::chrono::duration<double> took = steady_clock::now() - begin_;
      cpu_per_event_.push_back(static_cast<double>((CpuTime() - cpu_).count()) / count);
      rate_.push_back(count / took.count());
    } else if (incoming.text == kOver) {
      over_.Set();
    } else {
      hub_.Receive(std::move(incoming));
    }
  }
  Task<std::optional<chat::Message>> Ask(chat::Incoming incoming) override { return hub_.Ask(std::move(incoming)); }
  std::vector<std::string> Complete(const std::string& line) override { return hub_.Complete(line); }

  async::Event& Over() { return over_; }
  const std::vector<double>& CpuPerEvent() const { return cpu_per_event_; }
  const std::vector<double>& Rate() const { return rate_; }

 private:
  chat::Hub& hub_;
  const std::size_t events_;
  async::Event over_;
  steady_clock::time_point begin_;
  std::chrono::microseconds cpu_{0};
  std::vector<double> cpu_per_event_;
  std::vector<double> rate_;
};

class Client {
 public:
  Client(std::uint16_t port, std::size_t events)
      : port_(port),
        loop_(1),
        pool_(kWorkers),
        verbs_(chat::Verbs::BuiltIn()),
        access_(std::nullopt),
        outbox_(loop_.get_executor()),
        events_(events),
        platform_(loop_.get_executor()) {
    base::InitLog({.level = base::LogLevel::kInfo, .file = dir_.Path() + "/log"});
  }
  ~Client() { base::ShutdownLog(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Until the server says that it is over; false when the connection failed, or it took too long.
  bool Run() {
    async::Spawn(loop_.get_executor(), "bench", Main());
    loop_.run();
    return over_;
  }
  const MarkingInbox& Inbox() const { return *inbox_; }

 private:
  Task<void> Main() {
    service::ManagerOptions options;
    options.config.base_dir = dir_.Path();
    options.config.services_dir = dir_.Path() + "/services";
    options.config.log_dir = dir_.Path() + "/logs";
    options.config.state_dir = dir_.Path() + "/state";
    config::ServiceConfig service;
    service.name = "api";
    service.kind = config::ServiceKind::kProcess;
    service.entrypoint = {"sleep", "100000"};
    options.services.push_back(std::move(service));
    options.backends = &MakeProcessBackend;
    options.environment = os::InheritedEnvironment({});
    options.clock = &clock_;
    options.pool = &pool_;
    auto manager = co_await service::Manager::Create(loop_.get_executor(), std::move(options), notifier_);
    if (!manager) throw std::runtime_error(manager.error().what);
    manager_ = std::move(*manager);
    auto store = gate::GateStore::Open(":memory:");
    if (!store) throw std::runtime_error(store.error().what);
    gate_.emplace(gate::GateSetup{.executor = loop_.get_executor(),
                                  .manager = *manager_,
                                  .notifier = notifier_,
                                  .clock = clock_,
                                  .store = *std::move(store),
                                  .max_parallel = 1});
    dispatcher_.emplace(chat::Desk{
        .manager = *manager_, .gate = *gate_, .verbs = verbs_, .access = access_, .clock = clock_, .frontends = {}});
    hub_.emplace(loop_.get_executor(), *dispatcher_, outbox_, "!");
    inbox_.emplace(loop_.get_executor(), *hub_, events_);

    config::DiscordConfig discord;
    discord.guild_id = kGuild;
    discord.channels.push_back({.id = kChannel, .services = {}, .notices = {}});
    discord.api_url = fmt::format("http://127.0.0.1:{}/api/v10", port_);
    frontend_ = platforms::discord::CreateDiscord(loop_.get_executor(), std::move(discord), base::Secret("bench"), "",
                                                  clock_, "!");
    outbox_.Add(*frontend_);
    platform_.Spawn("discord", Serve());
    over_ = co_await inbox_->Over().WaitFor(std::chrono::seconds(kPatience));
    co_await hub_->Close(kJoinLimit);
    co_await manager_->Stop();
    co_await outbox_.Close(kJoinLimit);
    platform_.Cancel();
    co_await platform_.Join(kJoinLimit);
    loop_.stop();
  }

  Task<void> Serve() {
    const auto ended = co_await frontend_->Run(*inbox_);
    if (!ended && ended.error().code != Errc::kCancelled) {
      std::fprintf(stderr, "gateway: %s\n", ended.error().what.c_str());
      loop_.stop();
    }
  }

  const std::uint16_t port_;
  TempDir dir_;
  base::SystemClock clock_;
  boost::asio::io_context loop_;
  async::WorkerPool pool_;
  chat::Verbs verbs_;
  chat::Access access_;
  service::NopNotifier notifier_;
  chat::Outbox outbox_;
  const std::size_t events_;
  std::unique_ptr<service::Manager> manager_;
  std::optional<gate::DeployGate> gate_;
  std::optional<chat::Dispatcher> dispatcher_;
  std::optional<chat::Hub> hub_;
  std::optional<MarkingInbox> inbox_;
  std::unique_ptr<chat::Frontend> frontend_;
  async::TaskGroup platform_;
  bool over_ = false;
};

struct Order {
  bool events = false;
  bool serve = false;
  std::size_t count = 0;
  std::size_t runs = 1;
  FieldOrder fields = FieldOrder::kChannelLate;
  Pace pace = Pace::kBursts;
};

std::string VariantOf(const Order& order) {
  if (order.events) return order.fields == FieldOrder::kChannelEarly ? "channel_early" : "channel_late";
  return order.pace == Pace::kBursts ? "bursts" : "steady";
}

void Serve(BlastServer& server, const Order& order) {
  server.WaitForIdentify(kPatience);
  if (order.events) {
    server.Blast(order.count, order.runs, order.fields);
  } else {
    const auto times = server.Command(kCommand, order.count, order.pace);
    const std::string variant = VariantOf(order);
    Print({.bench = "commands", .what = "command_to_rest", .variant = variant, .n = order.count, .unit = "us"}, times);
    Print({.bench = "commands", .what = "command_to_rest_p99", .variant = variant, .n = order.count, .unit = "us"},
          {Percentile(times, 99)});
  }
  server.Over();
  server.WaitForEnd(kPatience);
}

int ServeAndReport(BlastServer& server, const Order& order) {
  try {
    Serve(server, order);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gateway: %s\n", error.what());
    return 1;
  }
}

// What the client itself can tell.
void PrintOwn(const Client& client, const Order& order) {
  const auto print = [&](const char* what, const char* unit, std::vector<double> values) {
    Print({.bench = order.events ? "events" : "commands",
           .what = what,
           .variant = VariantOf(order),
           .n = order.count,
           .unit = unit},
          std::move(values));
  };
  if (order.events) {
    print("cpu_per_event", "us", client.Inbox().CpuPerEvent());
    print("rate", "1/s", client.Inbox().Rate());
    return;
  }
  // The last ones: what came before them was the connections' beginning.
  std::vector<double> times = WireTimes();
  if (times.size() > order.count) times.erase(times.begin(), times.end() - static_cast<std::ptrdiff_t>(order.count));
  if (times.empty()) return;
  print("frame_to_request", "us", times);
  print("frame_to_request_p99", "us", {Percentile(times, 99)});
}

int Measure(const Order& order) {
  BlastServer server;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(ServeAndReport(server, order));
  }
  bool good = false;
  {
    Client client(server.Port(), order.count);
    if (!order.events) WatchWire();
    good = client.Run();
    if (good) PrintOwn(client, order);
  }
  if (!good) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  return good && status == 0 ? 0 : 1;
}

bool ReadNumber(std::string_view text, std::size_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out > 0;
}

std::optional<Order> ReadOrder(std::vector<std::string_view> words) {
  Order order;
  if (!words.empty() && words.front() == "serve") {
    order.serve = true;
    words.erase(words.begin());
  }
  if (words.size() < 2 || !ReadNumber(words[1], &order.count)) return std::nullopt;
  order.events = words[0] == "events";
  if (order.events && words.size() == 4 && words.back() == "channel_early") {
    order.fields = FieldOrder::kChannelEarly;
    words.pop_back();
  } else if (words[0] == "commands" && words.size() == 3 && words.back() == "steady") {
    order.pace = Pace::kSteady;
    words.pop_back();
  }
  if (!order.events) return words[0] == "commands" && words.size() == 2 ? std::optional(order) : std::nullopt;
  return words.size() == 3 && ReadNumber(words[2], &order.runs) ? std::optional(order) : std::nullopt;
}

int Main(const std::vector<std::string_view>& words) {
  const auto order = ReadOrder(words);
  if (!order) {
    std::fputs("usage: gateway [serve] events COUNT RUNS [channel_early] | gateway [serve] commands COUNT [steady]\n",
               stderr);
    return 2;
  }
  if (!order->serve) return Measure(*order);
  BlastServer server;
  std::printf("{\"port\": %u}\n", static_cast<unsigned>(server.Port()));
  std::fflush(stdout);
  return ServeAndReport(server, *order);
}

}  // namespace

}  // namespace shipmate::bench

int main(int argc, char** argv) {
  return shipmate::bench::Main({argv + 1, argv + argc});
}
