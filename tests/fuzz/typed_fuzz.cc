#include <cstddef>
#include <cstdint>
#include <string_view>

#include "chat/command.h"
#include "check.h"

using namespace shipmate;

// What a person may type into a channel.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool addressed : {false, true}) {
    const auto parsed = chat::ParseCommandText(text, {.prefix = "!", .addressed = addressed});
    if (const auto* command = std::get_if<chat::Command>(&parsed)) {
      fuzz::Demand(!command->verb.empty() && base::EscapeNonAscii(command->verb) == command->verb, "a verb is ASCII");
      for (const std::string& argument : command->arguments) {
        fuzz::Demand(base::EscapeNonAscii(argument) == argument, "an argument is printable ASCII");
      }
      if (!addressed) {
        fuzz::Demand(base::Trim(text).starts_with('!'), "unaddressed, only the prefix makes a command");
      }
    } else if (const auto* bad = std::get_if<chat::BadCommand>(&parsed)) {
      fuzz::Demand(!bad->why.empty() && base::IsValidUtf8(bad->why), "a refusal says why");
    }
  }
  return 0;
}
