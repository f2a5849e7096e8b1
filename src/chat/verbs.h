#pragma once

// Verbs: the table of commands, made of the files in bot-commands/ that are embedded in the program, and of the user's
// own. It is the single source of names, aliases, arguments, help and roles.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace shipmate::chat {

class Verbs {
 public:
  /// The built-in table. A broken embedded file is a broken build: it aborts.
  static Verbs BuiltIn();
  explicit Verbs(std::vector<config::CommandSpec> specs);
  /// Takes `specs` in place of the user's own commands of before. REQUIRES: none of their names is a built-in one.
  void SetCustom(std::vector<config::CommandSpec> specs);

  /// By name or alias; nullptr when unknown. Another table may take this one's place whenever a coroutine suspends:
  /// whoever looks at a row later holds the table.
  const config::CommandSpec* Find(std::string_view verb) const;
  /// Sorted by name, as `help` shows them.
  const std::vector<config::CommandSpec>& All() const { return *specs_; }
  std::shared_ptr<const std::vector<config::CommandSpec>> Table() const { return specs_; }
  /// Names and aliases, for suggestions and completion.
  std::vector<std::string> Names() const;

 private:
  std::shared_ptr<const std::vector<config::CommandSpec>> specs_;
};

}  // namespace shipmate::chat
