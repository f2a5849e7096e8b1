#pragma once

// The insides of the Outbox: a desk is a frontend with its abilities, a lane is one channel of it. Only the outbox's
// own files include this.

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "async/backoff.h"
#include "chat/outbox.h"

namespace shipmate::chat {

struct Outbox::Desk {
  explicit Desk(Frontend& its_frontend) : frontend(its_frontend), abilities(its_frontend.GetAbilities()) {}

  Frontend& frontend;
  const Abilities abilities;
  std::map<std::string, std::unique_ptr<Lane>> lanes;
  // The platform has rejected us for good; it was said once.
  bool rejected = false;
};

struct Outbox::Lane {
  Lane(const Executor& executor, Desk& its_desk, std::string its_channel, const OutboxOptions& options)
      : desk(its_desk),
        channel(std::move(its_channel)),
        wake(executor, std::chrono::steady_clock::time_point::max()),
        backoff({.base = options.first_retry * 2, .cap = options.longest_retry, .floor = options.first_retry}) {}

  OutgoingItem* Find(std::uint64_t serial) {
    if (in_flight && in_flight->serial == serial) return &*in_flight;
    return queue.Find(serial);
  }
  void ForEach(const std::function<void(OutgoingItem&)>& visit) {
    if (in_flight) visit(*in_flight);
    queue.ForEach(visit);
  }
  static void Kept(OutgoingItem& item) {
    if (const auto kept = std::exchange(item.kept, nullptr)) kept();
  }

  Desk& desk;
  const std::string channel;
  OutgoingQueue queue;
  std::optional<OutgoingItem> in_flight;
  boost::asio::steady_timer wake;
  async::Backoff backoff;
  std::string latest;  // the last post known
  std::size_t left_out = 0;
  std::size_t answers_left_out = 0;
};

}  // namespace shipmate::chat
