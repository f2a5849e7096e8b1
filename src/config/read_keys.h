#pragma once

// Values that several sections of config.yaml have: paths, URLs, lists of services, and the word against a token.

#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"

namespace shipmate::config {

/// An absolute path; a relative one starts in `base`. `fallback` where there is none; "" stays "".
std::string ReadPath(Fields& fields, std::string_view key, const std::string& base, const std::string& fallback);

/// A URL of `scheme` or of it with an "s", without slashes at its end and without a password. `fallback` where there is
/// none.
std::string ReadUrl(Fields& fields, std::string_view key, std::string_view scheme, std::string fallback);

/// The names below `services`.
std::vector<std::string> ReadServiceNames(Fields& fields);

/// Reports a `token`, the commonest wrong place for one; it belongs into .env as `variable`.
void RefuseToken(Fields& fields, std::string_view variable);

}  // namespace shipmate::config
