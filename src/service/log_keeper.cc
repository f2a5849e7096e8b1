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

}  // namespace

LogKeeper::LogKeeper(Options options)
    : options_(std::move(options)), timer_(options_.executor), loop_(options_.executor) {}

LogKeeper::~LogKeeper() {
  Disarm();
}

void LogKeeper::SetBound(std::uint64_t bound) {
  if (std::exchange(options_.bound, bound) == bound) return;
  others_.reset();
  changed_ = true;
  timer_.cancel();
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
  loop_.Cancel();
  if (!co_await loop_.Join(std::chrono::seconds(5))) LogError(options_.name + ": its log's keeper did not end");
  Disarm();
}

Task<bool> LogKeeper::Wait(std::optional<std::chrono::milliseconds> limit) {
  if (limit) {
    timer_.expires_after(*limit);
  } else {
    timer_.expires_at(std::chrono::steady_clock::time_point::max());
  }
  const auto [error] = co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  if (state.cancelled() != boost::asio::cancellation_type::none) {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
  }
  co_return !error;
}

Task<void> LogKeeper::Loop() {
  while (true) {
    if (ended_) {
      ended_ = false;
      writing_ = false;
      Disarm();
      co_await Look(Scope::kAllFiles, Compaction::kAll);
    } else if (next_) {
      Disarm();
      path_ = *std::exchange(next_, std::nullopt);
      writing_ = true;
      last_size_ = 0;
      marked_ = next_log_ == Log::kNew;
      truncation_told_ = false;
      history_.Clear();
      pace_.Wake();
      // What earlier runs left, too.
      co_await Look(Scope::kAllFiles, Compaction::kOthers);
    } else if (writing_) {
      changed_ = false;
      // Armed first: what is written after the look is told.
      Arm();
      const auto before = last_look_;
      co_await Look(Scope::kCurrent, Compaction::kNone);
      if (ended_ || next_) continue;
      if (grown_ > 0) {
        // Not to be told of every write: the pace is ours.
        Disarm();
        const auto pause = pace_.Next(grown_, last_look_ - before, room_, options_.bound);
        while (!ended_ && !next_ && !co_await Wait(pause)) {
        }
        continue;
      }
      pace_.Wake();
      while (!changed_ && !ended_ && !next_) {
        co_await Wait(armed_ ? std::nullopt : std::optional<std::chrono::milliseconds>(kPollInterval));
        if (!armed_) break;
      }
    } else {
      co_await Wait(std::nullopt);
      changed_ = false;
    }
  }
}

Task<void> LogKeeper::Look(Scope scope, Compaction compaction) {
  TidyRequest request;
  request.dir = options_.dir;
  request.name = options_.name;
  request.current = path_;
  request.bound = options_.bound;
  request.compaction = compaction;
  if (scope == Scope::kCurrent) request.others = others_;
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
    timer_.cancel();
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
