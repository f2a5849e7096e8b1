#include "deploy/git.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "base/time_text.h"
#include "os/run_command.h"

namespace shipmate::deploy {

namespace {

constexpr std::chrono::seconds kLocalLimit{10};
// Of an answer by the remote.
constexpr std::chrono::seconds kRemoteLimit{20};
constexpr std::size_t kOutputLimit = std::size_t{64} * 1024;

Task<Result<std::string>> Git(GitPlace place, std::vector<std::string> arguments, std::chrono::seconds limit) {
  os::CommandOptions options;
  options.argv = {"git"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.dir = place.dir;
  options.env = std::move(place.env);
  std::erase_if(options.env, [](const std::string& variable) { return variable.starts_with("GIT_TERMINAL_PROMPT="); });
  options.env.emplace_back("GIT_TERMINAL_PROMPT=0");
  options.limit = limit;
  options.output_limit = kOutputLimit;
  options.settings = std::move(place.settings);
  options.exec_helper = std::move(place.exec_helper);
  const auto ran = co_await os::RunCommand(std::move(options));
  const std::string what = "git " + arguments.front();
  if (!ran) co_return Fail(ran.error().code, what + ": " + ran.error().what);
  if (ran->timed_out) co_return Fail(Errc::kTimeout, what + ": no answer within " + base::FormatDuration(limit));
  if (!ran->status.Success()) {
    const std::string tail = os::OutputTail(ran->output);
    co_return Fail(Errc::kIo, what + ": " + (tail.empty() ? ran->status.Describe() : tail));
  }
  co_return std::string(base::Trim(ran->output));
}

}  // namespace

bool IsCommit(std::string_view text) {
  constexpr std::size_t kShortest = 7;
  constexpr std::size_t kLongest = 64;
  return text.size() >= kShortest && text.size() <= kLongest &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsRef(std::string_view text) {
  constexpr std::size_t kLongest = 255;
  if (!text.starts_with("refs/") || text.size() > kLongest || text.ends_with('/') || text.ends_with('.') ||
      text.ends_with(".lock")) {
    return false;
  }
  for (const std::string_view bad : {"..", "//", "@{", "/.", ".lock/"}) {
    if (text.find(bad) != std::string_view::npos) return false;
  }
  return std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
           std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
}

Task<Result<std::string>> HeadCommit(GitPlace place) {
  return Git(std::move(place), {"rev-parse", "--verify", "HEAD^{commit}"}, kLocalLimit);
}

Task<Result<std::vector<std::string>>> RemoteCommits(GitPlace place, std::string ref) {
  if (!IsRef(ref)) co_return Fail(Errc::kInvalid, base::Quote(base::FirstRunes(ref, 100)) + " is no name of a ref");
  const auto listed = co_await Git(std::move(place), {"ls-remote", "--", "origin", ref, ref + "^{}"}, kRemoteLimit);
  if (!listed) co_return Fail(listed.error());
  std::vector<std::string> commits;
  for (const std::string_view line : base::Split(*listed, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || !IsCommit(line.substr(0, tab))) continue;
    const std::string_view name = line.substr(tab + 1);
    if (name == ref || name == ref + "^{}") commits.emplace_back(line.substr(0, tab));
  }
  co_return commits;
}

Task<Result<std::string>> FullCommit(GitPlace place, std::string commit) {
  if (!IsCommit(commit)) {
    co_return Fail(Errc::kInvalid, base::Quote(base::FirstRunes(commit, 100)) +
                                       " is no commit: 7 to 64 hexadecimal digits in lower case");
  }
  co_return co_await Git(std::move(place), {"rev-parse", "--verify", "--end-of-options", commit + "^{commit}"},
                         kLocalLimit);
}

Task<std::string> SubjectOf(GitPlace place, std::string commit) {
  if (!IsCommit(commit)) co_return "";
  const auto subject =
      co_await Git(std::move(place), {"log", "-1", "--format=%s", "--end-of-options", commit, "--"}, kLocalLimit);
  co_return subject.value_or("");
}

}  // namespace shipmate::deploy
