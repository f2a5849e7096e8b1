#include "config/process_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/load.h"
#include "config/names.h"
#include "config/source.h"
#include "os/users.h"

namespace shipmate::config {

namespace {

constexpr std::uint64_t kKibi = 1024;
constexpr std::uint64_t kMebi = kKibi * kKibi;
constexpr std::uint64_t kTebi = kMebi * kMebi;
// Below, no program starts at all.
constexpr std::uint64_t kLeastFiles = 8;
constexpr std::uint64_t kMostFiles = 1'073'741'816;
constexpr std::uint64_t kLeastMemory = kMebi;
// PID_MAX_LIMIT of the kernel.
constexpr std::uint64_t kMostProcesses = 4'194'304;

constexpr std::array<std::string_view, 12> kKeys = {
    "user",    "group",   "umask",       "nice",       "oom_score_adj",      "limits",
    "restart", "backoff", "start_limit", "min_uptime", "success_exit_codes", "autostart"};

// What `$NAME` in an env_file may name: not our secrets.
std::map<std::string, std::string> OpenEnvironment() {
  auto environment = ProcessEnvironment();
  for (const std::string& name : SecretNames()) environment.erase(name);
  return environment;
}

// One path or a list of them.
std::vector<Placed> ReadPaths(Fields& fields) {
  const Node* node = fields.Find("env_file");
  if (node == nullptr) return {};
  if (node->kind == Node::Kind::kList) return fields.Texts("env_file");
  auto path = fields.Text("env_file");
  return path ? std::vector<Placed>{*std::move(path)} : std::vector<Placed>();
}

void ReadEnvFiles(Fields& fields, const std::string& base_dir, ServiceConfig& service) {
  std::map<std::string, std::string> variables;
  for (const Placed& path : ReadPaths(fields)) {
    const auto problem = [&](std::string_view text) { fields.Problem("env_file", path.mark, text); };
    if (path.text.empty()) {
      problem("the path is empty");
      continue;
    }
    if (path.text[0] == '~') {
      problem("\"~\" is not expanded; write the whole path");
      continue;
    }
    const std::string file = ResolvePath(service.dir.empty() ? base_dir : service.dir, path.text);
    const auto text = ReadSource(file);
    if (!text) {
      problem(text.error().what);
      continue;
    }
    auto parsed = ParseEnvText(file, *text, OpenEnvironment());
    if (!parsed) {
      for (const std::string& what : parsed.error()) problem(what);
      continue;
    }
    for (const std::string& what : parsed->warnings) fields.Warn("env_file", path.mark, what);
    for (auto& [name, value] : parsed->value) {
      if (name.starts_with("SHIPMATE_")) {
        problem(fmt::format("{}: {}: names that start with SHIPMATE_ are reserved", file, name));
      }
      variables[name] = std::move(value);
    }
  }
  service.env.merge(variables);
}

void ReadUser(Fields& fields, ServiceConfig& service) {
  const bool root = os::OwnUid() == 0;
  if (const auto user = fields.Text("user"); user && !user->text.empty()) {
    service.user = user->text;
    const auto found = os::FindUser(user->text);
    if (!found) {
      fields.Problem("user", user->mark, found.error().what);
    } else if (!root && found->uid != os::OwnUid()) {
      fields.Problem("user", user->mark,
                     fmt::format("only root can start a process as {}; run Shipmate as root, or remove the key",
                                 Shown(user->text)));
    }
  }
  if (const auto group = fields.Text("group"); group && !group->text.empty()) {
    service.group = group->text;
    const auto found = os::FindGroup(group->text);
    if (!found) {
      fields.Problem("group", group->mark, found.error().what);
    } else if (!root && *found != os::OwnGid()) {
      fields.Problem("group", group->mark,
                     fmt::format("only root can start a process in group {}; run Shipmate as root, or remove the key",
                                 Shown(group->text)));
    }
  }
}

void ReadUmask(Fields& fields, ServiceConfig& service) {
  const auto text = fields.Text("umask");
  if (!text) return;
  unsigned value = 0;
  const char* end = text->text.data() + text->text.size();
  const auto [stop, error] = std::from_chars(text->text.data(), end, value, 8);
  // Two digits would leave open whether octal was meant.
  const bool three = text->text.size() == 3 || (text->text.size() == 4 && text->text[0] == '0');
  if (!three || error != std::errc() || stop != end) {
    fields.Problem("umask", text->mark,
                   fmt::format("expected three octal digits such as \"027\", found {}", Shown(text->text)));
    return;
  }
  service.umask = value;
}

void ReadLimits(Fields& root, ServiceConfig& service) {
  auto fields = root.Section("limits");
  if (!fields) return;
  ResourceLimits& limits = service.limits;
  limits.open_files = fields->Number("open_files", kLeastFiles, kMostFiles);
  limits.processes = fields->Number("processes", 1, kMostProcesses);
  limits.memory = fields->Size("memory", kLeastMemory, kTebi);
  limits.core = fields->Size("core", 0, kTebi);
  fields->Finish();
}

}  // namespace

std::map<std::string, std::string> ReadVariables(Fields& fields) {
  std::map<std::string, std::string> variables;
  const Node* map = fields.Find("env");
  if (map == nullptr) return variables;
  if (map->kind != Node::Kind::kMap) {
    fields.Problem("env", map->mark,
                   fmt::format("expected a mapping (\"NAME: value\" lines), found {}", map->KindName()));
    return variables;
  }
  // Values are not shown in problems: they may be secrets.
  for (const Node& value : map->children) {
    const std::string key = fmt::format("env.{}", base::EscapeControls(base::FirstRunes(value.key, 60)));
    if (!IsVariableName(value.key)) {
      fields.Problem(key, value.key_mark, "is no name of a variable: letters, digits and \"_\", no digit first");
    } else if (value.key.starts_with("SHIPMATE_")) {
      fields.Problem(key, value.key_mark, "names that start with SHIPMATE_ are reserved");
    }
    if (!value.IsText()) {
      fields.Problem(key, value.kind == Node::Kind::kNull ? value.key_mark : value.mark,
                     value.kind == Node::Kind::kNull ? "has no value; write \"\" for empty text"
                                                     : fmt::format("expected text, found {}", value.KindName()));
    } else if (value.text.find('\0') != std::string::npos) {
      fields.Problem(key, value.mark, "contains a NUL character");
    }
    variables[value.key] = value.text;
  }
  return variables;
}

void ReadProcessKeys(Fields& fields, const std::string& base_dir, ServiceConfig& service) {
  ReadEnvFiles(fields, base_dir, service);
  ReadUser(fields, service);
  ReadUmask(fields, service);
  // getpriority(2) and proc(5).
  if (const auto nice = fields.Integer("nice", -20, 19)) service.nice = static_cast<int>(*nice);
  if (const auto adjust = fields.Integer("oom_score_adj", -1000, 1000)) {
    service.oom_score_adj = static_cast<int>(*adjust);
  }
  ReadLimits(fields, service);
}

void WarnOfProcessKeys(Fields& fields, const ServiceConfig& service) {
  if (service.kind == ServiceKind::kProcess) return;
  for (const std::string_view key : kKeys) {
    if (const Node* node = fields.Find(key)) {
      fields.Warn(key, node->key_mark, "has no effect without entrypoint or process.cmd");
    }
  }
}

}  // namespace shipmate::config
