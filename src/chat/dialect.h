#pragma once

// Dialect: how one platform writes and limits a message. Implementations are stateless and live in the platforms'
// folders; render.h does the cutting.

#include <cstddef>
#include <string>
#include <string_view>

namespace shipmate::chat {

class Dialect {
 public:
  virtual ~Dialect() = default;

  /// The platform's limit of one message, in code points.
  virtual std::size_t MessageLimit() const = 0;
  /// How wide a table may be: what a phone shows of a code block without wrapping, unless nobody reads it on one.
  virtual std::size_t TableWidth() const { return 40; }
  /// `text` so that none of its characters acts as markup or as a mention. One line in, one line out.
  virtual std::string Escape(std::string_view text) const = 0;
  /// Already escaped or raw `text` emphasised; each takes the RAW text and is safe whatever it contains.
  virtual std::string Bold(std::string_view text) const = 0;
  virtual std::string Code(std::string_view text) const = 0;
  virtual std::string Link(std::string_view text, std::string_view url) const = 0;
  /// `text` changed so that no run in it can end a block made by Fence. Applied before the text is cut.
  virtual std::string EscapeForBlock(std::string_view text) const = 0;
  /// The escaped, cut text between an opening and a closing fence.
  virtual std::string Fence(std::string_view escaped) const = 0;
};

}  // namespace shipmate::chat
