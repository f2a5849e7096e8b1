#include "config/load_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/names.h"

namespace shipmate::config {

namespace {

// How ids of one kind look, and what to say of a text that is none.
struct IdKind {
  std::string_view name;
  bool (*fits)(std::string_view text);
  std::string_view help;
};

constexpr IdKind kDiscordUser = {"a Discord user id", IsSnowflake,
                                 "it has 17 to 20 digits; turn on Developer Mode in Discord, then right-click the "
                                 "person and choose \"Copy User ID\""};
constexpr IdKind kDiscordRole = {"a Discord role id", IsSnowflake,
                                 "it has 17 to 20 digits; turn on Developer Mode in Discord, then right-click the role "
                                 "in Server Settings, Roles and choose \"Copy Role ID\""};
constexpr IdKind kMattermostUser = {"a Mattermost user id", IsMattermostId,
                                    "it has 26 small letters and digits; System Console, Users shows it, or mmctl user "
                                    "search"};
constexpr IdKind kChannel = {
    "a channel's id",
    [](std::string_view text) { return IsSnowflake(text) || IsMattermostId(text) || IsTeamAndChannel(text); },
    "write the id of a Discord channel (17 to 20 digits), or a Mattermost channel as its section does: its id (26 "
    "small "
    "letters and digits) or team/name"};

std::vector<std::string> CheckedIds(Fields& fields, std::string_view key, std::vector<Placed> found,
                                    const IdKind& kind) {
  std::vector<std::string> ids;
  for (Placed& id : found) {
    if (id.text.empty()) {
      fields.Problem(key, id.mark, fmt::format("an empty text is not {}; {}", kind.name, kind.help));
    } else if (!kind.fits(id.text)) {
      // Names change hands; ids do not.
      fields.Problem(key, id.mark,
                     fmt::format("{} is not {}, and names are not taken: {}", Shown(id.text), kind.name, kind.help));
    } else if (std::ranges::find(ids, id.text) != ids.end()) {
      fields.Problem(key, id.mark, fmt::format("{} is there twice", id.text));
    }
    ids.push_back(std::move(id.text));
  }
  return ids;
}

std::vector<std::string> CheckedServices(Fields& fields, const std::vector<Placed>& found) {
  std::vector<std::string> services;
  for (const Placed& service : found) {
    std::string plain = service.text;
    std::ranges::replace_if(plain, [](char c) { return c == '*' || c == '?'; }, 'x');
    if (!IsServiceName(plain)) {
      fields.Problem("services", service.mark,
                     fmt::format("{} is no service name, nor a pattern such as \"web*\"", Shown(service.text)));
    }
    services.push_back(service.text);
  }
  return services;
}

// What tells who is meant; the same below a role and in `grants`.
void ReadMembers(Fields& fields, AccessGrant& grant) {
  grant.discord = CheckedIds(fields, "discord", fields.Texts("discord"), kDiscordUser);
  grant.discord_roles = CheckedIds(fields, "discord_roles", fields.Texts("discord_roles"), kDiscordRole);
  grant.mattermost = CheckedIds(fields, "mattermost", fields.Texts("mattermost"), kMattermostUser);
  grant.everyone = fields.Switch("everyone").value_or(false);
  if (grant.everyone && grant.role == Role::kAdmin) {
    fields.Problem("everyone", fields.Find("everyone")->mark, "an admin must be named, by id");
  }
}

bool NamesNobody(const AccessGrant& grant) {
  return !grant.everyone && grant.discord.empty() && grant.discord_roles.empty() && grant.mattermost.empty();
}

void ReadRole(std::optional<Fields> fields, Role role, AccessConfig& access) {
  if (!fields) return;
  AccessGrant grant;
  grant.role = role;
  ReadMembers(*fields, grant);
  fields->Finish();
  if (!NamesNobody(grant)) access.grants.push_back(std::move(grant));
}

// A limit that names nothing must not grant everything.
void RefuseNoLimit(Fields& fields, std::string_view key) {
  const Node* given = fields.Find(key);
  const auto blank = fields.Blank(key);
  const bool empty = given != nullptr && given->kind == Node::Kind::kList && given->children.empty();
  if (blank || empty) fields.Problem(key, blank ? *blank : given->mark, "names nothing; leave the key out for all");
}

void ReadGrants(Fields& fields, AccessConfig& access) {
  const Node* list = fields.Find("grants");
  if (list == nullptr) return;
  if (list->kind != Node::Kind::kList) {
    fields.Problem("grants", list->mark, fmt::format("expected a list of grants, found {}", list->KindName()));
    return;
  }
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    const Node& item = list->children[i];
    Fields entry(item, fmt::format("access.grants[{}]", i + 1), fields.report());
    if (item.kind != Node::Kind::kMap) continue;
    AccessGrant grant;
    if (entry.Find("role") == nullptr) entry.Problem("role", item.mark, "is missing");
    grant.role = entry.Word("role", kRoles).value_or(Role::kViewer);
    ReadMembers(entry, grant);
    grant.services = CheckedServices(entry, entry.Texts("services"));
    grant.channels = CheckedIds(entry, "channels", entry.Texts("channels"), kChannel);
    RefuseNoLimit(entry, "services");
    RefuseNoLimit(entry, "channels");
    entry.Finish();
    if (NamesNobody(grant)) entry.Problem("discord", item.mark, "the grant names nobody");
    access.grants.push_back(std::move(grant));
  }
}

}  // namespace

std::string_view RoleName(Role role) {
  const auto found = std::ranges::find(kRoles, role, &std::pair<std::string_view, Role>::second);
  return found == kRoles.end() ? "" : found->first;
}

std::optional<AccessConfig> ReadAccess(Fields& root) {
  if (const auto blank = root.Blank("access")) {
    root.Problem("access", *blank, "names nobody; leave the key out to let everybody in the channels be an operator");
  }
  auto fields = root.Section("access");
  if (!fields) return std::nullopt;
  AccessConfig access;
  ReadRole(fields->Section("admin"), Role::kAdmin, access);
  ReadRole(fields->Section("operator"), Role::kOperator, access);
  ReadRole(fields->Section("viewer"), Role::kViewer, access);
  ReadGrants(*fields, access);
  fields->Finish();
  if (access.grants.empty()) {
    root.Warn("access", fields->mark(), "names nobody: only the console can command anything");
  }
  return access;
}

}  // namespace shipmate::config
