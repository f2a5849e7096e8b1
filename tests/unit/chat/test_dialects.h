#pragma once

// Two dialects that differ in how they keep a fence whole: one changes the text, the other the fence.

#include <algorithm>
#include <string>
#include <string_view>

#include "chat/dialect.h"

namespace shipmate::tests {

inline constexpr std::string_view kZeroWidthSpace = "\u200b";

/// Backslash escapes, and zero-width spaces between backticks, as Discord needs them.
class JoinerDialect : public chat::Dialect {
 public:
  explicit JoinerDialect(std::size_t limit = 2000) : limit_(limit) {}

  std::size_t MessageLimit() const override { return limit_; }
  std::string Escape(std::string_view text) const override {
    std::string escaped;
    for (const char c : text) {
      if (std::string_view("*_~`|\\<>@[]()#").find(c) != std::string_view::npos) escaped.push_back('\\');
      escaped.push_back(c);
    }
    return escaped;
  }
  std::string Bold(std::string_view text) const override { return "**" + Escape(text) + "**"; }
  std::string Code(std::string_view text) const override {
    std::string code(text);
    std::ranges::replace(code, '`', '\'');
    return "`" + code + "`";
  }
  std::string Link(std::string_view text, std::string_view url) const override {
    return "[" + Escape(text) + "](<" + std::string(url) + ">)";
  }
  std::string EscapeForBlock(std::string_view text) const override {
    std::string escaped;
    for (const char c : text) {
      if (c == '`' && escaped.ends_with('`')) escaped += kZeroWidthSpace;
      escaped.push_back(c);
    }
    return escaped;
  }
  std::string Fence(std::string_view escaped) const override { return "```\n" + std::string(escaped) + "\n```"; }

 private:
  std::size_t limit_;
};

/// A fence longer than any run of backticks inside, as CommonMark allows.
class LongFenceDialect final : public JoinerDialect {
 public:
  using JoinerDialect::JoinerDialect;

  std::string EscapeForBlock(std::string_view text) const override { return std::string(text); }
  std::string Fence(std::string_view escaped) const override {
    std::size_t longest = 2;
    std::size_t run = 0;
    for (const char c : escaped) {
      run = c == '`' ? run + 1 : 0;
      longest = std::max(longest, run);
    }
    const std::string fence(longest + 1, '`');
    return fence + "\n" + std::string(escaped) + "\n" + fence;
  }
};

}  // namespace shipmate::tests
