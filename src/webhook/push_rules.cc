#include "webhook/push_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "service/repo_name.h"

namespace shipmate::webhook {

namespace {

// Asks for no deploy where the message of the newest commit holds one of these, in any letter case.
constexpr std::string_view kSkipMarks[] = {"[skip deploy]", "[deploy skip]", "[skip cd]"};
constexpr std::size_t kShownRunes = 80;

// Names come from outside, and stand in one line of text.
std::string Shown(std::string_view text) {
  return base::EscapeControls(base::FirstRunes(text, kShownRunes));
}

Ruling Ignored(std::string why) {
  return {.deploys = false, .why = std::move(why)};
}

std::string Deployed(const config::ServiceConfig& service) {
  std::string what;
  if (!service.branch.empty()) what = service.branch;
  if (!service.tags.empty()) {
    what += fmt::format("{}tags {}", what.empty() ? "" : " and ", base::Join(service.tags, ", "));
  }
  return what.empty() ? "no branch" : what;
}

bool AsksToSkip(const Push& push) {
  const std::string message = base::ToLowerAscii(push.info.commit_msg);
  return std::ranges::any_of(kSkipMarks, [&](std::string_view mark) { return message.contains(mark); });
}

// Whether `pattern` fits all of `path`, or a directory that holds it, part by part. Two positions to go back to are
// enough for `*` and `**`, so the time is at most the product of the lengths.
bool MatchesFrom(std::string_view pattern, std::string_view path) {
  std::size_t p = 0;
  std::size_t s = 0;
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t star_pattern = kNone;
  std::size_t star_path = 0;
  std::size_t deep_pattern = kNone;
  std::size_t deep_path = 0;
  bool whole_parts = false;  // "**/" goes on at the beginning of a part only
  for (;;) {
    if (p == pattern.size() && (s == path.size() || path[s] == '/' || (p > 0 && pattern[p - 1] == '/'))) return true;
    if (p < pattern.size() && pattern[p] == '*') {
      if (p + 1 < pattern.size() && pattern[p + 1] == '*') {
        p += 2;
        // "**/" also stands for no directory at all.
        whole_parts = p < pattern.size() && pattern[p] == '/';
        if (whole_parts) ++p;
        deep_pattern = p;
        deep_path = s;
        star_pattern = kNone;
      } else {
        star_pattern = ++p;
        star_path = s;
      }
      continue;
    }
    if (p < pattern.size() && s < path.size() && (pattern[p] == path[s] || (pattern[p] == '?' && path[s] != '/'))) {
      ++p;
      ++s;
      continue;
    }
    if (star_pattern != kNone && star_path < path.size() && path[star_path] != '/') {
      p = star_pattern;
      s = ++star_path;
    } else if (deep_pattern != kNone && deep_path < path.size()) {
      star_pattern = kNone;
      p = deep_pattern;
      if (whole_parts) deep_path = std::min(path.find('/', deep_path), path.size() - 1);
      s = ++deep_path;
    } else {
      return false;
    }
  }
}

std::optional<std::string> WhyNotByRef(const Push& push, const config::ServiceConfig& service) {
  const std::string name = Shown(push.info.branch);
  switch (push.kind) {
    case Push::Kind::kBranch:
      if (push.deleted) return fmt::format("branch {} was deleted", name);
      if (!service.branch.empty() && push.info.branch == service.branch) return std::nullopt;
      return fmt::format("branch {}, service deploys {}", name, Deployed(service));
    case Push::Kind::kTag:
      if (push.deleted) return fmt::format("tag {} was deleted", name);
      if (ListHolds(service.tags, push.info.branch, &base::GlobMatch)) return std::nullopt;
      return fmt::format("tag {}, service deploys {}", name, Deployed(service));
    case Push::Kind::kOther:
      break;
  }
  return fmt::format("{} is neither a branch nor a tag", name);
}

}  // namespace

bool PathMatches(std::string_view pattern, std::string_view path) {
  while (pattern.starts_with('/')) pattern.remove_prefix(1);
  return !pattern.empty() && MatchesFrom(pattern, path);
}

bool ListHolds(const std::vector<std::string>& patterns, std::string_view name,
               bool (*matches)(std::string_view pattern, std::string_view name)) {
  for (auto pattern = patterns.rbegin(); pattern != patterns.rend(); ++pattern) {
    const bool excludes = pattern->starts_with('!');
    if (matches(std::string_view(*pattern).substr(excludes ? 1 : 0), name)) return !excludes;
  }
  return false;
}

std::optional<Ruling> Judge(const Push& push, const config::ServiceConfig& service) {
  if (!service::SameRepo(service.repo, push.repo_address.empty() ? push.info.repo : push.repo_address)) {
    return std::nullopt;
  }
  if (auto why = WhyNotByRef(push, service)) return Ignored(*std::move(why));
  if (AsksToSkip(push)) return Ignored("the commit's message says to skip the deploy");
  // What was not listed, or was rewritten, may have touched anything.
  if (!service.paths.empty() && push.kind == Push::Kind::kBranch && push.files_known && !push.forced) {
    const auto counts = [&](const std::string& file) { return ListHolds(service.paths, file, &PathMatches); };
    if (std::ranges::none_of(push.files, counts)) {
      return Ignored(
          fmt::format("none of its {} files is among {}", push.files.size(), Shown(base::Join(service.paths, ", "))));
    }
  }
  return Ruling{.deploys = true, .why = ""};
}

}  // namespace shipmate::webhook
