#include "service/state.h"

#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "os/guarded_files.h"

namespace shipmate::service {

namespace {

constexpr unsigned kStateMode = 0640;
constexpr int kMaxCorruptCopies = 100;

}  // namespace

std::string StatePath(const std::string& dir, const std::string& name) {
  return dir + "/" + name + ".json";
}

Result<void> SaveState(const std::string& dir, const std::string& name, const State& state, os::Sync sync) {
  auto written = os::WriteFileAtomically(StatePath(dir, name), ToJson(state), kStateMode, sync);
  if (!written) return Fail(written.error().code, "saving state of " + base::Quote(name) + ": " + written.error().what);
  return {};
}

Result<LoadedState> LoadState(const std::string& dir, const std::string& name) {
  const std::string path = StatePath(dir, name);
  // What the file says decides whom we signal.
  auto raw = os::ReadTrustedFile(path, kStateFileLimit);
  if (!raw) {
    const Errc code = raw.error().code == Errc::kTooLarge ? Errc::kInvalid : raw.error().code;
    return Fail(code, "state file: " + raw.error().what);
  }
  auto state = ParseState(*raw);
  if (!state) return Fail(state.error().code, "state file " + path + ": " + state.error().what);
  return LoadedState{.state = *std::move(state), .raw = *std::move(raw)};
}

void RemoveState(const std::string& dir, const std::string& name) {
  ::unlink(StatePath(dir, name).c_str());
}

Result<std::string> SetAsideCorruptState(const std::string& dir, const std::string& name) {
  const std::string path = StatePath(dir, name);
  for (int copy = 1; copy <= kMaxCorruptCopies; ++copy) {
    std::string aside = path + (copy == 1 ? ".corrupt" : ".corrupt." + std::to_string(copy));
    const auto renamed = os::RenameNew(path, aside);
    if (renamed) return aside;
    if (renamed.error().code != Errc::kBusy) return Fail(renamed.error());
  }
  return Fail(Errc::kRefused, "moving " + path + " aside: " + std::to_string(kMaxCorruptCopies) +
                                  " corrupt copies are there already; remove some");
}

}  // namespace shipmate::service
