#include "chat/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

using Kind = config::ArgumentSpec::Kind;

bool IsGlob(const std::string& word) {
  return word.find_first_of("*?") != std::string::npos;
}
bool FitsEverything(const std::string& word) {
  return !word.empty() && word.find_first_not_of('*') == word.npos;
}

class ServiceFinder {
 public:
  ServiceFinder(const config::CommandSpec& spec, const std::vector<std::string>& services, const Scope& scope,
                const Verbs& verbs)
      : spec_(spec), verbs_(verbs) {
    for (const std::string& service : services) {
      if (scope.Has(service)) {
        here_.push_back(service);
      } else {
        elsewhere_.push_back(service);
      }
    }
  }

  void Add(const std::string& word, Kind kind) {
    if (kind == Kind::kServices && IsGlob(word)) {
      AddGlob(word);
    } else if (std::ranges::find(here_, word) != here_.end()) {
      found_.insert(word);
    } else {
      problems_.push_back(Unknown(word));
    }
  }

  const std::vector<Text>& Problems() const { return problems_; }
  std::vector<std::string> Found() const { return {found_.begin(), found_.end()}; }

 private:
  void AddGlob(const std::string& word) {
    // A stray star must not stop a whole machine.
    if (FitsEverything(word) && spec_.role != config::Role::kViewer) {
      Text problem(fmt::format("{} would be every service: name them", QuoteShort(word)));
      problems_.push_back(WithAllHint(std::move(problem)));
      return;
    }
    const std::size_t before = found_.size();
    bool fits = false;
    for (const std::string& service : here_) {
      if (!base::GlobMatch(word, service)) continue;
      found_.insert(service);
      fits = true;
    }
    if (!fits && found_.size() == before) problems_.emplace_back(fmt::format("no service fits {}", QuoteShort(word)));
  }

  Text Unknown(const std::string& word) const {
    if (std::ranges::find(elsewhere_, word) != elsewhere_.end()) {
      return Text(fmt::format("service {} cannot be reached from this channel", QuoteShort(word)));
    }
    Text problem(fmt::format("service {} not found", QuoteShort(word)));
    if (word == "all") return WithAllHint(std::move(problem));
    const std::string nearest = base::Nearest(word, here_);
    if (!nearest.empty()) problem.Plain("; did you mean ").Bold(nearest).Plain("?");
    return problem;
  }

  Text WithAllHint(Text problem) const {
    const std::string all = spec_.name + "-all";
    if (verbs_.Find(all) != nullptr) problem.Plain(", or use ").Code(all);
    return problem;
  }

  const config::CommandSpec& spec_;
  const Verbs& verbs_;
  std::vector<std::string> here_;
  std::vector<std::string> elsewhere_;
  std::set<std::string> found_;
  std::vector<Text> problems_;
};

std::optional<std::size_t> ParseNumber(const std::string& word) {
  std::size_t number = 0;
  const char* end = word.data() + word.size();
  const auto [stopped, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc() || stopped != end || number == 0) return std::nullopt;
  return number;
}

std::optional<std::chrono::milliseconds> ParseSpan(const std::string& word) {
  const std::size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
  const auto number = ParseNumber(word.substr(0, digits));
  constexpr std::size_t kMost = 1'000'000;
  if (!number || *number > kMost) return std::nullopt;
  const auto count = static_cast<std::int64_t>(*number);
  const std::string unit = word.substr(digits);
  if (unit == "ms") return std::chrono::milliseconds(count);
  if (unit == "s") return std::chrono::seconds(count);
  if (unit == "m") return std::chrono::minutes(count);
  if (unit == "h") return std::chrono::hours(count);
  if (unit == "d") return std::chrono::days(count);
  return std::nullopt;
}

bool IsDigits(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

// Takes the flags of a command out of its words.
class FlagReader {
 public:
  FlagReader(const config::CommandSpec& spec, std::vector<std::string> words) : spec_(spec), words_(std::move(words)) {}

  /// What is wrong, or nullopt.
  std::optional<std::string> Read() {
    for (at_ = 0; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (word == "--") {
        plain_.insert(plain_.end(), words_.begin() + static_cast<std::ptrdiff_t>(at_) + 1, words_.end());
        return std::nullopt;
      }
      // A negative number is a wrong number, not a flag.
      if (word.size() < 2 || word[0] != '-' || IsDigits(word.substr(1))) {
        plain_.push_back(word);
      } else if (auto problem = ReadFlag(word)) {
        return problem;
      }
    }
    return std::nullopt;
  }
  std::vector<std::string> TakePlain() { return std::move(plain_); }
  const std::map<std::string, FlagValue>& Values() const { return values_; }

 private:
  std::optional<std::string> ReadFlag(const std::string& word) {
    const bool full = word.starts_with("--");
    const std::size_t equals = word.find('=');
    const std::string name =
        full ? word.substr(2, equals == std::string::npos ? equals : equals - 2) : word.substr(1, 1);
    std::optional<std::string> value;
    if (full && equals != std::string::npos) value = word.substr(equals + 1);
    if (!full && word.size() > 2) value = word.substr(word[2] == '=' ? 3 : 2);
    const auto flag = std::ranges::find_if(
        spec_.flags, [&](const config::FlagSpec& known) { return name == (full ? known.name : known.brief); });
    if (flag == spec_.flags.end()) return Unknown(word, name);
    if (values_.contains(flag->name)) return fmt::format("--{} is there twice", flag->name);
    return Take(*flag, std::move(value));
  }

  std::string Unknown(const std::string& word, const std::string& name) const {
    std::vector<std::string> names;
    for (const config::FlagSpec& flag : spec_.flags) names.push_back(flag.name);
    const std::string nearest = base::Nearest(name, names);
    const std::string unknown = "unknown flag " + QuoteShort(word);
    return nearest.empty() ? unknown : fmt::format("{}; did you mean --{}?", unknown, nearest);
  }

  std::optional<std::string> Take(const config::FlagSpec& flag, std::optional<std::string> value) {
    using FlagKind = config::FlagSpec::Kind;
    FlagValue result;
    const std::string* next = at_ + 1 < words_.size() ? &words_[at_ + 1] : nullptr;
    if (flag.kind == FlagKind::kSwitch) {
      if (value) return fmt::format("--{} takes no value", flag.name);
    } else if (flag.kind == FlagKind::kCount) {
      if (!value && next != nullptr && IsDigits(*next)) value = words_[++at_];
      if (!value) value = "1";
    } else if (!value) {
      if (next == nullptr) return fmt::format("--{} needs a value", flag.name);
      value = words_[++at_];
    }
    if (value) result.text = *value;
    if (flag.kind == FlagKind::kText && result.text.empty()) return fmt::format("--{} needs a value", flag.name);
    if (flag.kind == FlagKind::kNumber || flag.kind == FlagKind::kCount) {
      const auto number = ParseNumber(result.text);
      if (!number) return fmt::format("{} is no number from 1 up", QuoteShort(result.text));
      result.number = *number;
    }
    if (flag.kind == FlagKind::kDuration) {
      const auto duration = ParseSpan(result.text);
      if (!duration) return fmt::format("{} is no time such as 30s, 10m, 2h or 1d", QuoteShort(result.text));
      result.duration = *duration;
    }
    values_[flag.name] = std::move(result);
    return std::nullopt;
  }

  const config::CommandSpec& spec_;
  std::vector<std::string> words_;
  std::size_t at_ = 0;
  std::vector<std::string> plain_;
  std::map<std::string, FlagValue> values_;
};

// What is wrong with a word; nullopt when nothing is.
std::optional<std::string> WrongWord(const config::CommandSpec& spec, const config::ArgumentSpec& argument,
                                     const std::string& word) {
  if (!argument.choices.empty()) {
    if (std::ranges::find(argument.choices, word) != argument.choices.end()) return std::nullopt;
    return fmt::format("{} is not one of {}", QuoteShort(word), base::Join(argument.choices, ", "));
  }
  // A program would take it for an option.
  if (spec.run && word.starts_with('-')) return fmt::format("{} must not begin with a hyphen", QuoteShort(word));
  return std::nullopt;
}

}  // namespace

Message Usage(const config::CommandSpec& spec, std::string why) {
  Message message;
  message.headline.Plain("usage: ").Code(spec.Usage());
  if (!why.empty()) message.lines.emplace_back(std::move(why));
  return message;
}

std::expected<Bound, Message> BindArguments(const config::CommandSpec& spec, const Command& command,
                                            const std::vector<std::string>& services, const Scope& scope,
                                            const Verbs& verbs) {
  Bound bound;
  ServiceFinder finder(spec, services, scope, verbs);
  std::vector<std::string> words = command.arguments;
  // Words that are handed on as they are may look like flags.
  const bool raw = !spec.arguments.empty() && spec.arguments.back().kind == Kind::kRest;
  if (!raw) {
    FlagReader reader(spec, std::move(words));
    if (auto problem = reader.Read()) return std::unexpected(Usage(spec, *std::move(problem)));
    words = reader.TakePlain();
    bound.flags = reader.Values();
  }
  auto word = words.begin();
  for (const config::ArgumentSpec& argument : spec.arguments) {
    if (word == words.end()) {
      if (argument.required) return std::unexpected(Usage(spec, ""));
      break;
    }
    const auto begin = word;
    switch (argument.kind) {
      case Kind::kService:
        finder.Add(*word++, argument.kind);
        break;
      case Kind::kServices:
        while (word != words.end()) finder.Add(*word++, argument.kind);
        break;
      case Kind::kNumber:
        bound.number = ParseNumber(*word);
        if (!bound.number) {
          return std::unexpected(Usage(spec, fmt::format("{} is no number from 1 up", QuoteShort(*word))));
        }
        ++word;
        break;
      case Kind::kVerb:
        bound.word = *word++;
        break;
      case Kind::kWord:
        if (auto problem = WrongWord(spec, argument, *word)) return std::unexpected(Usage(spec, *std::move(problem)));
        bound.word = *word++;
        break;
      case Kind::kRest:
        word = words.end();
        break;
    }
    bound.values[argument.name].assign(begin, word);
  }
  if (word != words.end()) {
    return std::unexpected(Usage(spec, fmt::format("{} is one word too many", QuoteShort(*word))));
  }
  if (finder.Problems().size() == 1) {
    Message message;
    message.headline = finder.Problems().front();
    return std::unexpected(std::move(message));
  }
  if (!finder.Problems().empty()) {
    Message message;
    message.headline.Plain("nothing was done:");
    message.lines = finder.Problems();
    return std::unexpected(std::move(message));
  }
  for (const config::FlagSpec& flag : spec.flags) {
    const FlagValue* value = flag.argument.empty() ? nullptr : bound.Flag(flag.name);
    if (value == nullptr) continue;
    // The only arguments that flags stand for are numbers: see the loader of the table.
    if (bound.number) return std::unexpected(Usage(spec, fmt::format("--{} is there twice", flag.name)));
    bound.number = value->number;
    bound.flags.erase(flag.name);
  }
  bound.services = finder.Found();
  for (const config::ArgumentSpec& argument : spec.arguments) {
    if (argument.kind == Kind::kServices) bound.values[argument.name] = bound.services;
  }
  return bound;
}

}  // namespace shipmate::chat
