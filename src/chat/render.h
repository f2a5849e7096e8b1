#pragma once

// Render: a Message as one platform writes it. The only place where text is escaped, counted and cut.

#include <cstddef>
#include <string>
#include <vector>

#include "base/mask.h"
#include "chat/dialect.h"
#include "chat/frontend.h"
#include "chat/message.h"

namespace shipmate::chat {

/// A message with what goes along with it.
struct Rendered {
  std::string text;
  std::vector<Attachment> files;
};

/// The text of `message` in `dialect`: valid UTF-8, at most MessageLimit code points, one fence around the table and
/// one around the code. Secrets are masked by `masker` (not when null) first, then everything is escaped, and only then
/// cut, so that no cut can undo an escape. What gives way, in this order: the start of the code (with a count of the
/// bytes left out), the last rows of the table and the last lines ("... and 12 more"), the end of the headline ("...").
std::string Render(const Message& message, const Dialect& dialect, const base::Masker* masker = nullptr);
/// The same, where files can go along: where the block was cut and has a name for it (Message::code_file), the whole of
/// it is one, cleaned and masked, too, and cut at its start to kFileLimit bytes.
Rendered RenderAll(const Message& message, const Dialect& dialect, const base::Masker* masker);
inline constexpr std::size_t kFileLimit = 4 * 1024 * 1024;

}  // namespace shipmate::chat
