#pragma once

// Mattermost's Markdown: what we write so that foreign text shows as it is and pings nobody. There is no switch that
// keeps a post from notifying: the server looks for names outside code, so an "@" there is parted from what follows.

#include <string>
#include <string_view>

#include "chat/dialect.h"

namespace shipmate::platforms::mattermost {

class MattermostDialect final : public chat::Dialect {
 public:
  /// What servers allow unless they are very old; the server's own word is taken over once it was asked.
  static constexpr std::size_t kUsualLimit = 16383;

  void SetMessageLimit(std::size_t limit) { limit_ = limit; }

  std::size_t MessageLimit() const override { return limit_; }
  std::string Escape(std::string_view text) const override;
  std::string Bold(std::string_view text) const override;
  std::string Code(std::string_view text) const override;
  std::string Link(std::string_view text, std::string_view url) const override;
  /// As it is: what could end a block is outdone by the fence.
  std::string EscapeForBlock(std::string_view text) const override { return std::string(text); }
  /// Longer than any run of backticks inside.
  std::string Fence(std::string_view escaped) const override;

 private:
  std::size_t limit_ = kUsualLimit;
};

/// A shorter form of a rendered message that the server found too long, at most `limit` code points: a block at the end
/// keeps its end, other text keeps its start.
std::string ShorterText(const std::string& text, std::size_t limit);

}  // namespace shipmate::platforms::mattermost
