#pragma once

// The environments that children get, and the marks in them by which processes are found again after a crash of ours.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace shipmate::service {

/// In the environment of a service's process: `<state id>/<service>/<generation>`.
inline constexpr std::string_view kInstanceMark = "SHIPMATE_INSTANCE";
/// In the environment of a deploy's steps: `<state id>/<service>/<start of the deploy in ns since the epoch>`.
inline constexpr std::string_view kDeployMark = "SHIPMATE_DEPLOY";

std::string InstanceMark(const std::string& state_id, const std::string& service, std::uint64_t generation);

/// A mark taken apart.
struct Mark {
  std::string service;
  std::uint64_t number = 0;
};
/// False for a value that is no mark of `state_id`.
bool ParseMark(std::string_view value, const std::string& state_id, Mark& mark);

/// `base` ("NAME=value" each) with the variables of `extra` set; each name once.
std::vector<std::string> WithVariables(const std::vector<std::string>& base,
                                       const std::map<std::string, std::string>& extra);
/// `base` with PATH (the system's usual) and HOME (from the user database) where they are missing or empty, as under an
/// init that sets nothing. May block: for start-up.
std::vector<std::string> WithUsualVariables(std::vector<std::string> base);
/// `base` without the variables named.
std::vector<std::string> WithoutVariables(const std::vector<std::string>& base, const std::vector<std::string>& names);

}  // namespace shipmate::service
