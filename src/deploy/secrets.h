#pragma once

// Which of the variables that steps get are secrets, and how they look when a program prints them.

#include <map>
#include <memory>
#include <string>

#include "base/mask.h"

namespace shipmate::deploy {

/// Knows the values of those variables whose names say that they are secret (TOKEN, SECRET, PASSWORD, KEY, ...), as
/// they are, in base64 and as parts of a URL; and what has the shape of a secret.
std::shared_ptr<const base::Masker> MaskerOf(const std::map<std::string, std::string>& variables);

}  // namespace shipmate::deploy
