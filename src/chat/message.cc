#include "chat/message.h"

namespace shipmate::chat {

std::string Text::Bare() const {
  std::string bare;
  for (const Span& span : spans_) bare += span.text;
  return bare;
}

}  // namespace shipmate::chat
