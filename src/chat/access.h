#pragma once

// Access: who may use which command on what, as `access:` of the settings says. Pure. Only ids count, never names,
// which anybody can take. The dispatcher asks it for every command of every platform, and nobody else decides.
//
// Without `access:` whoever speaks in a channel of the configuration is an operator there; an admin has to be named.
// With it, whoever is not named has no role at all. Who writes to the bot directly has what he is named for. The
// console, which is this machine's own terminal, is an admin.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/frontend.h"
#include "chat/message.h"
#include "config/config.h"

namespace shipmate::chat {

/// Why somebody may not do something.
struct Refusal {
  /// The command; empty = whatever it was.
  std::string verb;
  config::Role needed = config::Role::kViewer;
  /// The role held there.
  std::optional<config::Role> has;
  /// The services that the role is missing for; empty = all.
  std::vector<std::string> services;
};

class Access {
 public:
  explicit Access(std::optional<config::AccessConfig> config) : config_(std::move(config)) {}
  bool operator==(const Access&) const = default;

  /// The highest role of `actor` in `channel`, on whatever service; nullopt = none.
  std::optional<config::Role> Highest(const Actor& actor, const std::string& channel) const;
  /// The highest role that holds for every service, those to come included.
  std::optional<config::Role> Everywhere(const Actor& actor, const std::string& channel) const;
  std::optional<config::Role> On(const std::string& service, const Actor& actor, const std::string& channel) const;

  /// What start-up says of it, in one line.
  std::string Describe() const;
  /// The answer to `actor`: what is missing, and how to get it.
  Message Refuse(const Refusal& refusal, const Actor& actor) const;

 private:
  std::optional<config::AccessConfig> config_;
};

}  // namespace shipmate::chat
