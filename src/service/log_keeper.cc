#include "service/log_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/log.h"
#include "service/logfile.h"

namespace shipmate::service {

namespace {

// Where files cannot be watched.
constexpr std::chrono::seconds kPollInterval{5};
constexpr std::chrono::milliseconds kFirstLook{300};

}  // namespace

LogKeeper::LogKeeper(Options options)
    : options_(std::move(options)), timer_(options_.executor), loop_(options_.executor) {}

// Close has disarmed it; where the loop ended before that, there may be no watch any more.
LogKeeper::~LogKeeper() = default;

void LogKeeper::SetBound(std::uint64_t bound) {
  if (std::exchange(options_.bound, bound) == bound) return;
  others_.reset();
  changed_ = true;
  if (writing_) Wake();
}

void LogKeeper::Follow(std::string path, Log log) {
  next_log_ = log;
  next_ = std::move(path);
  Wake();
}

void LogKeeper::RunEnded() {
  ended_ = true;
  Wake();
}

void LogKeeper::Wake() {
  timer_.cancel();
  if (!std::exchange(running_, true)) loop_.Spawn(options_.name + ": keeping its log", Loop());
}

std::optional<std::uint64_t> LogKeeper::SizeAt(const std::string& path, base::WallTime time) const {
  if (path != path_ || next_) return std::nullopt;
  return history_.SizeAt(time);
}

Task<void> LogKeeper::Close() {
  Disarm();
  loop_.Cancel();
  if (!co_await loop_.Join(std::chrono::seconds(5))) LogError(options_.name + ": its log's keeper did not end");
  Disarm();
}

Task<void> LogKeeper::Pause(std::chrono::milliseconds limit) {
  timer_.expires_after(limit);
  while (!ended_ && !next_) {
    const auto [error] = co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) {
      throw boost::system::system_error(boost::asio::error::operation_aborted);
    }
    if (!error) co_return;
  }
}

Task<void> LogKeeper::Loop() {
  const auto done = [](bool* running) { *running = false; };
  const std::unique_ptr<bool, decltype(done)> scope(&running_, done);
  while (true) {
    if (ended_) {
      ended_ = false;
      writing_ = false;
      Disarm();
      co_await Look(Scope::kAllFiles, Compaction::kAll);
    } else if (next_) {
      co_await BeginRun();
    } else if (writing_ && (changed_ || !armed_)) {
      co_await LookAndPace();
    } else {
      co_return;
    }
  }
}

Task<void> LogKeeper::BeginRun() {
  Disarm();
  path_ = *std::exchange(next_, std::nullopt);
  writing_ = true;
  changed_ = true;
  last_size_ = 0;
  marked_ = next_log_ == Log::kNew;
  truncation_told_ = false;
  history_.Clear();
  if (marked_) history_.Add(options_.clock->WallNow(), 0);
  pace_.Wake();
  // A start is not held up by a look at what earlier runs have left.
  co_await Pause(kFirstLook);
  if (ended_ || next_) co_return;
  co_await Look(Scope::kAllFiles, Compaction::kOthers);
}

Task<void> LogKeeper::LookAndPace() {
  changed_ = false;
  // Armed first: what is written after the look is told.
  Arm();
  const auto before = last_look_;
  co_await Look(Scope::kCurrent, Compaction::kNone);
  if (ended_ || next_) co_return;
  if (grown_ > 0) {
    // Not to be told of every write: the pace is ours.
    Disarm();
    co_await Pause(pace_.Next(grown_, last_look_ - before, room_, options_.bound));
    changed_ = true;
    co_return;
  }
  pace_.Wake();
  if (!armed_ && !changed_) co_await Pause(kPollInterval);
}

Task<void> LogKeeper::Look(Scope scope, Compaction compaction) {
  TidyRequest request;
  request.dir = options_.dir;
  request.name = options_.name;
  request.current = path_;
  request.bound = options_.bound;
  request.compaction = compaction;
  if (scope == Scope::kCurrent) request.others = others_;
  if (scope == Scope::kAllFiles && options_.listing != nullptr) request.listing = co_await options_.listing->Look();
  const auto report = co_await options_.pool->Run([request = std::move(request)] { return TidyLogs(request); });
  others_ = report.others;
  last_look_ = options_.clock->Now();
  for (const std::string& problem : report.problems) Say(problem);
  grown_ = 0;
  if (!report.current) {
    if (writing_ && !ended_)
      Say(fmt::format("its log {} is gone; its further output is lost until it is restarted", path_));
    co_return;
  }
  const os::FileUse& use = *report.current;
  if (report.moved != 0) {
    history_.Shift(report.moved);
  } else if (use.size < last_size_ || (marked_ && !report.marked)) {
    NoteShrinking(use);
  } else {
    grown_ = use.size - last_size_;
  }
  last_size_ = use.size;
  marked_ = report.marked;
  const std::uint64_t total = use.used + report.others;
  room_ = total < options_.bound ? options_.bound - total : 0;
  // The time after the look: what is written in between counts as later.
  history_.Add(options_.clock->WallNow(), use.size);
}

void LogKeeper::NoteShrinking(const os::FileUse& use) {
  history_.Clear();
  grown_ = std::max<std::uint64_t>(use.size, 1);
  if (!writing_ || std::exchange(truncation_told_, true)) return;
  LogWarn(
      fmt::format("{}: its log was cut short, and what it had printed is lost: a program that opens /dev/stderr or "
                  "/dev/stdout for writing does that; write `>&2` instead of `> /dev/stderr`",
                  options_.name));
  const auto marked =
      AppendMarker(path_, "=== The service cut its own log short here: write `>&2` instead of `> /dev/stderr` ===");
  if (!marked) Say(marked.error().what);
}

void LogKeeper::Arm() {
  if (armed_ || options_.watch == nullptr) return;
  const auto number = options_.watch->Arm(path_, [this] {
    armed_.reset();
    changed_ = true;
    Wake();
  });
  if (number) {
    armed_ = *number;
  } else if (number.error().code != Errc::kNotFound) {
    Say(number.error().what + "; looking every 5 seconds instead");
  }
}

void LogKeeper::Disarm() {
  if (armed_) options_.watch->Disarm(*std::exchange(armed_, std::nullopt));
}

void LogKeeper::Say(const std::string& problem) {
  constexpr std::size_t kMost = 100;
  if (told_.size() < kMost && told_.insert(problem).second) LogWarn(options_.name + ": " + problem);
}

}  // namespace shipmate::service
