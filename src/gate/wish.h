#pragma once

// Wish: a deploy that somebody wishes, from the push or the command that began it to its end, as gate.db keeps it. It
// has one id all the way, so that everything said of it can be told together.

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "service/webhook_info.h"

namespace shipmate::gate {

struct Wish {
  /// Written to disk: values never change their meaning.
  enum class State {
    kAsking = 1,   ///< waits for a person's yes
    kWaiting = 2,  ///< waits for its turn
    kBegun = 3,
    kHeld = 4,  ///< came while deploys were frozen; offered when they no longer are
  };
  enum class Kind { kDeploy = 1, kRollback = 2 };

  std::uint64_t id = 0;
  std::string service;
  State state = State::kWaiting;
  Kind kind = Kind::kDeploy;
  /// "push", "command", "rollback"
  std::string trigger;
  /// Who wishes it, as shown: "push by bob", "alice".
  std::string actor;
  /// "platform:id" of a person; "" for a push.
  std::string actor_id;
  /// Who said yes, as shown; "" = nobody was asked.
  std::string confirmer;
  /// What must still point to the commit when the deploy begins: "refs/heads/main"; "" = nothing is checked.
  std::string ref;
  /// HEAD must be this commit after the steps: it was asked for by its name.
  bool exact = false;
  /// Branch, commit and its subject, where they are known; and all else a push told.
  service::WebhookInfo info;
  base::WallTime requested{};
  /// Of kAsking.
  base::WallTime expires{};
  /// It took the place of a question that nobody had answered.
  bool replaces_question = false;

  bool operator==(const Wish&) const = default;
};

/// A person who commands or answers.
struct Person {
  std::string platform;
  /// The platform's stable one.
  std::string id;
  std::string name;

  /// "discord:42"
  std::string Key() const { return platform + ":" + id; }
  /// As deploys and notices show him.
  const std::string& Shown() const { return name.empty() ? id : name; }
};

}  // namespace shipmate::gate
