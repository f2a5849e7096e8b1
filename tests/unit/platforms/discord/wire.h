#pragma once

// The recorded payloads of tests/wire/discord.jsonl, by name.

#include <string>
#include <utility>
#include <vector>

namespace shipmate::tests {

/// The JSON text of a gateway or REST payload.
const std::string& Wire(const std::string& name);
/// The names of the gateway's payloads: those with an opcode.
std::vector<std::string> GatewayWireNames();

/// A recorded HTTP answer.
struct WireAnswer {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
WireAnswer WireHttp(const std::string& name);

}  // namespace shipmate::tests
