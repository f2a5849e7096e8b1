// The one place of this floor that knows simdjson. The whole document is parsed and checked before any member is
// looked at, so a truncated file is refused as a whole rather than half understood.

#include <simdjson.h>

#include <limits>

#include "base/text.h"
#include "base/time_text.h"
#include "service/state.h"

namespace shipmate::service {

namespace {

namespace dom = simdjson::dom;

std::unexpected<Error> Wrong(std::string_view member, std::string_view wanted) {
  return Fail(Errc::kInvalid, "state member " + base::Quote(member) + " is not " + std::string(wanted));
}

Result<void> Read(std::string_view member, const dom::element& value, std::string& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return Wrong(member, "a string");
  out = std::string(text);
  return {};
}

Result<void> Read(std::string_view member, const dom::element& value, bool& out) {
  if (value.get(out) != simdjson::SUCCESS) return Wrong(member, "true or false");
  return {};
}

Result<void> Read(std::string_view member, const dom::element& value, std::int64_t& out) {
  if (value.get(out) != simdjson::SUCCESS) return Wrong(member, "an integer of 64 bits");
  return {};
}

Result<void> Read(std::string_view member, const dom::element& value, std::uint64_t& out) {
  if (value.get(out) != simdjson::SUCCESS) return Wrong(member, "a non-negative integer of 64 bits");
  return {};
}

// A negative number here would mean "every process" or a whole group to kill(2).
Result<void> Read(std::string_view member, const dom::element& value, pid_t& out) {
  std::int64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number < 0 || number > std::numeric_limits<pid_t>::max()) {
    return Wrong(member, "a process number");
  }
  out = static_cast<pid_t>(number);
  return {};
}

Result<void> Read(std::string_view member, const dom::element& value, base::WallTime& out) {
  std::string text;
  if (auto read = Read(member, value, text); !read) return read;
  // Early versions of the reference wrote Go's zero time instead of leaving the member out.
  if (text.starts_with("0001-01-01T")) {
    out = {};
    return {};
  }
  const auto time = base::ParseRfc3339(text);
  if (!time) return Wrong(member, "a time in RFC 3339");
  out = *time;
  return {};
}

Result<void> Read(std::string_view member, const dom::element& value, Desired& out) {
  std::string text;
  if (auto read = Read(member, value, text); !read) return read;
  if (text == "up") {
    out = Desired::kUp;
  } else if (text == "down") {
    out = Desired::kDown;
  } else if (text.empty()) {
    out = Desired::kUnset;
  } else {
    return Wrong(member, "\"up\" or \"down\"");
  }
  return {};
}

// One of the members that record a process; others are left alone.
Result<void> ReadProcessMember(std::string_view member, const dom::element& value, os::ProcessState& out) {
  if (member == "pid") return Read(member, value, out.pid);
  if (member == "pgid") return Read(member, value, out.pgid);
  if (member == "log_path") return Read(member, value, out.log_path);
  if (member == "boot_time") return Read(member, value, out.boot_time);
  if (member == "create_time") return Read(member, value, out.create_time);
  if (member == "boot_id") return Read(member, value, out.boot_id);
  if (member == "start_ticks") return Read(member, value, out.start_ticks);
  return {};
}

Result<void> Read(std::string_view member, const dom::element& value, std::optional<os::ProcessState>& out) {
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return Wrong(member, "an object");
  out.emplace();
  for (const auto [name, inner] : object) {
    if (inner.is_null()) continue;
    if (auto read = ReadProcessMember(name, inner, *out); !read) return read;
  }
  return {};
}

Result<void> ReadMember(std::string_view member, const dom::element& value, State& out) {
  if (member == "status") return Read(member, value, out.status);
  if (member == "last_deploy") return Read(member, value, out.last_deploy);
  if (member == "last_restart") return Read(member, value, out.last_restart);
  if (member == "last_result") return Read(member, value, out.last_result);
  if (member == "failed_step") return Read(member, value, out.failed_step);
  if (member == "desired") return Read(member, value, out.desired);
  if (member == "generation") return Read(member, value, out.generation);
  if (member == "starting") return Read(member, value, out.starting);
  if (member == "log_path") return Read(member, value, out.log_path);
  if (member == "halt") return Read(member, value, out.halt);
  if (member == "halt_reason") return Read(member, value, out.halt_reason);
  if (member == "halt_boot") return Read(member, value, out.halt_boot);
  if (member == "last_exit") return Read(member, value, out.last_exit);
  if (member == "last_exit_time") return Read(member, value, out.last_exit_time);
  if (member == "restarts") return Read(member, value, out.restarts);
  if (member == "scheduled") return Read(member, value, out.scheduled);
  if (member == "last_output") {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return Wrong(member, "a string");
    out.last_output = std::string(KeptOutput(text));
    return {};
  }
  if (member == "deploy_id") return Read(member, value, out.deploy_id);
  if (member == "deploy_step") return Read(member, value, out.deploy_step);
  if (member == "deploy_steps") return Read(member, value, out.deploy_steps);
  if (member == "step_process") return Read(member, value, out.step_process);
  if (member == "backend") return Read(member, value, out.backend);
  return {};
}

}  // namespace

Result<State> ParseState(std::string_view json) {
  dom::parser parser(kStateFileLimit);
  dom::element document;
  if (const auto error = parser.parse(json.data(), json.size()).get(document); error != simdjson::SUCCESS) {
    return Fail(Errc::kInvalid, std::string("state is not JSON: ") + simdjson::error_message(error));
  }
  dom::object object;
  if (document.get(object) != simdjson::SUCCESS) return Fail(Errc::kInvalid, "state is not a JSON object");
  State state;
  os::ProcessState legacy;
  bool has_legacy_pid = false;
  for (const auto [name, value] : object) {
    // As for Go, null leaves a member as it was; of two members with one name the later counts.
    if (value.is_null()) continue;
    if (auto read = ReadMember(name, value, state); !read) return Fail(std::move(read).error());
    if (auto read = ReadProcessMember(name, value, legacy); !read) return Fail(std::move(read).error());
    has_legacy_pid = has_legacy_pid || name == "pid";
  }
  // `log_path` alone is our own member; only a pid tells the legacy format.
  if (!state.backend && has_legacy_pid) {
    state.backend = std::move(legacy);
    state.log_path.clear();
  }
  return state;
}

}  // namespace shipmate::service
