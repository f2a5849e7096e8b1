#pragma once

// PlainDialect: messages as a terminal shows them. Nothing that a service, a forge or a person wrote reaches the
// terminal raw: control and bidirectional characters are shown escaped.

#include "chat/dialect.h"

namespace shipmate::platforms::console {

enum class Emphasis {
  kAnsi,  ///< bold by escape sequences: for a terminal
  kNone,  ///< for a pipe or a file
};

class PlainDialect final : public chat::Dialect {
 public:
  explicit PlainDialect(Emphasis emphasis) : emphasis_(emphasis) {}

  std::size_t MessageLimit() const override;
  std::size_t TableWidth() const override { return 100; }
  std::string Escape(std::string_view text) const override;
  std::string Bold(std::string_view text) const override;
  std::string Code(std::string_view text) const override;
  std::string Link(std::string_view text, std::string_view url) const override;
  std::string EscapeForBlock(std::string_view text) const override;
  std::string Fence(std::string_view escaped) const override;

 private:
  Emphasis emphasis_;
};

}  // namespace shipmate::platforms::console
