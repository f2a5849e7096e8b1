#include "platforms/console/plain_dialect.h"

#include "base/text.h"

namespace shipmate::platforms::console {

// A screenful or two: more belongs into a pager, by the log file's path.
std::size_t PlainDialect::MessageLimit() const {
  return 64 * 1024;
}

std::string PlainDialect::Escape(std::string_view text) const {
  return base::EscapeControls(text);
}

std::string PlainDialect::Bold(std::string_view text) const {
  const std::string escaped = Escape(text);
  return emphasis_ == Emphasis::kAnsi ? "\x1b[1m" + escaped + "\x1b[0m" : escaped;
}

std::string PlainDialect::Code(std::string_view text) const {
  return "`" + Escape(text) + "`";
}

std::string PlainDialect::Link(std::string_view text, std::string_view url) const {
  return Escape(text) + " (" + Escape(url) + ")";
}

std::string PlainDialect::EscapeForBlock(std::string_view text) const {
  // Line ends and tabs are the two controls a block may keep.
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\n\t");
    out += base::EscapeControls(text.substr(0, end));
    if (end == std::string_view::npos) break;
    out += text[end];
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string PlainDialect::Fence(std::string_view escaped) const {
  return std::string(escaped);
}

}  // namespace shipmate::platforms::console
