#include "chat/verbs.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>

#include "base/log.h"
#include "chat/builtin_commands.h"
#include "config/load.h"

namespace shipmate::chat {

namespace {

[[noreturn]] void Broken(const std::string& why) {
  LogError("built-in commands: " + why);
  std::abort();
}

}  // namespace

Verbs Verbs::BuiltIn() {
  std::vector<config::CommandSpec> specs;
  for (const EmbeddedFile& file : EmbeddedCommands()) {
    auto loaded = config::ParseCommand(std::string(file.name), file.text);
    if (!loaded) Broken(loaded.error().front());
    specs.push_back(std::move(loaded->value));
  }
  Verbs verbs(std::move(specs));
  std::set<std::string> seen;
  for (const std::string& name : verbs.Names()) {
    if (!seen.insert(name).second) Broken("two commands are called " + name);
  }
  return verbs;
}

Verbs::Verbs(std::vector<config::CommandSpec> specs) {
  std::ranges::sort(specs, {}, &config::CommandSpec::name);
  specs_ = std::make_shared<const std::vector<config::CommandSpec>>(std::move(specs));
}

void Verbs::SetCustom(std::vector<config::CommandSpec> specs) {
  std::ranges::copy_if(*specs_, std::back_inserter(specs), [](const config::CommandSpec& spec) { return !spec.run; });
  *this = Verbs(std::move(specs));
}

const config::CommandSpec* Verbs::Find(std::string_view verb) const {
  for (const config::CommandSpec& spec : *specs_) {
    if (spec.name == verb || std::ranges::find(spec.aliases, verb) != spec.aliases.end()) return &spec;
  }
  return nullptr;
}

std::vector<std::string> Verbs::Names() const {
  std::vector<std::string> names;
  for (const config::CommandSpec& spec : *specs_) {
    names.push_back(spec.name);
    names.insert(names.end(), spec.aliases.begin(), spec.aliases.end());
  }
  return names;
}

}  // namespace shipmate::chat
