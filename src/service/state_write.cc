#include <fmt/format.h>

#include <concepts>

#include "base/text.h"
#include "base/time_text.h"
#include "service/state.h"

namespace shipmate::service {

namespace {

// Text as Go's encoding/json writes it: HTML's `<`, `>`, `&` and JavaScript's line separators escaped, an invalid byte
// as the escape of U+FFFD.
void AppendString(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const base::Rune rune = base::DecodeRune(text);
    const auto value = static_cast<std::uint32_t>(rune.value);
    switch (rune.value) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '<':
      case '>':
      case '&':
      case 0x2028:
      case 0x2029:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", value);
        break;
      default:
        if (!rune.valid) {
          out += "\\ufffd";
        } else if (value < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", value);
        } else {
          out.append(text.substr(0, rune.length));
        }
    }
    text.remove_prefix(rune.length);
  }
  out.push_back('"');
}

// Writes members in the order given and leaves out what is zero or empty.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }

  void Always(std::string_view name, std::string_view value) {
    Name(name);
    AppendString(out_, value);
  }
  void Add(std::string_view name, std::string_view value) {
    if (!value.empty()) Always(name, value);
  }
  void Add(std::string_view name, base::WallTime time) {
    if (time != base::WallTime{}) Always(name, base::FormatRfc3339Nano(time));
  }
  void AddNumber(std::string_view name, std::integral auto value) {
    if (value == 0) return;
    Name(name);
    out_ += std::to_string(value);
  }
  void AddTrue(std::string_view name, bool value) {
    if (!value) return;
    Name(name);
    out_ += "true";
  }
  /// The caller writes the value.
  void Name(std::string_view name) {
    if (out_.back() != '{') out_.push_back(',');
    AppendString(out_, name);
    out_.push_back(':');
  }
  void End() { out_.push_back('}'); }

 private:
  std::string& out_;
};

// The members that State and ServiceState share.
template <class AnyState>
void AddCommon(ObjectWriter& writer, const AnyState& state) {
  writer.Always("status", state.status);
  writer.Add("last_deploy", state.last_deploy);
  writer.Add("last_restart", state.last_restart);
  writer.Add("last_result", state.last_result);
  writer.Add("last_output", KeptOutput(state.last_output));
  writer.Add("failed_step", state.failed_step);
}

void AddProcess(ObjectWriter& writer, std::string& out, std::string_view name, const os::ProcessState& process) {
  writer.Name(name);
  ObjectWriter object(out);
  object.AddNumber("pid", process.pid);
  object.AddNumber("pgid", process.pgid);
  object.Add("log_path", process.log_path);
  object.AddNumber("boot_time", process.boot_time);
  object.AddNumber("create_time", process.create_time);
  object.Add("boot_id", process.boot_id);
  object.AddNumber("start_ticks", process.start_ticks);
  object.End();
}

}  // namespace

std::string_view KeptOutput(std::string_view output) {
  if (output.size() <= kKeptOutputBytes) return output;
  std::size_t cut = output.size() - kKeptOutputBytes;
  // Forward to the start of a code point: a sequence has at most three continuation bytes.
  for (int step = 0; step < 3 && (static_cast<unsigned char>(output[cut]) & 0xC0U) == 0x80U; ++step) ++cut;
  return output.substr(cut);
}

std::string ToJson(const State& state) {
  std::string out;
  ObjectWriter writer(out);
  AddCommon(writer, state);
  if (state.backend) AddProcess(writer, out, "backend", *state.backend);
  if (state.desired == Desired::kUp) writer.Add("desired", "up");
  if (state.desired == Desired::kDown) writer.Add("desired", "down");
  writer.AddNumber("generation", state.generation);
  writer.AddTrue("starting", state.starting);
  writer.Add("log_path", state.log_path);
  writer.Add("halt", state.halt);
  writer.Add("halt_reason", state.halt_reason);
  writer.Add("halt_boot", state.halt_boot);
  writer.AddNumber("deploy_id", state.deploy_id);
  writer.AddNumber("deploy_step", state.deploy_step);
  writer.AddNumber("deploy_steps", state.deploy_steps);
  if (state.step_process) AddProcess(writer, out, "step_process", *state.step_process);
  writer.Add("last_exit", state.last_exit);
  writer.Add("last_exit_time", state.last_exit_time);
  writer.AddNumber("restarts", state.restarts);
  writer.Add("scheduled", state.scheduled);
  writer.End();
  return out;
}

std::string ToJson(const ServiceState& state) {
  std::string out;
  ObjectWriter writer(out);
  AddCommon(writer, state);
  writer.End();
  return out;
}

}  // namespace shipmate::service
