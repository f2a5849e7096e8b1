#include "chat/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "chat/render.h"

namespace shipmate::chat {

namespace {

// A cancelled Send has this long to come back.
constexpr std::chrono::seconds kUnwindLimit(2);

bool Wants(const std::vector<std::string>& wanted, const std::string& thing) {
  return wanted.empty() || std::ranges::find(wanted, thing) != wanted.end();
}

std::string LeftOutLine(std::size_t notices) {
  return fmt::format("{} {} left out", notices, notices == 1 ? "notice" : "notices");
}

void LogLate(const std::string& key) {
  LogWarn("outbox: too late to be posted: " + key);
}

}  // namespace

struct Outbox::Queue {
  struct Item {
    Outgoing post;
    bool notice = false;
  };

  Queue(const Executor& executor, Frontend& its_frontend)
      : frontend(its_frontend), wake(executor, std::chrono::steady_clock::time_point::max()) {}

  void Push(Item item) {
    if (item.notice) {
      if (items.size() >= kCapacity && !DropOldestNotice()) {
        ++left_out[item.post.channel];
        return;
      }
      ++notices;
    } else if (items.size() - notices >= kCapacity) {
      if (answers_left_out++ == 0) {
        LogWarn(fmt::format("{}: {} answers wait already; further ones are left out", frontend.Name(), kCapacity));
      }
      return;
    } else if (items.size() >= kCapacity) {
      DropOldestNotice();
    }
    items.push_back(std::move(item));
    wake.cancel();
  }

  // What comes next: first, in its channel, the count of what had to be left out there.
  std::optional<Outgoing> Take() {
    if (items.empty()) {
      if (answers_left_out > 0) {
        LogWarn(fmt::format("{}: {} answers were left out", frontend.Name(), answers_left_out));
        answers_left_out = 0;
      }
      if (left_out.empty()) return std::nullopt;
      return TakeLeftOut(left_out.begin());
    }
    if (const auto missing = left_out.find(items.front().post.channel); missing != left_out.end()) {
      return TakeLeftOut(missing);
    }
    const bool many = notices >= kMergeFrom;
    Item first = std::move(items.front());
    items.pop_front();
    if (first.notice) {
      --notices;
      if (many) Merge(first.post);
    }
    return std::move(first.post);
  }

  std::size_t Waiting() const { return items.size() + (sending ? 1 : 0); }

  Frontend& frontend;
  boost::asio::steady_timer wake;
  std::deque<Item> items;
  std::size_t notices = 0;
  std::map<std::string, std::size_t> left_out;
  std::uint64_t left_out_lines = 0;
  std::size_t answers_left_out = 0;
  bool sending = false;

 private:
  // The newest news matter most.
  bool DropOldestNotice() {
    const auto oldest = std::ranges::find_if(items, &Item::notice);
    if (oldest == items.end()) return false;
    ++left_out[oldest->post.channel];
    items.erase(oldest);
    --notices;
    return true;
  }

  Outgoing TakeLeftOut(std::map<std::string, std::size_t>::iterator missing) {
    Outgoing line;
    line.channel = missing->first;
    line.text = LeftOutLine(missing->second);
    line.key = fmt::format("left-out:{}@{}", ++left_out_lines, line.channel);
    left_out.erase(missing);
    return line;
  }

  // Adds the notices that follow in the same channel, up to its next answer, while all fits into one message.
  void Merge(Outgoing& post) {
    const std::size_t limit = frontend.GetDialect().MessageLimit();
    std::size_t size = base::RuneCount(post.text);
    for (auto next = items.begin(); next != items.end();) {
      if (next->post.channel != post.channel) {
        ++next;
        continue;
      }
      const std::size_t more = base::RuneCount(next->post.text) + 1;
      if (!next->notice || size + more > limit) return;
      size += more;
      post.text += "\n" + next->post.text;
      next = items.erase(next);
      --notices;
    }
  }
};

Outbox::Outbox(Executor executor, std::shared_ptr<const base::Masker> masker)
    : executor_(std::move(executor)), masker_(std::move(masker)), senders_(executor_) {}

Outbox::~Outbox() = default;

void Outbox::Add(Frontend& frontend) {
  frontends_.push_back(&frontend);
  queues_.push_back(std::make_unique<Queue>(executor_, frontend));
  senders_.Spawn("outbox of " + frontend.Name(), Drain(*queues_.back()));
}

void Outbox::Reply(Frontend& frontend, const std::string& channel, const std::string& reply_to, const std::string& key,
                   Message message) {
  if (ended_) return LogLate(key);
  for (const auto& queue : queues_) {
    if (&queue->frontend != &frontend) continue;
    queue->Push({.post = {.channel = channel,
                          .text = Render(message, frontend.GetDialect(), masker_.get()),
                          .reply_to = reply_to,
                          .key = key},
                 .notice = false});
  }
}

void Outbox::Notice(const std::string& kind, const std::string& service, const std::string& key, const Message& message,
                    Repeat repeat) {
  if (ended_) return LogLate(key);
  for (const auto& queue : queues_) {
    Frontend& frontend = queue->frontend;
    std::optional<std::string> text;
    for (const config::ChannelConfig& channel : frontend.Channels()) {
      if (!Wants(channel.notices, kind) || !Wants(channel.services, service)) continue;
      if (repeat == Repeat::kNotWhereAnswered && Answered(frontend.Name(), channel.id, service)) continue;
      if (!text) text = Render(message, frontend.GetDialect(), masker_.get());
      queue->Push({.post = {.channel = channel.id, .text = *text, .reply_to = "", .key = key + "@" + channel.id},
                   .notice = true});
    }
  }
}

void Outbox::Announce(const std::string& key, const Message& message) {
  if (ended_) return LogLate(key);
  for (const auto& queue : queues_) {
    Frontend& frontend = queue->frontend;
    const std::string text = Render(message, frontend.GetDialect(), masker_.get());
    for (const config::ChannelConfig& channel : frontend.Channels()) {
      queue->Push({.post = {.channel = channel.id, .text = text, .reply_to = "", .key = key + "@" + channel.id},
                   .notice = true});
    }
  }
}

bool Outbox::Answered(const std::string& platform, const std::string& channel, const std::string& service) const {
  return std::ranges::any_of(awaited_, [&](const Awaited* awaited) {
    return awaited->platform_ == platform && awaited->channel_ == channel &&
           std::ranges::any_of(awaited->patterns_,
                               [&](const std::string& pattern) { return base::GlobMatch(pattern, service); });
  });
}

Outbox::Awaited::Awaited(Outbox& outbox, std::string platform, std::string channel, std::vector<std::string> patterns)
    : outbox_(outbox),
      platform_(std::move(platform)),
      channel_(std::move(channel)),
      patterns_(std::move(patterns)),
      place_(outbox.awaited_.insert(outbox.awaited_.end(), this)) {}

Outbox::Awaited::~Awaited() {
  outbox_.awaited_.erase(place_);
}

Task<void> Outbox::Drain(Queue& queue) {
  co_await queue.frontend.Ready();
  for (;;) {
    std::optional<Outgoing> next = queue.Take();
    if (next) {
      co_await Post(queue, std::move(*next));
    } else if (closed_) {
      co_return;
    } else {
      co_await queue.wake.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      const auto state = co_await boost::asio::this_coro::cancellation_state;
      if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
    }
  }
}

Task<void> Outbox::Post(Queue& queue, Outgoing outgoing) {
  const std::string what = fmt::format("{}: posting {}", queue.frontend.Name(), outgoing.key);
  std::optional<std::string> failure;
  queue.sending = true;
  try {
    const auto sent = co_await queue.frontend.Send(std::move(outgoing));
    if (!sent && sent.error().code != Errc::kCancelled) failure = sent.error().what;
  } catch (const boost::system::system_error& error) {
    // Given up by Close, which counts it as left.
    if (error.code() == boost::asio::error::operation_aborted) throw;
    failure = error.what();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  queue.sending = false;
  if (failure) LogWarn(what + ": " + *failure);
}

Task<void> Outbox::Close(std::chrono::milliseconds limit) {
  closed_ = true;
  for (const auto& queue : queues_) queue->wake.cancel();
  const bool all_sent = co_await senders_.Join(limit);
  ended_ = true;
  if (all_sent) co_return;
  for (const auto& queue : queues_) {
    if (queue->Waiting() == 0) continue;
    LogWarn(
        fmt::format("{}: {} messages could not be posted before the end", queue->frontend.Name(), queue->Waiting()));
  }
  senders_.Cancel();
  if (!co_await senders_.Join(kUnwindLimit)) LogError("outbox: a sender does not end");
}

}  // namespace shipmate::chat
