#pragma once

// Discord's Markdown: what we write so that foreign text shows as it is. Pings are prevented twice: by what is written
// here, and by the allowed_mentions that rest_codec.h puts into each message. Stateless.

#include <string>
#include <string_view>

#include "chat/dialect.h"

namespace shipmate::platforms::discord {

class DiscordDialect final : public chat::Dialect {
 public:
  /// Discord counts code points, and refuses content above this (Discord, Create Message).
  static constexpr std::size_t kLimit = 2000;

  std::size_t MessageLimit() const override { return kLimit; }
  std::string Escape(std::string_view text) const override;
  std::string Bold(std::string_view text) const override;
  std::string Code(std::string_view text) const override;
  std::string Link(std::string_view text, std::string_view url) const override;
  std::string EscapeForBlock(std::string_view text) const override;
  std::string Fence(std::string_view escaped) const override;
};

/// A shorter form of a rendered message that Discord found too long: it counted otherwise than we do. A block at the
/// end keeps its end; other text keeps its start. At most `limit` UTF-16 units, which no way of counting exceeds.
std::string ShorterText(std::string_view text, std::size_t limit);

}  // namespace shipmate::platforms::discord
