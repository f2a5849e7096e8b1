#include "chat/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

using config::AccessGrant;
using config::Role;

// Ids are shorter on every platform.
constexpr std::size_t kLongestId = 40;

bool Contains(const std::vector<std::string>& list, const std::string& wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

// Ids of one platform say nothing on another.
bool Names(const AccessGrant& grant, const Actor& actor) {
  if (grant.everyone && !actor.direct) return true;
  if (actor.id.empty()) return false;
  if (actor.platform == "mattermost") return Contains(grant.mattermost, actor.id);
  if (actor.platform != "discord") return false;
  return Contains(grant.discord, actor.id) ||
         std::ranges::any_of(actor.roles, [&](const std::string& role) { return Contains(grant.discord_roles, role); });
}

bool Holds(const AccessGrant& grant, const Actor& actor, const std::string& channel) {
  return Names(grant, actor) && (grant.channels.empty() || Contains(grant.channels, channel));
}

bool Covers(const AccessGrant& grant, const std::string& service) {
  return grant.services.empty() || std::ranges::any_of(grant.services, [&](const std::string& pattern) {
           return base::GlobMatch(pattern, service);
         });
}

// The highest role among the grants that hold and fit.
template <class Fits>
std::optional<Role> Highest(const std::optional<config::AccessConfig>& config, const Actor& actor,
                            const std::string& channel, Fits fits) {
  if (actor.platform == "console") return Role::kAdmin;
  if (!config) return actor.direct ? std::nullopt : std::optional(Role::kOperator);
  std::optional<Role> highest;
  for (const AccessGrant& grant : config->grants) {
    if (Holds(grant, actor, channel) && fits(grant)) highest = std::max(highest, std::optional(grant.role));
  }
  return highest;
}

// Where in `access:` an id of this platform goes.
std::string_view KeyOf(const Actor& actor) {
  return actor.platform == "mattermost" ? "mattermost" : "discord";
}

std::string WithArticle(Role role) {
  return fmt::format("{} {}", role == Role::kViewer ? "a" : "an", RoleName(role));
}

Text HowToGet(Role needed, const Actor& actor) {
  Text text;
  text.Plain("To get it: in config.yaml, put your id ").Code(Shorten(base::EscapeNonAscii(actor.id), kLongestId));
  text.Plain(" under ").Code(fmt::format("access.{}.{}", RoleName(needed), KeyOf(actor)));
  return text.Plain(", and restart Shipmate.");
}

}  // namespace

std::optional<Role> Access::Highest(const Actor& actor, const std::string& channel) const {
  return chat::Highest(config_, actor, channel, [](const AccessGrant&) { return true; });
}

std::optional<Role> Access::Everywhere(const Actor& actor, const std::string& channel) const {
  return chat::Highest(config_, actor, channel, [](const AccessGrant& grant) { return grant.services.empty(); });
}

std::optional<Role> Access::On(const std::string& service, const Actor& actor, const std::string& channel) const {
  return chat::Highest(config_, actor, channel, [&](const AccessGrant& grant) { return Covers(grant, service); });
}

std::string Access::Describe() const {
  if (!config_) {
    return "access: config.yaml has no `access:` section: whoever speaks in a configured channel is an operator; "
           "only the console is an admin";
  }
  std::set<std::string> people;
  std::set<std::string> roles;
  std::string everyone;
  for (const AccessGrant& grant : config_->grants) {
    people.insert(grant.discord.begin(), grant.discord.end());
    people.insert(grant.mattermost.begin(), grant.mattermost.end());
    roles.insert(grant.discord_roles.begin(), grant.discord_roles.end());
    if (grant.everyone) everyone = "; some of it is for everyone in the channels";
  }
  return fmt::format("access: {} people and {} Discord roles are named{}; all others are refused", people.size(),
                     roles.size(), everyone);
}

Message Access::Refuse(const Refusal& refusal, const Actor& actor) const {
  Message message;
  Text& headline = message.headline;
  headline.Plain("Not allowed: ");
  if (refusal.verb.empty()) {
    headline.Plain("you have no role here.");
  } else {
    headline.Code(refusal.verb);
    for (std::size_t i = 0; i < refusal.services.size(); ++i) {
      headline.Plain(i == 0 ? " on " : ", ").Bold(refusal.services[i]);
    }
    headline.Plain(" needs the role ").Bold(std::string(RoleName(refusal.needed)));
    headline.Plain(refusal.has ? fmt::format("; you are {} here.", WithArticle(*refusal.has))
                               : "; you have none here.");
  }
  message.lines.push_back(HowToGet(refusal.needed, actor));
  return message;
}

}  // namespace shipmate::chat
