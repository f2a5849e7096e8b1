#include "config/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace shipmate::config {

namespace {

constexpr std::size_t kMaxProblems = 100;
constexpr std::size_t kShownRunes = 60;

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// Words YAML 1.1 and other programs take for a switch; also what people write.
bool LooksLikeSwitch(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords = {"yes", "no", "on", "off", "y",    "n",
                                                              "1",   "0",  "t",  "f",   "true", "false"};
  return std::ranges::find(kWords, base::ToLowerAscii(text)) != kWords.end();
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseNumber(text.substr(0, digits));
  // Larger than any limit, small enough for every unit.
  constexpr std::uint64_t kMost = 1'000'000'000;
  if (!number || *number > kMost) return std::nullopt;
  const std::string_view unit = text.substr(digits);
  const auto count = static_cast<std::int64_t>(*number);
  if (unit == "ms") return std::chrono::milliseconds(count);
  if (unit == "s" || unit.empty()) return std::chrono::seconds(count);
  if (unit == "m") return std::chrono::minutes(count);
  if (unit == "h") return std::chrono::hours(count);
  return std::nullopt;
}

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<SizeUnit, 9> kSizeUnits = {{{"TiB", std::uint64_t{1} << 40U},
                                                 {"GiB", std::uint64_t{1} << 30U},
                                                 {"MiB", std::uint64_t{1} << 20U},
                                                 {"KiB", std::uint64_t{1} << 10U},
                                                 {"TB", 1'000'000'000'000},
                                                 {"GB", 1'000'000'000},
                                                 {"MB", 1'000'000},
                                                 {"kB", 1000},
                                                 {"KB", 1000}}};

std::optional<std::uint64_t> ParseSize(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseNumber(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  if (!number || unit.empty()) return number;
  for (const SizeUnit& known : kSizeUnits) {
    // Beyond every limit, but no overflow.
    if (unit == known.name) return *number > UINT64_MAX / known.bytes ? UINT64_MAX : *number * known.bytes;
  }
  return std::nullopt;
}

std::string ShowSize(std::uint64_t bytes) {
  if (bytes > 0 && bytes % (1U << 30U) == 0) return fmt::format("{}GiB", bytes >> 30U);
  if (bytes > 0 && bytes % (1U << 20U) == 0) return fmt::format("{}MiB", bytes >> 20U);
  if (bytes > 0 && bytes % (1U << 10U) == 0) return fmt::format("{}KiB", bytes >> 10U);
  return std::to_string(bytes);
}

std::string ShowDuration(std::chrono::milliseconds value) {
  if (value.count() % 3'600'000 == 0 && value.count() > 0) return fmt::format("{}h", value.count() / 3'600'000);
  if (value.count() % 1000 == 0) return fmt::format("{}s", value.count() / 1000);
  return fmt::format("{}ms", value.count());
}

}  // namespace

void Report::Problem(Mark mark, std::string_view text) {
  Add(mark, At(mark, text));
}
void Report::ParseProblem(Mark mark, std::string_view text) {
  Add(mark, parsing_ + At(mark, text));
}
void Report::Warn(Mark mark, std::string_view text) {
  warnings_.push_back(At(mark, text));
}

std::string Report::At(Mark mark, std::string_view text) const {
  return fmt::format("{}:{}:{}: {}", file_, mark.line, mark.column, text);
}

void Report::Add(Mark mark, std::string problem) {
  if (++count_ <= kMaxProblems) problems_.emplace_back(mark, std::move(problem));
}

std::vector<std::string> Report::TakeProblems() {
  std::ranges::sort(problems_, {}, [](const auto& problem) {
    return std::tuple(problem.first.line, problem.first.column, std::string_view(problem.second));
  });
  std::vector<std::string> texts;
  for (auto& [mark, text] : problems_) texts.push_back(std::move(text));
  if (count_ > kMaxProblems) texts.push_back(fmt::format("{}: and {} more problems", file_, count_ - kMaxProblems));
  problems_.clear();
  count_ = 0;
  return texts;
}

std::string Shown(std::string_view text) {
  const std::string_view start = base::FirstRunes(text, kShownRunes);
  return base::Quote(start) + (start.size() < text.size() ? "..." : "");
}

std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = base::Nearest(word, candidates);
  return nearest.empty() ? "" : fmt::format(" (did you mean {}?)", base::Quote(nearest));
}

std::optional<Node> ReadMapping(std::string_view text, Report& report) {
  Document document = ParseYaml(text);
  if (!document.problems.empty()) {
    for (const YamlProblem& problem : document.problems) report.ParseProblem(problem.mark, problem.text);
    return std::nullopt;
  }
  if (document.root.kind != Node::Kind::kMap && document.root.kind != Node::Kind::kNull) {
    report.ParseProblem(document.root.mark,
                        fmt::format("expected keys with values (\"key: value\"), found {}", document.root.KindName()));
    return std::nullopt;
  }
  document.root.kind = Node::Kind::kMap;
  return std::move(document.root);
}

Fields::Fields(const Node& map, std::string where, Report& report)
    : map_(&map), where_(std::move(where)), report_(&report) {
  if (map.kind == Node::Kind::kMap) return;
  static const Node kEmpty{.kind = Node::Kind::kMap, .mark = {}, .text = {}, .children = {}, .key = {}, .key_mark = {}};
  report.Problem(map.mark, fmt::format("{}: expected a mapping (\"key: value\" lines below it), found {}", where_,
                                       map.KindName()));
  map_ = &kEmpty;
}

std::string Fields::Name(std::string_view key) const {
  return where_.empty() ? std::string(key) : fmt::format("{}.{}", where_, key);
}

bool Fields::HasKey(std::string_view key) const {
  return std::ranges::any_of(map_->children, [key](const Node& child) { return child.key == key; });
}

const Node* Fields::Find(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  const auto found = std::ranges::find(map_->children, key, &Node::key);
  if (found == map_->children.end() || found->kind == Node::Kind::kNull) return nullptr;
  return &*found;
}

std::optional<Mark> Fields::Blank(std::string_view key) {
  if (Find(key) != nullptr || !HasKey(key)) return std::nullopt;
  return std::ranges::find(map_->children, key, &Node::key)->key_mark;
}

std::optional<Placed> Fields::AnyText(std::string_view key, const Node& node) {
  if (!node.IsText()) {
    Problem(key, node.mark, fmt::format("expected text, found {}", node.KindName()));
    return std::nullopt;
  }
  if (node.text.find('\0') != std::string::npos) {
    Problem(key, node.mark, "contains a NUL character");
    return std::nullopt;
  }
  return Placed{node.text, node.mark};
}

std::optional<Placed> Fields::Script(std::string_view key) {
  const Node* node = Find(key);
  return node == nullptr ? std::nullopt : AnyText(key, *node);
}

std::optional<Placed> Fields::Text(std::string_view key) {
  auto text = Script(key);
  if (text && std::ranges::any_of(text->text, IsControl)) {
    Problem(key, text->mark, "must be one line without control characters");
    return std::nullopt;
  }
  return text;
}

void Fields::WrongWord(std::string_view key, const Placed& found, const std::vector<std::string_view>& words) {
  Problem(key, found.mark, fmt::format("expected one of {}, found {}", fmt::join(words, ", "), Shown(found.text)));
}

std::optional<bool> Fields::Switch(std::string_view key) {
  const Node* node = Find(key);
  if (node == nullptr) {
    if (const auto blank = Blank(key)) Problem(key, *blank, "has no value; write true or false");
    return std::nullopt;
  }
  if (node->kind == Node::Kind::kPlain && node->text == "true") return true;
  if (node->kind == Node::Kind::kPlain && node->text == "false") return false;
  if (!node->IsText()) {
    Problem(key, node->mark, fmt::format("expected true or false, found {}", node->KindName()));
  } else if (node->kind == Node::Kind::kQuoted && LooksLikeSwitch(node->text)) {
    Problem(key, node->mark,
            fmt::format("{} in quotes is text; write true or false without quotes", Shown(node->text)));
  } else {
    Problem(key, node->mark, fmt::format("{} is neither true nor false; write true or false", Shown(node->text)));
  }
  return std::nullopt;
}

std::vector<Placed> Fields::Texts(std::string_view key) {
  std::vector<Placed> texts;
  const Node* node = Find(key);
  if (node == nullptr) return texts;
  if (node->kind != Node::Kind::kList) {
    Problem(key, node->mark, fmt::format("expected a list (\"- item\" lines, or [a, b]), found {}", node->KindName()));
    return texts;
  }
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const Node& item = node->children[i];
    const std::string name = fmt::format("{}[{}]", key, i + 1);
    if (item.kind == Node::Kind::kNull) {
      Problem(name, item.mark, "is blank; remove the item, or write \"\" for empty text");
    } else if (auto text = AnyText(name, item)) {
      texts.push_back(std::move(*text));
    }
  }
  return texts;
}

std::optional<std::uint64_t> Fields::Number(std::string_view key, std::uint64_t low, std::uint64_t high) {
  const Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  // A leading zero would be octal to one reader and decimal to the next.
  const bool plain = node->IsText() && (node->text == "0" || !node->text.starts_with('0'));
  const auto value = plain ? ParseNumber(node->text) : std::nullopt;
  if (!value || *value < low || *value > high) {
    const std::string found = node->IsText() ? Shown(node->text) : node->KindName();
    Problem(key, node->mark, fmt::format("expected a number from {} to {}, found {}", low, high, found));
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> Fields::Integer(std::string_view key, std::int64_t low, std::int64_t high) {
  const Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  std::string_view digits = node->text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  const bool plain = node->IsText() && (digits == "0" || !digits.starts_with('0'));
  const auto amount = plain ? ParseNumber(digits) : std::nullopt;
  std::optional<std::int64_t> value;
  if (amount && *amount <= static_cast<std::uint64_t>(std::max(high, -low))) {
    value = static_cast<std::int64_t>(*amount) * (node->text.starts_with('-') ? -1 : 1);
  }
  if (!value || *value < low || *value > high) {
    const std::string found = node->IsText() ? Shown(node->text) : node->KindName();
    Problem(key, node->mark, fmt::format("expected a number from {} to {}, found {}", low, high, found));
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> Fields::Size(std::string_view key, std::uint64_t low, std::uint64_t high) {
  const Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->IsText() ? ParseSize(node->text) : std::nullopt;
  if (!value) {
    const std::string found = node->IsText() ? Shown(node->text) : node->KindName();
    Problem(key, node->mark, fmt::format("expected a size such as 64KiB, 512MiB or 2GiB, found {}", found));
    return std::nullopt;
  }
  if (*value < low || *value > high) {
    Problem(key, node->mark, fmt::format("must be from {} to {}", ShowSize(low), ShowSize(high)));
    return std::nullopt;
  }
  return value;
}

std::optional<std::chrono::milliseconds> Fields::Duration(std::string_view key, std::chrono::milliseconds low,
                                                          std::chrono::milliseconds high) {
  const Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->IsText() ? ParseDuration(node->text) : std::nullopt;
  if (!value) {
    const std::string found = node->IsText() ? Shown(node->text) : node->KindName();
    Problem(key, node->mark, fmt::format("expected a duration such as 500ms, 5s, 2m or 1h, found {}", found));
    return std::nullopt;
  }
  if (*value < low || *value > high) {
    Problem(key, node->mark, fmt::format("must be from {} to {}", ShowDuration(low), ShowDuration(high)));
    return std::nullopt;
  }
  return value;
}

std::optional<Fields> Fields::Section(std::string_view key) {
  const Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind != Node::Kind::kMap) {
    Problem(key, node->mark,
            fmt::format("expected a mapping (\"key: value\" lines below it), found {}", node->KindName()));
    return std::nullopt;
  }
  return Fields(*node, Name(key), *report_);
}

void Fields::Problem(std::string_view key, Mark mark, std::string_view text) {
  report_->Problem(mark, fmt::format("{}: {}", Name(key), text));
}

void Fields::Warn(std::string_view key, Mark mark, std::string_view text) {
  report_->Warn(mark, fmt::format("{}: {}", Name(key), text));
}

void Fields::Finish() {
  for (const Node& child : map_->children) {
    if (std::ranges::find(known_, child.key) != known_.end()) continue;
    // A key already in the file is not what was meant.
    std::vector<std::string> candidates;
    std::ranges::copy_if(known_, std::back_inserter(candidates),
                         [this](const std::string& key) { return !HasKey(key); });
    const std::string section = where_.empty() ? "" : fmt::format(" in {}", where_);
    report_->Problem(child.key_mark,
                     fmt::format("unknown key {}{}{}", Shown(child.key), section, Suggestion(child.key, candidates)));
  }
}

}  // namespace shipmate::config
