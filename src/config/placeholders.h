#pragma once

// Placeholders in the arguments of a program: `{name}`, a name being a small letter, then small letters, digits and
// hyphens. All other braces stand for themselves, also doubled ones (`{{name}}`, as templates of other programs have).

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace shipmate::config {

/// The names in `word`, in order.
std::vector<std::string> PlaceholdersOf(std::string_view word);
/// `word` with each placeholder replaced by its value; a value is never looked into again.
std::string ExpandPlaceholders(std::string_view word,
                               const std::function<std::string(std::string_view name)>& value_of);

}  // namespace shipmate::config
