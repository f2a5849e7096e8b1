// The chat core alone: rendering the end of a large log, reading messages that are no commands, and taking notices
// through an outbox on disk.

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mask.h"
#include "bench/figures.h"
#include "bench/temp_dir.h"
#include "chat/command.h"
#include "chat/outbox.h"
#include "chat/render.h"
#include "platforms/discord/dialect.h"

namespace {

std::size_t allocations = 0;

}  // namespace

// Counted, for the figures "allocations".
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace shipmate::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;

// Posts at once, as the quickest platform would.
class InstantFrontend final : public chat::Frontend {
 public:
  std::string Name() const override { return "instant"; }
  const chat::Dialect& GetDialect() const override { return dialect_; }
  const std::vector<config::ChannelConfig>& Channels() const override { return channels_; }
  Task<Result<void>> Run(chat::Inbox&) override { co_return Result<void>(); }
  Task<void> Ready() override { co_return; }
  chat::Abilities GetAbilities() const override {
    return {.edits = true, .files = true, .lasting = true, .repeat_window = std::chrono::minutes(2)};
  }
  Task<Result<chat::Posted>> Send(chat::Outgoing) override { co_return chat::Posted{.id = std::to_string(++sent)}; }
  Task<Result<void>> Edit(chat::Revision) override { co_return Result<void>(); }
  Task<Result<std::optional<chat::Posted>>> FindOwn(chat::Doubt) override { co_return std::optional<chat::Posted>(); }
  chat::Health GetHealth() const override { return {chat::Connection::kReady, ""}; }

  std::size_t sent = 0;

 private:
  platforms::discord::DiscordDialect dialect_;
  std::vector<config::ChannelConfig> channels_{{.id = "c1"}};
};

int Render(std::size_t megabytes, std::size_t runs) {
  std::string output;
  while (output.size() < megabytes * 1000 * 1000) {
    output += fmt::format("2026-01-02T03:04:05Z \x1b[32mINFO\x1b[0m request {} took 12 ms, user \u00e9, `path` /a_b\n",
                          output.size());
  }
  base::Masker masker;
  masker.Add(base::Secret("hunter2-token"));
  const platforms::discord::DiscordDialect dialect;
  chat::Message message;
  message.headline.Bold("api");
  message.code = std::move(output);
  std::vector<double> times;
  std::vector<double> counts;
  for (std::size_t i = 0; i < runs; ++i) {
    allocations = 0;
    const auto began = SteadyClock::now();
    const std::string text = chat::Render(message, dialect, &masker);
    times.push_back(Milliseconds(SteadyClock::now() - began) * 1000);
    counts.push_back(static_cast<double>(allocations));
    if (text.size() < 1000) return 1;
  }
  Print({.bench = "chat", .what = "render_log", .variant = "discord", .n = megabytes, .unit = "us"}, times);
  Print({.bench = "chat", .what = "render_log_allocations", .variant = "discord", .n = megabytes, .unit = "1"}, counts);
  return 0;
}

int Parse(std::size_t messages, std::size_t runs) {
  const std::vector<std::string> said = {
      "good morning", "please restart the api when you can", "what does status say?", "\u00e4h, deploy it tomorrow!",
      "https://forge.example/acme/shop/pull/12 looks good to me, shipping it after lunch, thanks for the review"};
  std::vector<double> times;
  std::vector<double> counts;
  for (std::size_t run = 0; run < runs; ++run) {
    allocations = 0;
    std::size_t commands = 0;
    const auto began = SteadyClock::now();
    for (std::size_t i = 0; i < messages; ++i) {
      const chat::Parsed parsed = chat::ParseCommandText(said[i % said.size()], {.prefix = "!", .addressed = false});
      if (!std::holds_alternative<chat::NotACommand>(parsed)) ++commands;
    }
    const double nanoseconds = Milliseconds(SteadyClock::now() - began) * 1e6;
    if (commands != 0) return 1;
    times.push_back(nanoseconds / static_cast<double>(messages));
    counts.push_back(static_cast<double>(allocations) / static_cast<double>(messages));
  }
  Print({.bench = "chat", .what = "parse_no_command", .variant = "", .n = messages, .unit = "ns"}, times);
  Print({.bench = "chat", .what = "parse_no_command_allocations", .variant = "", .n = messages, .unit = "1"}, counts);
  return 0;
}

int Outbox(std::size_t notices, std::size_t runs) {
  std::vector<double> rates;
  std::vector<double> queueing;
  for (std::size_t run = 0; run < runs; ++run) {
    const TempDir directory;
    auto database = store::Database::Open(directory.Path() + "/outbox.db", chat::OutboxStore::Migrations());
    if (!database) {
      std::fprintf(stderr, "chat: %s\n", database.error().what.c_str());
      return 1;
    }
    boost::asio::io_context loop(1);
    InstantFrontend frontend;
    chat::Outbox outbox(loop.get_executor(), {.database = database->get()});
    outbox.Add(frontend);
    loop.poll();
    SteadyClock::duration in_notice{0};
    const auto began = SteadyClock::now();
    for (std::size_t i = 0; i < notices; ++i) {
      chat::Message message;
      message.headline.Bold("api").Plain(": exited with status 3 after 12s");
      message.code = "one line\nand another";
      const auto before = SteadyClock::now();
      outbox.Notice("service", "api", fmt::format("service:api:{}:exited", i), message);
      in_notice += SteadyClock::now() - before;
      loop.poll();
    }
    const double seconds = Milliseconds(SteadyClock::now() - began) / 1000;
    if (frontend.sent != notices) return 1;
    rates.push_back(static_cast<double>(notices) / seconds);
    queueing.push_back(Milliseconds(in_notice) * 1000 / static_cast<double>(notices));
  }
  Print({.bench = "chat", .what = "outbox_rate", .variant = "on disk", .n = notices, .unit = "1/s"}, rates);
  Print({.bench = "chat", .what = "outbox_queue", .variant = "on disk", .n = notices, .unit = "us"}, queueing);
  return 0;
}

std::size_t Number(const char* text) {
  std::size_t number = 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

int Main(int argc, char** argv) {
  const std::string_view what = argc == 4 ? argv[1] : "";
  const std::size_t count = argc == 4 ? Number(argv[2]) : 0;
  const std::size_t runs = argc == 4 ? Number(argv[3]) : 0;
  if (count > 0 && runs > 0) {
    if (what == "render") return Render(count, runs);
    if (what == "parse") return Parse(count, runs);
    if (what == "outbox") return Outbox(count, runs);
  }
  std::fputs("usage: chat render MEGABYTES RUNS | chat parse MESSAGES RUNS | chat outbox NOTICES RUNS\n", stderr);
  return 2;
}

}  // namespace

}  // namespace shipmate::bench

int main(int argc, char** argv) {
  return shipmate::bench::Main(argc, argv);
}
