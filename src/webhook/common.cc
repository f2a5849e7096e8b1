#include "webhook/common.h"

#include <fmt/format.h>

namespace shipmate::webhook {

const std::vector<std::string_view> kTouched = {"added", "modified", "removed"};

Result<std::string_view> OnlyHeader(const net::HttpRequest& request, std::string_view name) {
  const std::size_t count = request.headers.Count(name);
  if (count == 0) return Fail(Errc::kAuth, fmt::format("there is no header {}", name));
  if (count > 1) return Fail(Errc::kAuth, fmt::format("there are {} headers {}", count, name));
  return request.headers.Get(name);
}

std::string FirstHeader(const net::HttpRequest& request, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (const std::string_view value = request.headers.Get(name); !value.empty()) return std::string(value);
  }
  return "";
}

bool IsZeros(std::string_view commit) {
  return !commit.empty() && commit.find_first_not_of('0') == std::string_view::npos;
}

void ReadCommit(PayloadReader& payload, Push& push) {
  const auto index = payload.IndexOf("commits", "id", push.info.commit_id);
  if (!index) return;
  const std::string commit = fmt::format("commits.{}.", *index);
  push.info.commit_msg = payload.Text(commit + "message");
  push.info.commit_url = payload.Text(commit + "url");
  push.info.author = payload.Text(commit + "author.name");
  push.info.timestamp = payload.Text(commit + "timestamp");
}

void ReadFiles(PayloadReader& payload, Push& push, std::string_view total) {
  const std::size_t listed = payload.Count("commits");
  const auto all = payload.Number(total);
  push.files = payload.TextsOfEach("commits", kTouched);
  push.files_known = listed > 0 && all && *all == static_cast<std::int64_t>(listed) && !push.created;
}

Result<void> CheckHex(std::string_view hex, std::string_view name, std::string_view body, Secrets& secrets) {
  constexpr std::size_t kDigits = 64;
  if (hex.size() != kDigits) {
    return Fail(Errc::kAuth, fmt::format("{} has {} characters where {} digits belong", name, hex.size(), kDigits));
  }
  if (!secrets.SignedHex(hex, body)) {
    return Fail(Errc::kAuth,
                fmt::format("{} does not fit the body of {} bytes under any of the secrets", name, body.size()));
  }
  return {};
}

}  // namespace shipmate::webhook
