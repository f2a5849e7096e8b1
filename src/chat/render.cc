#include "chat/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/truncate.h"
#include "chat/clean.h"
#include "chat/table.h"

namespace shipmate::chat {

namespace {

constexpr std::string_view kDots = "...";
// A link longer than this costs more of the message than it is worth.
constexpr std::size_t kLongestUrl = 500;
// Less of a cut line than this tells nothing.
constexpr std::size_t kShortestPiece = 20;

// Of a block no more than this is looked at, unless a message may hold more; then so much more.
constexpr std::size_t kLookedAt = std::size_t{64} * 1024;
constexpr std::size_t kBytesOfRune = 4;
constexpr std::size_t kBlockFactor = 8;

// A block that is escaped, and how many bytes before it are gone already.
struct Block {
  std::string text;
  std::size_t before = 0;
};

std::string MoreLine(std::size_t count) {
  return fmt::format("... and {} more", count);
}

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
    const std::size_t before = code.size() > 2 * kFileLimit ? code.size() - 2 * kFileLimit : 0;
    std::string text = Mask(CleanBlock(code.substr(before)));
    if (text.size() <= kFileLimit) return text;
    std::size_t start = text.size() - kFileLimit;
    while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) ++start;
    return text.substr(start);
  }

  // What is far more than any message holds is not even looked at: a program may have printed megabytes.
  Block BlockText(std::string_view code) const {
    const std::size_t most = std::max(kLookedAt, kBytesOfRune * kBlockFactor * dialect_.MessageLimit());
    std::size_t start = 0;
    if (code.size() > most) {
      // A whole line, so that nothing is cut that is known by its start.
      start = code.find('\n', code.size() - most);
      start = start == std::string_view::npos ? code.size() - most : start + 1;
      while (start < code.size() && (static_cast<unsigned char>(code[start]) & 0xC0U) == 0x80U) ++start;
    }
    return {.text = dialect_.EscapeForBlock(Mask(CleanBlock(code.substr(start)))), .before = start};
  }

  // The first rows of the table in a fence, within `budget` code points; "" where the heading and one row do not fit.
  std::string TableWithin(const Table& table, std::size_t budget) const {
    std::vector<std::vector<std::string>> rows = table.rows;
    for (auto& row : rows) {
      for (std::string& cell : row) cell = Mask(cell);
    }
    const std::vector<std::string> lines = TableLines(rows, dialect_.TableWidth());
    std::string best;
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      text += (i == 0 ? "" : "\n") + dialect_.EscapeForBlock(lines[i]);
      const std::size_t more = lines.size() - i - 1;
      std::string block = dialect_.Fence(more == 0 ? text : text + "\n" + MoreLine(more));
      const bool fits = base::RuneCount(block) <= budget;
      if (fits && (i > 0 || more == 0)) best = std::move(block);
      // A longer text does not fit either, unless it is the last count that goes.
      if (!fits && base::RuneCount(text) > budget) break;
    }
    return best;
  }

  std::string ButtonLine(const std::vector<Button>& buttons) const {
    std::string line;
    for (const Button& button : buttons) {
      line += (line.empty() ? "" : dialect_.Escape(", ")) + dialect_.Escape(base::EscapeControls(button.label) + ": ") +
              dialect_.Code(base::EscapeControls(button.command));
    }
    return line;
  }

  // The end of the escaped text in a fence, all within `budget` code points; "" where not even a fence fits. How long a
  // fence is may depend on what it holds.
  std::string BlockWithin(const Block& whole, std::size_t budget) const {
    const std::size_t fence = base::RuneCount(dialect_.Fence(""));
    if (budget <= fence) return "";
    std::size_t low = 0;
    std::size_t high = budget - fence;
    if (whole.before == 0 && base::RuneCount(whole.text) <= high) {
      if (std::string all = dialect_.Fence(whole.text); base::RuneCount(all) <= budget) return all;
    }
    // Nothing further back can be shown.
    Block text{.text = std::string(base::LastRunes(whole.text, high)), .before = whole.before};
    text.before += whole.text.size() - text.text.size();
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

  std::string Fenced(const Block& block, std::size_t budget) const {
    return dialect_.Fence(base::TruncateTailToRuneBudget(block.text, static_cast<long>(budget), block.before));
  }

  const Dialect& dialect_;
  const base::Masker* masker_;
};

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

Text WithName(const Field& field) {
  Text line;
  line.Bold(field.name + ":").Plain(" ");
  for (const Span& span : field.value.Spans()) line.Append(span);
  return line;
}

enum class Files { kTaken, kNotTaken };

Rendered RenderParts(const Message& message, const Dialect& dialect, const base::Masker* masker, Files files) {
  const Writer writer(dialect, masker);
  const std::size_t limit = dialect.MessageLimit();
  const bool as_file = files == Files::kTaken && message.only_file && !message.code_file.empty();
  const Block code = message.code && !as_file ? writer.BlockText(*message.code) : Block();
  std::vector<Text> lines;
  for (const Field& field : message.fields) lines.push_back(WithName(field));
  lines.insert(lines.end(), message.lines.begin(), message.lines.end());

  std::vector<std::string> parts;
  std::size_t used = 0;
  const auto add = [&parts, &used](std::string part) {
    if (part.empty()) return;
    used += base::RuneCount(part) + (parts.empty() ? 0 : 1);
    parts.push_back(std::move(part));
  };
  // What a later part may count on, where the earlier ones would take all.
  const auto reserve = [limit](std::size_t wanted) { return std::min(wanted, limit / 3); };

  std::string buttons = writer.ButtonLine(message.buttons);
  if (base::RuneCount(buttons) + 1 > limit / 4) buttons.clear();
  const std::size_t for_buttons = buttons.empty() ? 0 : base::RuneCount(buttons) + 1;
  const std::size_t block = code.text.empty() ? 0 : base::RuneCount(dialect.Fence(code.text)) + 1;
  const std::string whole_table = message.table.rows.empty() ? "" : writer.TableWithin(message.table, limit);
  const std::size_t table = whole_table.empty() ? 0 : base::RuneCount(whole_table) + 1;
  const std::size_t end = limit - for_buttons;

  Rendered rendered;
  const bool alone = lines.empty() && block + table + for_buttons == 0;
  add(writer.LineWithin(message.headline, alone ? limit : limit / 2));
  const std::size_t for_blocks = reserve(block) + reserve(table);
  if (end > used + for_blocks) {
    for (std::string& line : LinesWithin(writer, lines, end - used - for_blocks)) add(std::move(line));
  }
  const auto room = [&] {
    const std::size_t taken = used + (parts.empty() ? 0 : 1);
    return end > taken ? end - taken : 0;
  };
  if (table > 0 && room() > reserve(block)) add(writer.TableWithin(message.table, room() - reserve(block)));
  const bool cut = code.before > 0 || block > room() + 1;
  if (block > 0 && room() > 0) add(writer.BlockWithin(code, room()));
  add(std::move(buttons));
  if (files == Files::kTaken && !message.code_file.empty() && message.code && (cut || as_file)) {
    rendered.files.push_back({.name = message.code_file, .bytes = writer.File(*message.code)});
  }
  rendered.text = fmt::format("{}", fmt::join(parts, "\n"));
  return rendered;
}

}  // namespace

Rendered RenderAll(const Message& message, const Dialect& dialect, const base::Masker* masker) {
  return RenderParts(message, dialect, masker, Files::kTaken);
}

std::string Render(const Message& message, const Dialect& dialect, const base::Masker* masker) {
  return RenderParts(message, dialect, masker, Files::kNotTaken).text;
}

}  // namespace shipmate::chat
