#include "service/backends/unit_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "base/time_text.h"
#include "os/run_command.h"

namespace shipmate::service::backends {

namespace {

// What a program prints when it fails for a cause that has a cure, the code that fits, and the cure.
struct KnownCause {
  std::string_view printed;
  Errc code;
  std::string_view cure;
};

constexpr std::string_view kNoUserSystemd =
    "this user has no systemd of its own: loginctl enable-linger <user>, and XDG_RUNTIME_DIR=/run/user/<uid> in the "
    "environment";

constexpr std::array kKnownCauses{
    KnownCause{"a password is required", Errc::kAuth, "give this user a NOPASSWD rule for systemctl in sudoers"},
    KnownCause{"is not in the sudoers file", Errc::kAuth, "give this user a NOPASSWD rule for systemctl in sudoers"},
    KnownCause{"may not run sudo", Errc::kAuth, "give this user a NOPASSWD rule for systemctl in sudoers"},
    KnownCause{"nteractive authentication required", Errc::kAuth,
               "allow it by a polkit rule, or set sudo: true in the service's file"},
    KnownCause{"Access denied", Errc::kAuth, "allow it by a polkit rule, or set sudo: true in the service's file"},
    KnownCause{"insufficient permissions", Errc::kAuth, "add this user to the group systemd-journal"},
    // Said by --user where no XDG_RUNTIME_DIR leads to a user's bus.
    KnownCause{"No medium found", Errc::kRefused, kNoUserSystemd},
    KnownCause{"XDG_RUNTIME_DIR", Errc::kRefused, kNoUserSystemd},
    KnownCause{"Failed to connect to bus", Errc::kRefused, "systemd does not run here, or does not answer"},
    KnownCause{"has not been booted with systemd", Errc::kRefused, "systemd does not run here"},
    KnownCause{"not found", Errc::kNotFound, ""},
    KnownCause{"not loaded", Errc::kNotFound, ""},
    KnownCause{"Could not find", Errc::kNotFound, ""},
    KnownCause{"No such process", Errc::kNotFound, ""},
    KnownCause{"is masked", Errc::kRefused, ""},
};

const KnownCause* CauseOf(std::string_view output) {
  const auto* cause =
      std::ranges::find_if(kKnownCauses, [&](const KnownCause& known) { return output.contains(known.printed); });
  return cause == kKnownCauses.end() ? nullptr : cause;
}

// Words are compared and lines parsed, so the language is fixed; UTF-8, so that log lines are left whole.
std::vector<std::string> WithPlainLocale(std::vector<std::string> environment) {
  std::erase_if(environment, [](const std::string& entry) {
    return entry.starts_with("LC_ALL=") || entry.starts_with("LANGUAGE=") || entry.starts_with("SYSTEMD_COLORS=");
  });
  environment.emplace_back("LC_ALL=C.UTF-8");
  environment.emplace_back("SYSTEMD_COLORS=0");
  return environment;
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").contains(c);
}

}  // namespace

Task<Result<std::string>> RunUnitCommand(UnitCommand command) {
  os::CommandOptions options;
  options.argv = std::move(command.argv);
  options.dir = "/";
  options.env = WithPlainLocale(std::move(command.environment));
  options.limit = command.limit;
  options.output_limit = command.output_limit;
  auto ended = co_await os::RunCommand(std::move(options));
  if (!ended) co_return Fail(ended.error().code, command.what + ": " + ended.error().what);
  if (ended->timed_out) {
    co_return Fail(Errc::kTimeout,
                   fmt::format("{}: no answer within {}", command.what, base::FormatDuration(command.limit)));
  }
  if (ended->status.Success()) co_return std::move(ended->output);

  std::string what = command.what + ": " + ended->status.ErrorText();
  const std::string tail = os::OutputTail(ended->output);
  if (!tail.empty()) what += ": " + tail;
  const KnownCause* cause = CauseOf(ended->output);
  if (cause != nullptr && !cause->cure.empty()) what += fmt::format("; {}", cause->cure);
  co_return Fail(cause != nullptr ? cause->code : Errc::kIo, std::move(what));
}

Result<void> CheckUnitName(std::string_view kind, std::string_view name) {
  constexpr std::size_t kLongest = 255;
  if (name.empty()) return Fail(Errc::kInvalid, fmt::format("the {} has no name", kind));
  if (name.front() == '-' || name.size() > kLongest || !std::ranges::all_of(name, IsNameByte)) {
    return Fail(Errc::kInvalid,
                fmt::format("{} is no name of a {}: letters, digits and :-_.\\@, at most {}, no hyphen first",
                            base::Quote(base::FirstRunes(name, 80)), kind, kLongest));
  }
  return {};
}

std::string TailOfLog(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  text.remove_prefix(text.size() - bytes);
  constexpr std::size_t kLongestRest = 3;
  for (std::size_t cut = 0; cut < kLongestRest && !text.empty(); ++cut) {
    if ((static_cast<unsigned char>(text.front()) & 0xC0U) != 0x80U) break;
    text.remove_prefix(1);
  }
  return std::string(text);
}

}  // namespace shipmate::service::backends
