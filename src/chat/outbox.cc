#include "chat/outbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <random>

#include "async/backoff.h"
#include "base/log.h"
#include "base/text.h"
#include "chat/clean.h"
#include "chat/outbox_lane.h"
#include "chat/render.h"

namespace shipmate::chat {

namespace {

// A cancelled Send has this long to come back.
constexpr std::chrono::seconds kUnwindLimit(2);
constexpr std::size_t kHeadlineRunes = 200;
// Between two lines in the log about a database that cannot be written.
constexpr std::chrono::minutes kComplaintInterval(1);

bool Wants(const std::vector<std::string>& wanted, const std::string& thing) {
  return wanted.empty() || std::ranges::find(wanted, thing) != wanted.end();
}

void LogLate(const std::string& key) {
  LogWarn("outbox: too late to be posted: " + key);
}

const base::Clock& MachineClock() {
  static const base::SystemClock clock;
  return clock;
}

}  // namespace

Outbox::Outbox(Executor executor, OutboxOptions options)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : MachineClock()),
      senders_(executor_),
      recorder_wake_(executor_, std::chrono::steady_clock::time_point::max()) {
  if (options_.database == nullptr) {
    auto made = store::Database::Open(":memory:", OutboxStore::Migrations());
    if (made) memory_ = std::move(*made);
  }
  store::Database* database = options_.database != nullptr ? options_.database : memory_.get();
  if (database != nullptr) {
    store_.emplace(*database);
    Note(store_->Tidy(clock_.WallNow(), options_.memory, options_.age));
  }
  senders_.Spawn("outbox's records", RecordAnswers());
}

Outbox::~Outbox() = default;

void Outbox::Add(Frontend& frontend) {
  frontends_.push_back(&frontend);
  desks_.push_back(std::make_unique<Desk>(frontend));
  Desk& desk = *desks_.back();
  if (!desk.abilities.lasting || !store_) return;
  auto waiting = store_->Waiting(frontend.Name());
  if (!waiting) return Note(Fail(waiting.error()));
  for (OutgoingItem& item : *waiting) {
    const bool known = std::ranges::any_of(
        frontend.Channels(), [&](const config::ChannelConfig& channel) { return channel.id == item.post.channel; });
    Lane& lane = LaneOf(desk, item.post.channel);
    item.serial = ++serials_;
    // An answer goes back to where it was asked for; a notice only to where notices go now.
    if (!known && item.priority >= Priority::kNotice) {
      GiveUp(lane, item);
    } else {
      Settled(lane, lane.queue.Push(std::move(item)));
    }
  }
  if (!waiting->empty()) {
    LogInfo(fmt::format("{}: {} messages of an earlier run wait to be posted", frontend.Name(), waiting->size()));
  }
}

Outbox::Desk* Outbox::DeskOf(const Frontend& frontend) {
  const auto found = std::ranges::find_if(desks_, [&](const auto& desk) { return &desk->frontend == &frontend; });
  return found == desks_.end() ? nullptr : found->get();
}

Outbox::Lane& Outbox::LaneOf(Desk& desk, const std::string& channel) {
  auto& lane = desk.lanes[channel];
  if (!lane) {
    lane = std::make_unique<Lane>(executor_, desk, channel, options_);
    if (Keeps(*lane)) {
      if (auto place = store_->PlaceOf(desk.frontend.Name(), channel)) {
        lane->latest = std::move(place->latest);
        lane->left_out = place->left_out;
      }
    }
    senders_.Spawn(fmt::format("outbox of {} {}", desk.frontend.Name(), channel), Drain(*lane));
  }
  return *lane;
}

bool Outbox::Keeps(const Lane& lane) const {
  return store_ && lane.desk.abilities.lasting;
}

void Outbox::Note(const Result<void>& stored) {
  if (stored || clock_.Now() < next_complaint_) return;
  next_complaint_ = clock_.Now() + kComplaintInterval;
  LogError("outbox: messages are posted, but a restart may lose or repeat some: " + stored.error().what);
}

OutgoingItem Outbox::MakeItem(const Desk& desk, const std::string& channel, const std::string& key,
                              const Message& message) {
  OutgoingItem item;
  item.post.channel = channel;
  item.post.key = key;
  const Dialect& dialect = desk.frontend.GetDialect();
  if (desk.abilities.files) {
    Rendered rendered = RenderAll(message, dialect, options_.masker.get());
    item.post.text = std::move(rendered.text);
    item.post.attachments = std::move(rendered.files);
  } else {
    item.post.text = Render(message, dialect, options_.masker.get());
  }
  if (desk.abilities.edits) item.slot = message.edit_key;
  item.post.tone = message.tone;
  item.post.choices = message.choices;
  item.headline = base::EscapeControls(message.headline.Bare());
  if (options_.masker) item.headline = options_.masker->Mask(item.headline);
  item.headline = Shorten(item.headline, kHeadlineRunes);
  item.failure = message.tone == Message::Tone::kFailure;
  item.alone = message.asks;
  item.created = clock_.WallNow();
  item.serial = ++serials_;
  return item;
}

void Outbox::Reply(Frontend& frontend, Answer answer) {
  if (ended_) return LogLate(answer.key);
  Desk* desk = DeskOf(frontend);
  if (desk == nullptr) return;
  Lane& lane = LaneOf(*desk, answer.channel);
  OutgoingItem item = MakeItem(*desk, answer.channel, answer.key, answer.message);
  item.post.reply_to = std::move(answer.reply_to);
  item.priority = answer.priority;
  if (desk->abilities.edits) item.instead_of = std::move(answer.instead_of);
  item.kept = std::move(answer.kept);
  if (Keeps(lane) && (closed_ || answer.record == Answer::Record::kFirst)) {
    if (!Record(lane, item)) return GiveUp(lane, item);
  }
  const std::uint64_t serial = item.serial;
  const bool recorded = item.row != 0;
  Enqueue(lane, std::move(item));
  if (!Keeps(lane)) {
    // There is nothing to wait for.
    if (OutgoingItem* waiting = lane.Find(serial)) lane.Kept(*waiting);
  } else if (!recorded) {
    unrecorded_.push_back({.at = clock_.Now() + options_.answer_grace, .lane = &lane, .serial = serial});
    if (unrecorded_.size() == 1) recorder_wake_.cancel();
  }
}

void Outbox::Notice(const std::string& kind, const std::string& service, const std::string& key, const Message& message,
                    Repeat repeat) {
  if (ended_) return LogLate(key);
  for (const auto& desk : desks_) {
    const Frontend& frontend = desk->frontend;
    for (const config::ChannelConfig& channel : frontend.Channels()) {
      if (!Wants(channel.notices, kind) || !Wants(channel.services, service)) continue;
      if (repeat == Repeat::kNotWhereAnswered && Answered(frontend.Name(), channel.id, service) &&
          !IsShown(*desk, channel.id, message.edit_key)) {
        continue;
      }
      QueueNotice(*desk, channel.id, key, message);
    }
  }
}

bool Outbox::IsShown(Desk& desk, const std::string& channel, const std::string& slot) {
  if (slot.empty() || !desk.abilities.edits) return false;
  bool waits = false;
  LaneOf(desk, channel).ForEach([&](const OutgoingItem& item) { waits = waits || item.slot == slot; });
  if (waits || !store_) return waits;
  const auto post = store_->PostOf(desk.frontend.Name(), channel, slot);
  if (!post) Note(Fail(post.error()));
  return post && !post->empty();
}

void Outbox::Announce(const std::string& key, const Message& message) {
  if (ended_) return LogLate(key);
  for (const auto& desk : desks_) {
    for (const config::ChannelConfig& channel : desk->frontend.Channels()) QueueNotice(*desk, channel.id, key, message);
  }
}

void Outbox::QueueNotice(Desk& desk, const std::string& channel, const std::string& key, const Message& message) {
  const bool passing = message.stage == Message::Stage::kPassing;
  if (passing && !desk.abilities.edits) return;
  Lane& lane = LaneOf(desk, channel);
  OutgoingItem item = MakeItem(desk, channel, key + "@" + channel, message);
  item.priority = passing ? Priority::kTail : Priority::kNotice;
  if (!passing && Keeps(lane) && !Record(lane, item)) return;
  Enqueue(lane, std::move(item));
}

void Outbox::Enqueue(Lane& lane, OutgoingItem item) {
  Settled(lane, lane.queue.Push(std::move(item)));
  lane.wake.cancel();
}

void Outbox::Settled(Lane& lane, OutgoingQueue::Pushed pushed) {
  if (pushed.refused) {
    if (lane.answers_left_out++ == 0) {
      LogWarn(fmt::format("{}: {} answers wait already; the oldest are left out", lane.desk.frontend.Name(),
                          OutgoingQueue::kCapacity));
    }
    GiveUp(lane, *pushed.refused);
  }
  for (OutgoingItem& older : pushed.superseded) GiveUp(lane, older);
  LeaveOut(lane, std::move(pushed.left_out));
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

bool Outbox::Record(const Lane& lane, OutgoingItem& item) {
  const auto row = store_->Insert(lane.desk.frontend.Name(), item);
  if (!row) {
    Note(Fail(row.error()));
    return true;
  }
  if (!*row) {
    LogDebug("outbox: told before: " + item.post.key);
    return false;
  }
  item.row = **row;
  return true;
}

void Outbox::RecordAnswer(Lane& lane, std::uint64_t serial) {
  OutgoingItem* item = lane.Find(serial);
  if (item == nullptr || item->row != 0) return;
  // A key that is known already belongs to this very answer, of a run that was cut short.
  static_cast<void>(Record(lane, *item));
  if (item->row != 0) lane.Kept(*item);
}

Task<void> Outbox::RecordAnswers() {
  while (!closed_) {
    if (unrecorded_.empty()) {
      recorder_wake_.expires_at(std::chrono::steady_clock::time_point::max());
    } else if (const auto wait = unrecorded_.front().at - clock_.Now(); wait > std::chrono::nanoseconds(0)) {
      recorder_wake_.expires_after(std::chrono::ceil<std::chrono::milliseconds>(wait));
    } else {
      const Unrecorded due = unrecorded_.front();
      unrecorded_.pop_front();
      RecordAnswer(*due.lane, due.serial);
      continue;
    }
    co_await recorder_wake_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
  }
}

void Outbox::GiveUp(Lane& lane, OutgoingItem& item) {
  if (item.row != 0) Note(store_->MarkEdited(item, clock_.WallNow()));
  lane.Kept(item);
}

void Outbox::LeaveOut(Lane& lane, std::vector<OutgoingItem> items) {
  // A passing state that is not shown is nothing left out.
  std::erase_if(items, [](const OutgoingItem& item) { return item.priority == Priority::kTail; });
  if (items.empty()) return;
  lane.left_out += items.size();
  if (Keeps(lane)) {
    Note(store_->MarkLeftOut(lane.desk.frontend.Name(), lane.channel, items, clock_.WallNow()));
  }
}

Task<void> Outbox::Close(std::chrono::milliseconds limit) {
  closed_ = true;
  for (const Unrecorded& answer : unrecorded_) RecordAnswer(*answer.lane, answer.serial);
  unrecorded_.clear();
  recorder_wake_.cancel();
  for (const auto& desk : desks_) {
    for (const auto& [channel, lane] : desk->lanes) lane->wake.cancel();
  }
  const bool all_ended = co_await senders_.Join(limit);
  ended_ = true;
  for (const auto& desk : desks_) {
    std::size_t kept = 0;
    std::size_t lost = 0;
    for (const auto& [channel, lane] : desk->lanes) {
      lane->ForEach([&](OutgoingItem& item) {
        const bool waits = options_.database != nullptr && item.row != 0;
        ++(waits ? kept : lost);
        // What is lost here may still be remembered elsewhere.
        if (waits || options_.database == nullptr) lane->Kept(item);
      });
      if (lane->answers_left_out > 0) {
        LogWarn(fmt::format("{}: {} answers were left out", desk->frontend.Name(), lane->answers_left_out));
      }
    }
    if (kept > 0) LogInfo(fmt::format("{}: {} messages wait for the next start", desk->frontend.Name(), kept));
    if (lost > 0) {
      LogWarn(fmt::format("{}: {} messages could not be posted before the end", desk->frontend.Name(), lost));
    }
  }
  if (all_ended) co_return;
  senders_.Cancel();
  if (!co_await senders_.Join(kUnwindLimit)) LogError("outbox: a sender does not end");
}

}  // namespace shipmate::chat
