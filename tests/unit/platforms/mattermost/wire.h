#pragma once

// The recorded payloads of tests/wire/mattermost.jsonl, by name.

#include <string>

namespace shipmate::tests {

/// The JSON text of a message of the socket, or of a REST answer.
const std::string& MattermostWire(const std::string& name);

}  // namespace shipmate::tests
