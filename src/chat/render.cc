#include "chat/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/truncate.h"
#include "chat/clean.h"

namespace shipmate::chat {

namespace {

constexpr std::string_view kDots = "...";
// A link longer than this costs more of the message than it is worth.
constexpr std::size_t kLongestUrl = 500;
// Less of a cut line than this tells nothing.
constexpr std::size_t kShortestPiece = 20;

class Writer {
 public:
  Writer(const Dialect& dialect, const base::Masker* masker) : dialect_(dialect), masker_(masker) {}

  std::string Line(const Text& text) const {
    std::string line;
    for (const Span& span : text.Spans()) line += Styled(span);
    return line;
  }

  // The line within `budget` code points. It is the raw text that is cut, so that markup stays whole.
  std::string LineWithin(const Text& text, std::size_t budget) const {
    std::string line = Line(text);
    if (base::RuneCount(line) <= budget) return line;
    if (budget < kDots.size()) return "";
    std::size_t low = 0;
    std::size_t high = base::RuneCount(text.Bare());
    line = kDots;
    while (low < high) {
      const std::size_t middle = low + (high - low + 1) / 2;
      std::string candidate = Line(FirstRunes(text, middle)).append(kDots);
      if (base::RuneCount(candidate) <= budget) {
        low = middle;
        line = std::move(candidate);
      } else {
        high = middle - 1;
      }
    }
    return line;
  }

  // The end of the block as a file.
  std::string File(std::string_view code) const {
    const std::string text = Mask(CleanBlock(code));
    if (text.size() <= kFileLimit) return text;
    std::size_t start = text.size() - kFileLimit;
    while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) ++start;
    return text.substr(start);
  }

  std::string BlockText(std::string_view code) const { return dialect_.EscapeForBlock(Mask(CleanBlock(code))); }

  // The end of the escaped `text` in a fence, all within `budget` code points; "" where not even a fence fits. How long
  // a fence is may depend on what it holds.
  std::string BlockWithin(const std::string& text, std::size_t budget) const {
    const std::size_t fence = base::RuneCount(dialect_.Fence(""));
    if (budget <= fence) return "";
    std::size_t low = 0;
    std::size_t high = budget - fence;
    std::string block = Fenced(text, high);
    if (base::RuneCount(block) <= budget) return block;
    block.clear();
    while (low < high) {
      const std::size_t middle = low + (high - low + 1) / 2;
      std::string candidate = Fenced(text, middle);
      if (base::RuneCount(candidate) <= budget) {
        low = middle;
        block = std::move(candidate);
      } else {
        high = middle - 1;
      }
    }
    return block;
  }

 private:
  std::string Mask(std::string text) const { return masker_ == nullptr ? text : masker_->Mask(text); }

  std::string Styled(const Span& span) const {
    const std::string text = base::EscapeControls(Mask(span.text));
    if (text.empty()) return "";
    switch (span.style) {
      case Span::Style::kBold:
        return dialect_.Bold(text);
      case Span::Style::kCode:
        return dialect_.Code(text);
      case Span::Style::kLink: {
        const std::string url = SafeUrl(Mask(span.url));
        return url.empty() ? dialect_.Escape(text) : dialect_.Link(text, url);
      }
      case Span::Style::kPlain:
        break;
    }
    return dialect_.Escape(text);
  }

  // `url` with everything percent-encoded that is not plainly part of a URL (RFC 3986) or could end a link's markup; ""
  // for anything but http and https, which is all that a person should be led to.
  static std::string SafeUrl(const std::string& url) {
    const std::string lower = base::ToLowerAscii(url);
    if (!lower.starts_with("https://") && !lower.starts_with("http://")) return "";
    constexpr std::string_view kKept = "-._~:/?#@!$&+,;=%";
    std::string safe;
    for (const char c : url) {
      const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
      if (alphanumeric || kKept.find(c) != std::string_view::npos) {
        safe.push_back(c);
      } else {
        safe += fmt::format("%{:02X}", static_cast<unsigned char>(c));
      }
    }
    return safe.size() > kLongestUrl ? "" : safe;
  }

  static Text FirstRunes(const Text& text, std::size_t count) {
    Text first;
    for (const Span& span : text.Spans()) {
      if (count == 0) break;
      const std::string_view kept = base::FirstRunes(span.text, count);
      count -= base::RuneCount(kept);
      switch (span.style) {
        case Span::Style::kPlain:
          first.Plain(std::string(kept));
          break;
        case Span::Style::kBold:
          first.Bold(std::string(kept));
          break;
        case Span::Style::kCode:
          first.Code(std::string(kept));
          break;
        case Span::Style::kLink:
          first.Link(std::string(kept), span.url);
          break;
      }
    }
    return first;
  }

  std::string Fenced(const std::string& text, std::size_t budget) const {
    return dialect_.Fence(base::TruncateTailToRuneBudget(text, static_cast<long>(budget)));
  }

  const Dialect& dialect_;
  const base::Masker* masker_;
};

std::string MoreLine(std::size_t count) {
  return fmt::format("... and {} more", count);
}

// As many of `lines` as fit into `budget`, line ends counted, with a count of those that do not.
std::vector<std::string> LinesWithin(const Writer& writer, const std::vector<Text>& lines, std::size_t budget) {
  std::vector<std::string> written;
  std::size_t all = 0;
  for (const Text& line : lines) {
    written.push_back(writer.Line(line));
    all += base::RuneCount(written.back()) + 1;
    if (all > budget) break;
  }
  if (all <= budget) return written;

  const std::size_t reserved = MoreLine(lines.size()).size() + 1;
  std::vector<std::string> kept;
  std::size_t used = 0;
  for (const std::string& line : written) {
    const std::size_t size = base::RuneCount(line) + 1;
    if (used + size + reserved > budget) break;
    used += size;
    kept.push_back(line);
  }
  if (kept.empty() && budget > reserved + kShortestPiece + 1) {
    const bool single = lines.size() == 1;
    kept.push_back(writer.LineWithin(lines[0], budget - 1 - (single ? 0 : reserved)));
    if (single) return kept;
  }
  if (reserved <= budget) kept.push_back(MoreLine(lines.size() - kept.size()));
  return kept;
}

}  // namespace

Rendered RenderAll(const Message& message, const Dialect& dialect, const base::Masker* masker) {
  const Writer writer(dialect, masker);
  const std::size_t limit = dialect.MessageLimit();
  const std::string code = message.code ? writer.BlockText(*message.code) : "";

  const bool alone = message.lines.empty() && code.empty();
  std::vector<std::string> parts;
  std::size_t used = 0;
  const auto add = [&parts, &used](std::string part) {
    if (part.empty()) return;
    used += base::RuneCount(part) + (parts.empty() ? 0 : 1);
    parts.push_back(std::move(part));
  };

  Rendered rendered;
  add(writer.LineWithin(message.headline, alone ? limit : limit / 2));
  const std::size_t block = code.empty() ? 0 : base::RuneCount(dialect.Fence(code)) + 1;
  const std::size_t kept_for_block = std::min(block, limit / 3);
  if (limit > used + kept_for_block) {
    for (std::string& line : LinesWithin(writer, message.lines, limit - used - kept_for_block)) add(std::move(line));
  }
  const std::size_t gap = parts.empty() ? 0 : 1;
  const std::size_t room = limit > used + gap ? limit - used - gap : 0;
  if (!code.empty() && room > 0) add(writer.BlockWithin(code, room));
  if (!message.code_file.empty() && block > room + 1) {
    rendered.files.push_back({.name = message.code_file, .bytes = writer.File(*message.code)});
  }
  rendered.text = fmt::format("{}", fmt::join(parts, "\n"));
  return rendered;
}

std::string Render(const Message& message, const Dialect& dialect, const base::Masker* masker) {
  return RenderAll(message, dialect, masker).text;
}

}  // namespace shipmate::chat
