#include "config/load_push_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shipmate::config {

namespace {

constexpr std::size_t kMaxPatterns = 100;

// One text, or a list of them.
std::vector<Placed> OneOrMore(Fields& fields, std::string_view key) {
  const Node* node = fields.Find(key);
  if (node == nullptr || node->kind == Node::Kind::kList) return fields.Texts(key);
  std::vector<Placed> one;
  if (auto text = fields.Text(key)) one.push_back(*std::move(text));
  return one;
}

std::vector<std::string> ReadPatterns(Fields& fields, std::string_view key, const std::vector<Placed>& patterns) {
  std::vector<std::string> texts;
  for (const Placed& pattern : patterns) {
    const std::string_view bare = std::string_view(pattern.text).substr(pattern.text.starts_with('!') ? 1 : 0);
    if (bare.empty() || bare.find('\n') != std::string_view::npos) {
      fields.Problem(key, pattern.mark, fmt::format("{} is no pattern", Shown(pattern.text)));
    }
    texts.push_back(pattern.text);
  }
  if (texts.size() > kMaxPatterns) {
    fields.Problem(key, patterns.front().mark, fmt::format("has {} patterns; at most {}", texts.size(), kMaxPatterns));
  }
  return texts;
}

}  // namespace

void ReadPushRules(Fields& fields, ServiceConfig& service) {
  service.tags = ReadPatterns(fields, "tags", OneOrMore(fields, "tags"));
  service.paths = ReadPatterns(fields, "paths", OneOrMore(fields, "paths"));
  const auto excludes = [](const std::string& pattern) { return pattern.starts_with('!'); };
  for (const std::string_view key : {"tags", "paths"}) {
    const auto& patterns = key == "tags" ? service.tags : service.paths;
    const Node* node = fields.Find(key);
    if (patterns.empty() || node == nullptr) continue;
    if (std::ranges::all_of(patterns, excludes)) {
      fields.Problem(key, node->mark, "only excludes; begin with what counts, such as \"*\"");
    }
    if (service.repo.empty()) fields.Warn(key, node->key_mark, "has no effect without repo");
  }
}

}  // namespace shipmate::config
