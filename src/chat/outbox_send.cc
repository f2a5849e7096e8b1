// The sending half of the Outbox: one coroutine a lane.

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <random>

#include "base/log.h"
#include "base/text.h"
#include "base/time_text.h"
#include "chat/flood.h"
#include "chat/outbox_lane.h"
#include "chat/render.h"

namespace shipmate::chat {

namespace {

// News this old say how old they are.
constexpr std::chrono::minutes kLate(10);

std::string LeftOutLine(std::size_t notices) {
  return fmt::format("{} {} left out", notices, notices == 1 ? "notice" : "notices");
}

double Random() {
  static std::mt19937_64 engine(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

// What trying again will not mend.
bool IsFinal(Errc code) {
  return code == Errc::kNotFound || code == Errc::kRefused || code == Errc::kInvalid || code == Errc::kTooLarge;
}

}  // namespace

Task<void> Outbox::Drain(Lane& lane) {
  co_await lane.desk.frontend.Ready();
  while (!lane.desk.rejected) {
    Prepare(lane);
    const base::SteadyTime now = clock_.Now();
    lane.in_flight = lane.queue.Take(now, lane.desk.abilities.edit_interval);
    if (lane.in_flight) {
      co_await Deliver(lane);
      continue;
    }
    const auto ready_at = lane.queue.ReadyAt();
    if (!ready_at && closed_) co_return;
    if (ready_at) {
      lane.wake.expires_after(std::chrono::ceil<std::chrono::milliseconds>(*ready_at - now));
    } else {
      lane.wake.expires_at(std::chrono::steady_clock::time_point::max());
    }
    co_await lane.wake.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
  }
}

void Outbox::Prepare(Lane& lane) {
  const Frontend& frontend = lane.desk.frontend;
  const base::WallTime now = clock_.WallNow();
  LeaveOut(lane, lane.queue.TakeOlder(now - options_.age));
  if (lane.left_out > 0 && lane.queue.NoticesAreNext()) {
    Message message;
    message.headline.Plain(LeftOutLine(std::exchange(lane.left_out, 0)));
    OutgoingItem line = MakeItem(lane.desk, lane.channel,
                                 fmt::format("left-out:{}@{}", now.time_since_epoch().count(), lane.channel), message);
    line.alone = true;
    if (Keeps(lane)) {
      const auto row = store_->TellLeftOut(frontend.Name(), line);
      line.row = row.value_or(0);
      if (!row) Note(Fail(row.error()));
    }
    lane.queue.PushFront(std::move(line));
  }
  const std::vector<OutgoingItem> flood = lane.queue.TakeFlood();
  if (flood.empty()) return;
  OutgoingItem summary =
      MakeItem(lane.desk, lane.channel, fmt::format("flood:{}@{}", now.time_since_epoch().count(), lane.channel),
               SummaryOf(flood));
  summary.alone = true;
  if (lane.desk.abilities.files) {
    summary.post.attachments.push_back({.name = "notices.txt", .bytes = ListOf(flood)});
  }
  if (Keeps(lane)) {
    const auto row = store_->Replace(frontend.Name(), flood, summary, now);
    summary.row = row.value_or(0);
    if (!row) Note(Fail(row.error()));
  }
  lane.queue.PushFront(std::move(summary));
}

Task<void> Outbox::Deliver(Lane& lane) {
  std::optional<std::string> failure;
  try {
    if (co_await ResolveDoubt(lane)) co_await SendItem(lane);
  } catch (const boost::system::system_error& error) {
    // Given up by Close, which counts what is in flight.
    if (error.code() == boost::asio::error::operation_aborted) throw;
    failure = error.what();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (failure) Failed(lane, {.code = Errc::kInvalid, .what = *failure});
  lane.in_flight.reset();
}

Task<bool> Outbox::ResolveDoubt(Lane& lane) {
  OutgoingItem& item = *lane.in_flight;
  if (item.tried == base::WallTime()) co_return true;
  // A clock that was set back tells nothing: better look than post twice.
  const auto passed = clock_.WallNow() - item.tried;
  if (passed >= std::chrono::nanoseconds(0) && passed < lane.desk.abilities.repeat_window) co_return true;

  Doubt doubt{.outgoing = item.post, .since = item.tried, .after = item.after};
  const auto found = co_await lane.desk.frontend.FindOwn(std::move(doubt));
  if (found && *found) {
    Posted(lane, (*found)->id);
    co_return false;
  }
  if (!found && !IsFinal(found.error().code)) {
    Failed(lane, found.error());
    co_return false;
  }
  if (!found) {
    LogWarn(fmt::format("{}: {} may have been posted before, and is posted again: {}", lane.desk.frontend.Name(),
                        item.post.key, found.error().what));
  }
  // It was not posted: it is tried as if for the first time.
  item.tried = base::WallTime();
  item.dated = true;
  co_return true;
}

Task<void> Outbox::SendItem(Lane& lane) {
  OutgoingItem& item = *lane.in_flight;
  const Abilities& can = lane.desk.abilities;
  if (can.edits && item.tried == base::WallTime()) {
    if (std::string post = PostToEdit(lane); !post.empty() && co_await EditItem(lane, std::move(post))) co_return;
    // A passing state of a post that is not there is nothing to tell.
    if (item.priority == Priority::kTail) co_return;
  }
  if (item.tried == base::WallTime()) {
    const auto age = clock_.WallNow() - item.created;
    const std::string remark = "\n" + lane.desk.frontend.GetDialect().Escape("(" + base::FormatDuration(age) + " ago)");
    if (age >= kLate && !std::exchange(item.dated, true) && item.priority == Priority::kNotice &&
        base::RuneCount(item.post.text) + base::RuneCount(remark) <= lane.desk.frontend.GetDialect().MessageLimit()) {
      item.post.text += remark;
    }
    item.tried = clock_.WallNow();
    item.after = lane.latest;
    if (item.row != 0) Note(store_->MarkTried(item));
  }
  const auto sent = co_await lane.desk.frontend.Send(item.post);
  if (sent) {
    Posted(lane, sent->id);
  } else {
    Failed(lane, sent.error());
  }
}

std::string Outbox::PostToEdit(Lane& lane) {
  for (const std::string& slot : {lane.in_flight->slot, lane.in_flight->instead_of}) {
    if (slot.empty() || !store_) continue;
    auto post = store_->PostOf(lane.desk.frontend.Name(), lane.channel, slot);
    if (!post) Note(Fail(post.error()));
    if (post && !post->empty()) return *std::move(post);
  }
  return "";
}

// False when there is no such post any more.
Task<bool> Outbox::EditItem(Lane& lane, std::string post) {
  OutgoingItem& item = *lane.in_flight;
  Revision revision{.channel = lane.channel, .id = post, .text = item.post.text};
  revision.tone = item.post.tone;
  revision.choices = item.post.choices;
  if (lane.desk.abilities.files_by_edit) revision.attachments = item.post.attachments;
  const auto edited = co_await lane.desk.frontend.Edit(std::move(revision));
  if (edited) {
    Edited(lane, post);
    co_return true;
  }
  if (edited.error().code == Errc::kNotFound) {
    Note(store_->ForgetPost(lane.desk.frontend.Name(), lane.channel, item.slot));
    item.instead_of.clear();
    co_return false;
  }
  Failed(lane, edited.error());
  co_return true;
}

void Outbox::Posted(Lane& lane, const std::string& post) {
  OutgoingItem& item = *lane.in_flight;
  lane.backoff.Reset();
  if (!post.empty()) lane.latest = post;
  // What was never written and is not edited later leaves no trace: that is the way of most answers.
  if (Keeps(lane) && (item.row != 0 || !item.slot.empty())) {
    Note(store_->MarkPosted(lane.desk.frontend.Name(), item, post, clock_.WallNow()));
  }
  Lane::Kept(item);
}

void Outbox::Edited(Lane& lane, const std::string& post) {
  lane.backoff.Reset();
  OutgoingItem& item = *lane.in_flight;
  if (!item.instead_of.empty() && !item.slot.empty()) {
    // What was the acknowledgement's is its own from now on.
    Note(store_->MarkPosted(lane.desk.frontend.Name(), item, post, clock_.WallNow()));
  } else if (item.row != 0) {
    Note(store_->MarkEdited(item, clock_.WallNow()));
  }
  Lane::Kept(item);
  if (lane.desk.abilities.files_by_edit || item.post.attachments.empty()) return;
  // The file then is a message of its own, below the one that it belongs to.
  OutgoingItem file;
  file.post = {.channel = lane.channel,
               .text = lane.desk.frontend.GetDialect().Escape(item.post.attachments.front().name),
               .reply_to = post,
               .key = item.post.key + ":file",
               .attachments = std::move(item.post.attachments)};
  file.created = item.created;
  file.serial = ++serials_;
  file.alone = true;
  if (Keeps(lane) && !Record(lane, file)) return;
  lane.queue.PushFront(std::move(file));
}

void Outbox::Failed(Lane& lane, const Error& error) {
  OutgoingItem& item = *lane.in_flight;
  const std::string what = fmt::format("{}: posting {}: {}", lane.desk.frontend.Name(), item.post.key, error.what);
  if (IsFinal(error.code)) {
    LogWarn(what);
    return GiveUp(lane, item);
  }
  if (error.code == Errc::kAuth && !std::exchange(lane.desk.rejected, true)) {
    LogError(fmt::format("{}; nothing more is posted there before the next start", what));
  }
  // The next state will come.
  if (item.priority == Priority::kTail) return;
  base::SteadyTime again = clock_.Now();
  if (error.code != Errc::kAuth) {
    const auto wait = error.retry_after ? *error.retry_after : lane.backoff.Next(Random());
    again += wait;
    if (item.failures++ == 0 && error.code != Errc::kCancelled) LogWarn(what + "; it is tried again");
  }
  if (auto replaced = lane.queue.PutBack(std::move(item), again)) GiveUp(lane, *replaced);
}

}  // namespace shipmate::chat
