#pragma once

// The forms of names and paths that settings may hold: one place that says what a service may be called, which signals
// and variables there are, and how a relative path is read.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shipmate::config {

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,62}` without "..": safe as a file name, as an argument and in a chat message.
bool IsServiceName(std::string_view text);

/// `[A-Za-z_][A-Za-z0-9_]*`, as POSIX wants it (XBD 8.1).
bool IsVariableName(std::string_view text);

/// The number of the signal called `name`, with or without SIG; nullopt for any other text.
std::optional<int> SignalNumber(std::string_view name);
/// The names SignalNumber knows, without SIG.
const std::vector<std::string>& SignalNames();

/// A Discord id (snowflake): 17 to 20 digits. It is text to us and to Discord's JSON.
bool IsSnowflake(std::string_view text);

/// A Mattermost id: 26 small letters and digits (model.NewId).
bool IsMattermostId(std::string_view text);
/// The name of a team or channel of Mattermost, as it stands in addresses: no display name.
bool IsMattermostName(std::string_view text);
/// Two of them: "team/channel".
bool IsTeamAndChannel(std::string_view text);

/// `path` as an absolute one, cleaned of ".", ".." and a final slash by text alone; a relative one starts at `base`.
std::string ResolvePath(const std::string& base, const std::string& path);

}  // namespace shipmate::config
