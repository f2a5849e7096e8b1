#include "service/webhook_info.h"

#include "base/text.h"

namespace shipmate::service {

namespace {

constexpr std::size_t kShortShaBytes = 7;
constexpr std::size_t kMessageRunes = 300;

// A Markdown code span ends at the next backtick, whatever stands before it: git allows that character in branch names.
std::string InCodeSpan(std::string_view text) {
  std::string out = base::EscapeControls(text);
  for (char& c : out) {
    if (c == '`') c = '\'';
  }
  return out;
}

// A Markdown link target ends at a space or a closing parenthesis. RFC 3986 lets both be percent-encoded without
// changing what a server that decodes paths sees.
std::string InLinkTarget(std::string_view url) {
  std::string out;
  for (const char c : base::EscapeControls(url)) {
    switch (c) {
      case ' ':
        out += "%20";
        break;
      case '(':
        out += "%28";
        break;
      case ')':
        out += "%29";
        break;
      case '<':
        out += "%3C";
        break;
      case '>':
        out += "%3E";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace

std::string WebhookInfo::ShortSHA() const {
  return commit_id.substr(0, kShortShaBytes);
}

std::string WebhookInfo::ShortMessage() const {
  std::string line;
  for (const std::string_view piece : base::Split(commit_msg, '\n')) {
    line.clear();
    for (const char c : piece) {
      if (c != '\r') line.push_back(c);
    }
    if (!base::Trim(line).empty()) break;
    line.clear();
  }
  line = base::RepairUtf8(line);
  const std::string_view kept = base::FirstRunes(line, kMessageRunes);
  if (kept.size() == line.size()) return line;
  return std::string(kept) + "...";
}

std::string WebhookInfo::FormatMessage(std::string_view wrapped) const {
  std::string out = "Webhook for ";
  out += wrapped;
  out += ": ";
  if (commit_id.empty()) {
    out += "push to `" + InCodeSpan(branch) + "`";
    if (!pusher.empty()) out += " by " + base::EscapeControls(pusher);
    return out;
  }
  const std::string commit = base::EscapeControls(repo) + "@" + base::EscapeControls(ShortSHA());
  if (commit_url.empty()) {
    out += commit;
  } else {
    out += "[" + commit + "](" + InLinkTarget(commit_url) + ")";
  }
  out += " on `" + InCodeSpan(branch) + "`";
  if (!author.empty()) out += " by " + base::EscapeControls(author);
  if (const std::string message = ShortMessage(); !message.empty()) out += "\n> " + base::EscapeControls(message);
  if (!compare.empty()) out += "\n[compare](" + InLinkTarget(compare) + ")";
  return out;
}

}  // namespace shipmate::service
