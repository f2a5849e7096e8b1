#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/load_access.h"
#include "config/load_command.h"

namespace shipmate::config {

namespace {

// Discord: an application command's name has 1 to 32 characters, its description 1 to 100
// (Application Commands, "Application Command Structure").
constexpr std::size_t kMaxName = 32;
constexpr std::size_t kMaxHelp = 100;

constexpr std::array<std::pair<std::string_view, ArgumentSpec::Kind>, 6> kKinds = {{
    {"service", ArgumentSpec::Kind::kService},
    {"services", ArgumentSpec::Kind::kServices},
    {"verb", ArgumentSpec::Kind::kVerb},
    {"number", ArgumentSpec::Kind::kNumber},
    {"word", ArgumentSpec::Kind::kWord},
    {"rest", ArgumentSpec::Kind::kRest},
}};

constexpr std::array<std::pair<std::string_view, FlagSpec::Kind>, 5> kFlagKinds = {{
    {"switch", FlagSpec::Kind::kSwitch},
    {"text", FlagSpec::Kind::kText},
    {"number", FlagSpec::Kind::kNumber},
    {"duration", FlagSpec::Kind::kDuration},
    {"count", FlagSpec::Kind::kCount},
}};

const std::vector<std::string> kPlaces = {"chat", "console"};

bool IsName(std::string_view text) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto inner = [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kMaxName && lower(text[0]) && std::ranges::all_of(text, inner);
}

std::string ReadName(Fields& fields, std::string_view key) {
  const auto text = fields.Text(key);
  if (!text) {
    fields.Problem(key, fields.mark(), "is missing");
    return "";
  }
  if (!IsName(text->text)) {
    fields.Problem(key, text->mark,
                   fmt::format("{} is no name: a letter a-z, then a-z, 0-9 and \"-\", at most {} in all",
                               Shown(text->text), kMaxName));
  }
  return text->text;
}

std::vector<std::string> ReadAliases(Fields& fields, const std::string& name) {
  std::vector<std::string> aliases;
  for (const Placed& alias : fields.Texts("aliases")) {
    if (alias.text != "?" && !IsName(alias.text)) {
      fields.Problem("aliases", alias.mark, fmt::format("{} is no name", Shown(alias.text)));
    } else if (alias.text == name || std::ranges::find(aliases, alias.text) != aliases.end()) {
      fields.Problem("aliases", alias.mark, fmt::format("{} is there already", Shown(alias.text)));
    }
    aliases.push_back(alias.text);
  }
  return aliases;
}

std::string ReadHelp(Fields& fields) {
  const auto help = fields.Text("help");
  if (!help || help->text.empty()) {
    fields.Problem("help", help ? help->mark : fields.mark(), "is missing");
    return "";
  }
  if (base::RuneCount(help->text) > kMaxHelp) {
    fields.Problem("help", help->mark, fmt::format("is longer than {} characters", kMaxHelp));
  }
  if (help->text.ends_with('.')) fields.Problem("help", help->mark, "must not end with a full stop");
  return help->text;
}

std::vector<std::string> ReadPlaces(Fields& fields) {
  if (fields.Find("places") == nullptr) return kPlaces;
  std::vector<std::string> places;
  for (const Placed& place : fields.Texts("places")) {
    if (std::ranges::find(kPlaces, place.text) == kPlaces.end()) {
      fields.Problem("places", place.mark,
                     fmt::format("expected one of {}, found {}", base::Join(kPlaces, ", "), Shown(place.text)));
    }
    places.push_back(place.text);
  }
  if (places.empty()) fields.Problem("places", fields.Find("places")->mark, "is empty; leave it out for everywhere");
  return places;
}

bool TakesAll(const ArgumentSpec& argument) {
  return argument.kind == ArgumentSpec::Kind::kServices || argument.kind == ArgumentSpec::Kind::kRest;
}

std::vector<std::string> ReadChoices(Fields& entry, ArgumentSpec::Kind kind) {
  std::vector<std::string> choices;
  for (const Placed& choice : entry.Texts("choices")) {
    const bool plain = std::ranges::all_of(choice.text, [](char c) { return c > ' ' && c < 0x7F; });
    if (choice.text.empty() || !plain) {
      entry.Problem("choices", choice.mark, fmt::format("{} is not one word of plain ASCII", Shown(choice.text)));
    } else if (std::ranges::find(choices, choice.text) != choices.end()) {
      entry.Problem("choices", choice.mark, fmt::format("{} is there already", Shown(choice.text)));
    }
    choices.push_back(choice.text);
  }
  if (const Node* given = entry.Find("choices"); given != nullptr && kind != ArgumentSpec::Kind::kWord) {
    entry.Problem("choices", given->mark, "only an argument of kind word has choices");
  }
  return choices;
}

std::vector<ArgumentSpec> ReadArguments(Fields& fields) {
  std::vector<ArgumentSpec> arguments;
  const Node* list = fields.Find("args");
  if (list == nullptr) return arguments;
  if (list->kind != Node::Kind::kList) {
    fields.Problem("args", list->mark, fmt::format("expected a list of arguments, found {}", list->KindName()));
    return arguments;
  }
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    const Node& item = list->children[i];
    const std::string where = fmt::format("args[{}]", i + 1);
    Fields entry(item, where, fields.report());
    if (item.kind != Node::Kind::kMap) continue;
    ArgumentSpec argument;
    argument.name = ReadName(entry, "name");
    argument.kind = entry.Word("kind", kKinds).value_or(ArgumentSpec::Kind::kWord);
    argument.required = entry.Switch("required").value_or(true);
    argument.choices = ReadChoices(entry, argument.kind);
    entry.Finish();
    if (!arguments.empty() && TakesAll(arguments.back())) {
      fields.Problem(where, item.mark,
                     "nothing can follow an argument of kind services or rest: it takes every word left");
    }
    if (std::ranges::find(arguments, argument.name, &ArgumentSpec::name) != arguments.end()) {
      fields.Problem(where, item.mark, fmt::format("{} is there already", Shown(argument.name)));
    }
    if (!arguments.empty() && !arguments.back().required && argument.required) {
      fields.Problem(where, item.mark, "a required argument cannot follow an optional one");
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

std::vector<FlagSpec> ReadFlags(Fields& fields, const std::vector<ArgumentSpec>& arguments) {
  std::vector<FlagSpec> flags;
  const Node* list = fields.Find("flags");
  if (list == nullptr) return flags;
  if (list->kind != Node::Kind::kList) {
    fields.Problem("flags", list->mark, fmt::format("expected a list of flags, found {}", list->KindName()));
    return flags;
  }
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    const Node& item = list->children[i];
    const std::string where = fmt::format("flags[{}]", i + 1);
    Fields entry(item, where, fields.report());
    if (item.kind != Node::Kind::kMap) continue;
    FlagSpec flag;
    flag.name = ReadName(entry, "name");
    if (const auto brief = entry.Text("short")) {
      flag.brief = brief->text;
      if (!IsName(flag.brief) || flag.brief.size() != 1) entry.Problem("short", brief->mark, "must be one letter a-z");
    }
    flag.kind = entry.Word("kind", kFlagKinds).value_or(FlagSpec::Kind::kSwitch);
    if (const auto argument = entry.Text("argument")) {
      flag.argument = argument->text;
      const auto named = std::ranges::find(arguments, flag.argument, &ArgumentSpec::name);
      if (named == arguments.end() || named->kind != ArgumentSpec::Kind::kNumber ||
          flag.kind != FlagSpec::Kind::kNumber) {
        entry.Problem("argument", argument->mark,
                      fmt::format("{} and its flag must both be of kind number", Shown(flag.argument)));
      }
    }
    flag.help = ReadHelp(entry);
    entry.Finish();
    const bool repeated = std::ranges::any_of(flags, [&](const FlagSpec& other) {
      return other.name == flag.name || (!flag.brief.empty() && other.brief == flag.brief);
    });
    if (repeated) fields.Problem(where, item.mark, "is there already");
    flags.push_back(std::move(flag));
  }
  return flags;
}

}  // namespace

void ReadCommand(Fields& fields, CommandSpec& command) {
  command.name = ReadName(fields, "name");
  command.aliases = ReadAliases(fields, command.name);
  command.arguments = ReadArguments(fields);
  command.help = ReadHelp(fields);
  command.role = fields.Word("role", kRoles).value_or(Role::kViewer);
  if (fields.Find("role") == nullptr) fields.Problem("role", fields.mark(), "is missing");
  command.places = ReadPlaces(fields);
}

LoadResult<CommandSpec> ParseCommand(const std::string& file, std::string_view text) {
  Report report(file, "");
  CommandSpec command;
  if (const auto root = ReadMapping(text, report)) {
    Fields fields(*root, "", report);
    ReadCommand(fields, command);
    command.flags = ReadFlags(fields, command.arguments);
    command.slow = fields.Switch("slow").value_or(false);
    fields.Finish();
  }
  if (report.Failed()) return std::unexpected(report.TakeProblems());
  return Loaded<CommandSpec>{std::move(command), report.TakeWarnings()};
}

std::string FlagSpec::Usage() const {
  std::string shown = brief.empty() ? "--" + name : "-" + brief;
  switch (kind) {
    case Kind::kSwitch:
      break;
    case Kind::kText:
      return shown + " <text>";
    case Kind::kNumber:
      return shown + " <n>";
    case Kind::kDuration:
      return shown + " <10m>";
    case Kind::kCount:
      return shown + " [n]";
  }
  return shown;
}

std::string CommandSpec::Usage() const {
  std::string usage = name;
  for (const ArgumentSpec& argument : arguments) {
    usage += fmt::format(fmt::runtime(argument.required ? " <{}>" : " [{}]"), argument.name);
    if (TakesAll(argument)) usage += "...";
  }
  for (const FlagSpec& flag : flags) {
    // What only writes an argument in another way is there already.
    if (flag.argument.empty()) usage += " [" + flag.Usage() + "]";
  }
  return usage;
}

}  // namespace shipmate::config
