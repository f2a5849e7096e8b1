#pragma once

// Render: a Message as one platform writes it. The only place where text is escaped, counted and cut.

#include <string>

#include "base/mask.h"
#include "chat/dialect.h"
#include "chat/message.h"

namespace shipmate::chat {

/// The text of `message` in `dialect`: valid UTF-8, at most MessageLimit code points, and at most one fenced block.
/// Secrets known to `masker` (none when null) are masked first, then everything is escaped, and only then cut, so that
/// no cut can undo an escape. What gives way, in this order: the start of the block (with a count of what is left out),
/// the last lines ("... and 12 more"), the end of the headline ("...").
std::string Render(const Message& message, const Dialect& dialect, const base::Masker* masker = nullptr);

}  // namespace shipmate::chat
