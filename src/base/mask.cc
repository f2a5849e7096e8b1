#include "base/mask.h"

#include <algorithm>
#include <array>
#include <utility>

namespace shipmate::base {

namespace {

constexpr std::size_t kShortestMasked = 6;
constexpr std::string_view kMask = "***";

std::string ReplaceAll(std::string text, std::string_view from, std::string_view to) {
  std::size_t at = text.find(from);
  if (at == std::string::npos) return text;
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  return out.append(text, done);
}

// RFC 3986 section 3.2: authority = [ userinfo "@" ] host; it ends at "/", "?", "#" or, in running text, at a blank.
std::string MaskUserInfo(std::string text) {
  constexpr std::string_view kBegin = "://";
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at)) {
    at += kBegin.size();
    const std::size_t end = std::min(text.find_first_of("/?# \t\r\n\"'<>`", at), text.size());
    const std::size_t sign = std::string_view(text).substr(at, end - at).rfind('@');
    if (sign == std::string_view::npos || sign == 0) continue;
    out.append(text, done, at - done).append(kMask);
    done = at + sign;
  }
  return done == 0 ? std::move(text) : out.append(text, done);
}

bool IsLetterOrDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// What tokens are made of.
bool IsTokenChar(char c) {
  return IsLetterOrDigit(c) || c == '_' || c == '-' || c == '.';
}

// The shape of a kind of token, as its maker documents it: how it begins, and at least how many letters, digits and
// `also` follow.
struct Shape {
  std::string_view prefix;
  std::size_t least;
  std::string_view also;
};

constexpr std::array kShapes = {
    // GitHub
    Shape{"ghp_", 36, ""}, Shape{"gho_", 36, ""}, Shape{"ghu_", 36, ""}, Shape{"ghs_", 36, ""}, Shape{"ghr_", 36, ""},
    Shape{"github_pat_", 22, "_"},
    // GitLab
    Shape{"glpat-", 20, "_-"}, Shape{"gldt-", 20, "_-"}, Shape{"glrt-", 20, "_-"},
    // Slack
    Shape{"xoxb-", 10, "-"}, Shape{"xoxp-", 10, "-"}, Shape{"xoxa-", 10, "-"}, Shape{"xoxr-", 10, "-"},
    Shape{"xoxs-", 10, "-"}, Shape{"xoxe-", 10, "-"}, Shape{"xapp-", 10, "-"},
    // Amazon Web Services, Google, Stripe, npm, PyPI, OpenAI and Anthropic
    Shape{"AKIA", 16, ""}, Shape{"ASIA", 16, ""}, Shape{"AIza", 35, "_-"}, Shape{"sk_live_", 16, ""},
    Shape{"rk_live_", 16, ""}, Shape{"sk_test_", 16, ""}, Shape{"npm_", 36, ""}, Shape{"pypi-", 50, "_-"},
    Shape{"sk-proj-", 20, "_-"}, Shape{"sk-ant-", 20, "_-"}};

std::size_t RunOf(std::string_view text, std::string_view also) {
  std::size_t length = 0;
  while (length < text.size() && (IsLetterOrDigit(text[length]) || also.find(text[length]) != std::string_view::npos)) {
    ++length;
  }
  return length;
}

// No first part of such a token is longer; a bound on the work.
constexpr std::size_t kLongestHeader = 2048;

// Three parts with dots between: a Discord bot token (a number in base64, a time, a signature), or a JSON Web Token
// (RFC 7519), whose header begins with `{"`.
std::size_t DottedLength(std::string_view text) {
  constexpr std::string_view kBase64Url = "_-";
  if (text.empty() || (!text.starts_with("eyJ") && std::string_view("MNO").find(text[0]) == std::string_view::npos)) {
    return 0;
  }
  const std::size_t first = RunOf(text.substr(0, kLongestHeader), kBase64Url);
  if (first < 10 || first >= text.size() || text[first] != '.') return 0;
  const std::size_t second = RunOf(text.substr(first + 1), kBase64Url);
  const std::size_t dot = first + 1 + second;
  if (dot >= text.size() || text[dot] != '.') return 0;
  const std::size_t third = RunOf(text.substr(dot + 1), kBase64Url);
  const bool web_token = text.starts_with("eyJ") && second >= 10 && third >= 10;
  const bool discord = text[0] != 'e' && first >= 23 && first <= 30 && second >= 6 && second <= 7 && third >= 27;
  return discord || web_token ? dot + 1 + third : 0;
}

// Length of the token that `text` begins with; 0 when it begins with none.
std::size_t TokenLength(std::string_view text) {
  for (const Shape& shape : kShapes) {
    if (!text.starts_with(shape.prefix)) continue;
    const std::size_t rest = RunOf(text.substr(shape.prefix.size()), shape.also);
    if (rest >= shape.least) return shape.prefix.size() + rest;
  }
  return DottedLength(text);
}

constexpr std::size_t kShortestToken = 15;

std::string MaskTokens(std::string text) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!IsTokenChar(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && IsTokenChar(text[end])) ++end;
    for (; end - at >= kShortestToken && at < end; ++at) {
      const bool inside = at > 0 && (IsLetterOrDigit(text[at - 1]) || text[at - 1] == '_');
      const std::size_t length = inside ? 0 : TokenLength(std::string_view(text).substr(at, end - at));
      if (length == 0) continue;
      out.append(text, done, at - done).append(kMask);
      done = at + length;
      at = done - 1;
    }
    at = std::max(at, end);
  }
  return done == 0 ? std::move(text) : out.append(text, done);
}

constexpr std::string_view kKeyBegin = "-----BEGIN ";
constexpr std::string_view kKeyEnd = "-----END ";
constexpr std::string_view kKeyDashes = "-----";

// Where the line of RFC 7468 that `boundary` begins at `at` ends, when it is a private key's; npos when it is not.
std::size_t KeyLineEnd(std::string_view text, std::size_t at, std::string_view boundary) {
  const std::size_t label = at + boundary.size();
  const std::size_t end = text.find(kKeyDashes, label);
  if (end == std::string_view::npos) return end;
  return text.substr(label, end - label).ends_with("PRIVATE KEY") ? end + kKeyDashes.size() : std::string_view::npos;
}

// Where the lines of base64 that end at `end` begin.
std::size_t Base64Start(std::string_view text, std::size_t end) {
  while (end > 0 && (IsLetterOrDigit(text[end - 1]) ||
                     std::string_view("+/=\\\r\n").find(text[end - 1]) != std::string_view::npos)) {
    --end;
  }
  return end;
}

// Private keys (RFC 7468): what stands between the two lines; where the text was cut in such a key, what there is of
// it.
std::string MaskPrivateKeys(std::string text) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(kKeyDashes); at != std::string::npos; at = text.find(kKeyDashes, at)) {
    const std::string_view rest = std::string_view(text).substr(at);
    std::size_t hidden = std::string_view::npos;
    std::size_t next = std::string_view::npos;
    if (rest.starts_with(kKeyBegin)) {
      hidden = KeyLineEnd(text, at, kKeyBegin);
      if (hidden != std::string_view::npos) next = std::min(text.find(kKeyEnd, hidden), text.size());
    } else if (rest.starts_with(kKeyEnd) && KeyLineEnd(text, at, kKeyEnd) != std::string_view::npos) {
      // Its beginning is not here, or was met above; then nothing but the mask stands before it.
      hidden = std::max(Base64Start(text, at), done);
      next = at;
    }
    if (hidden == std::string_view::npos || next <= hidden) {
      at += kKeyDashes.size();
      continue;
    }
    out.append(text, done, hidden - done).append(hidden == 0 ? "" : "\n").append(kMask).append("\n");
    done = next;
    at = next == at ? at + kKeyDashes.size() : next;
  }
  return done == 0 ? std::move(text) : out.append(text, done);
}

}  // namespace

void Masker::Add(const Secret& secret) {
  const std::string& value = secret.Reveal();
  if (value.size() < kShortestMasked || std::ranges::find(values_, value) != values_.end()) return;
  values_.push_back(value);
  std::ranges::sort(values_, std::ranges::greater{}, &std::string::size);
}

std::string Masker::Mask(std::string_view text) const {
  std::string masked(text);
  for (const std::string& value : values_) masked = ReplaceAll(std::move(masked), value, kMask);
  return MaskTokens(MaskPrivateKeys(MaskUserInfo(std::move(masked))));
}

}  // namespace shipmate::base
