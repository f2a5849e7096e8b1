#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <utility>

#include "base/result.h"
#include "base/text.h"
#include "config/dependencies.h"
#include "config/deploy_keys.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/load_health.h"
#include "config/load_push_rules.h"
#include "config/names.h"
#include "config/parse.h"
#include "config/process_keys.h"
#include "config/source.h"

namespace shipmate::config {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// More service files than one machine runs; reading stops being quick somewhere above.

std::vector<std::string> Plain(std::vector<Placed> texts) {
  std::vector<std::string> plain;
  std::ranges::transform(texts, std::back_inserter(plain), [](Placed& text) { return std::move(text.text); });
  return plain;
}

std::string ReadText(Fields& fields, std::string_view key) {
  const auto text = fields.Text(key);
  return text ? text->text : "";
}

std::string ReadDir(Fields& fields, const std::string& base_dir) {
  const auto dir = fields.Text("dir");
  if (!dir || dir->text.empty()) return "";
  if (dir->text[0] == '~') fields.Problem("dir", dir->mark, "\"~\" is not expanded; write the whole path");
  return ResolvePath(base_dir, dir->text);
}

std::vector<std::string> ReadEntrypoint(Fields& fields) {
  auto words = fields.Texts("entrypoint");
  if (!words.empty() && words[0].text.empty()) fields.Problem("entrypoint", words[0].mark, "the program is empty");
  return Plain(std::move(words));
}

// `process:`; its `adopt` moved to the top level of the file.
std::string ReadProcess(Fields& root) {
  auto fields = root.Section("process");
  if (!fields) return "";
  const auto command = fields->Script("cmd");
  if (command && base::Trim(command->text).empty()) fields->Problem("cmd", command->mark, "is empty");
  if (const Node* adopt = fields->Find("adopt")) {
    fields->Warn("adopt", adopt->key_mark, "is ignored here; write `adopt` at the top level of the file");
  }
  fields->Finish();
  return command ? command->text : "";
}

// systemd.unit(5): letters, digits and ":-_.\@"; a leading hyphen would be an option to systemctl.
std::string ReadUnit(Fields& fields) {
  const auto unit = fields.Text("service_name");
  if (!unit || unit->text.empty()) return "";
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(":-_.\\@").find(c) != std::string_view::npos;
  };
  if (unit->text[0] == '-' || unit->text.size() > 255 || !std::ranges::all_of(unit->text, allowed)) {
    fields.Problem(
        "service_name", unit->mark,
        fmt::format("{} is no name of a unit: letters, digits and :-_.\\@, no hyphen first", Shown(unit->text)));
  }
  return unit->text;
}

std::string ReadBranch(Fields& fields) {
  const auto branch = fields.Text("branch");
  if (!branch) return "";
  // git-check-ref-format(1): no blanks; a leading hyphen would be an option to git.
  if (branch->text.starts_with('-') || branch->text.find(' ') != std::string::npos) {
    fields.Problem("branch", branch->mark, fmt::format("{} is no name of a branch", Shown(branch->text)));
  }
  return branch->text;
}

int ReadSignal(Fields& fields) {
  const int usual = ServiceConfig().stop_signal;
  const auto name = fields.Text("stop_signal");
  if (!name) return usual;
  const auto number = SignalNumber(name->text);
  if (!number) {
    fields.Problem("stop_signal", name->mark,
                   fmt::format("expected the name of a signal ({}), found {}", base::Join(SignalNames(), ", "),
                               Shown(name->text)));
  }
  return number.value_or(usual);
}

std::vector<std::string> ReadNames(Fields& fields, std::string_view key, Relation relation,
                                   std::vector<Dependency>* places) {
  std::vector<std::string> names;
  for (Placed& name : fields.Texts(key)) {
    if (std::ranges::find(names, name.text) != names.end()) {
      fields.Problem(key, name.mark, fmt::format("names {} twice", Shown(name.text)));
    }
    if (places != nullptr) places->push_back({.relation = relation, .on = name.text, .mark = name.mark});
    names.push_back(std::move(name.text));
  }
  return names;
}

enum class Type { kByKeys, kNone };

Type ReadType(Fields& fields) {
  const auto type = fields.Text("type");
  if (!type) return Type::kByKeys;
  if (type->text != "none") {
    fields.Problem("type", type->mark,
                   fmt::format("only \"none\" (nothing to run) can be set, found {}; what runs is told by entrypoint, "
                               "process.cmd or service_name",
                               Shown(type->text)));
  }
  return Type::kNone;
}

Mark PlaceOf(Fields& fields, std::string_view key) {
  const Node* node = fields.Find(key);
  return node == nullptr ? fields.mark() : node->key_mark;
}

// What runs the service, and every pair of keys that contradict each other.
ServiceKind Decide(Fields& fields, const ServiceConfig& service, Type type) {
  const bool entrypoint = fields.Find("entrypoint") != nullptr && !service.entrypoint.empty();
  const bool command = !service.process_cmd.empty();
  const bool unit = !service.service_name.empty();
  if (entrypoint && command) {
    fields.Problem("entrypoint", PlaceOf(fields, "entrypoint"), "cannot stand beside process.cmd; remove one of them");
  }
  if (unit && (entrypoint || command)) {
    fields.Problem(
        "service_name", PlaceOf(fields, "service_name"),
        fmt::format("cannot stand beside {}; remove one of them", entrypoint ? "entrypoint" : "process.cmd"));
  }
  if (type == Type::kNone && (entrypoint || command || unit)) {
    fields.Problem("type", PlaceOf(fields, "type"),
                   fmt::format("\"none\" cannot stand beside {}; remove one of them", entrypoint ? "entrypoint"
                                                                                      : command  ? "process.cmd"
                                                                                                 : "service_name"));
  }
  if (service.sudo && service.user_service) {
    fields.Problem("sudo", PlaceOf(fields, "sudo"),
                   "cannot stand beside user_service: it would command root's own units; remove one of them");
  }
  if (service.self_deploy && service.adopt == false) {
    fields.Problem("self_deploy", PlaceOf(fields, "self_deploy"),
                   "cannot stand beside adopt: false: the bot would restart itself at every start");
  }
  if (!unit && (service.sudo || service.user_service)) {
    const std::string_view key = service.sudo ? "sudo" : "user_service";
    fields.Warn(key, PlaceOf(fields, key), "has no effect without service_name");
  }
  if (type == Type::kNone) return ServiceKind::kNone;
  if (entrypoint || command) return ServiceKind::kProcess;
#ifdef __APPLE__
  if (unit) return ServiceKind::kLaunchd;
#else
  if (unit) return ServiceKind::kSystemd;
#endif
  return ServiceKind::kNone;
}

void WarnOfDir(Fields& fields, const ServiceConfig& service, const std::string& base_dir) {
  if (!service.dir.empty()) return;
  if (service.kind == ServiceKind::kProcess) {
    fields.Warn(
        "dir", fields.mark(),
        fmt::format("is not set: the process runs in {}; deploy and pull are refused until `dir` is set", base_dir));
  } else if (service.kind == ServiceKind::kNone || !service.deploy.empty() || !service.repo.empty()) {
    fields.Warn("dir", fields.mark(), "is not set: deploy and pull are refused until it is");
  }
}

// `places`, where given, gets the services this one names.
LoadResult<ServiceConfig> ReadService(const std::string& path, const std::string& name, std::string_view text,
                                      const std::string& base_dir, std::vector<Dependency>* places) {
  const std::string file = std::filesystem::path(path).filename().string();
  Report report(path, fmt::format("parsing service file {}: ", base::EscapeControls(file)));
  ServiceConfig service;
  service.name = name;
  if (const auto root = ReadMapping(text, report)) {
    Fields fields(*root, "", report);
    service.branch = ReadBranch(fields);
    service.repo = ReadText(fields, "repo");
    ReadPushRules(fields, service);
    service.dir = ReadDir(fields, base_dir);
    service.entrypoint = ReadEntrypoint(fields);
    service.process_cmd = ReadProcess(fields);
    service.service_name = ReadUnit(fields);
    service.user_service = fields.Switch("user_service").value_or(false);
    service.sudo = fields.Switch("sudo").value_or(false);
    ReadDeployKeys(fields, service);
    service.self_deploy = fields.Switch("self_deploy").value_or(false);
    service.adopt = fields.Switch("adopt");
    service.env = ReadVariables(fields);
    ReadProcessKeys(fields, base_dir, service);
    service.stop_signal = ReadSignal(fields);
    service.stop_timeout =
        fields.Duration("stop_timeout", milliseconds(0), hours(1)).value_or(ServiceConfig().stop_timeout);
    service.log_max_size = fields.Size("log_max_size", kMinLogSize, kMaxLogSize);
    service.after = ReadNames(fields, "after", Relation::kAfter, places);
    service.requires_services = ReadNames(fields, "requires", Relation::kRequires, places);
    ReadRestartKeys(fields, service);
    ReadScheduleKeys(fields, service);
    const Type type = ReadType(fields);
    if (auto health = fields.Section("health")) {
      service.health = ReadHealth(*health);
      if (type == Type::kNone) {
        fields.Problem("health", PlaceOf(fields, "health"), "has nothing to look at: `type: none` runs nothing");
      }
    }
    if (const Node* named = fields.Find("name")) {
      fields.Warn("name", named->key_mark, "is ignored: a service is named by its file");
    }
    fields.Finish();
    // Whether there is anything to run cannot be told while keys are wrong.
    const bool readable = !report.Failed();
    service.kind = Decide(fields, service, type);
    if (readable && service.kind == ServiceKind::kNone && type == Type::kByKeys) {
      report.Problem(
          root->mark,
          "nothing to run: set entrypoint, process.cmd or service_name, or `type: none` for a service that is "
          "only deployed");
    }
    if (readable && service.schedule && service.kind != ServiceKind::kProcess) {
      fields.Problem("schedule", PlaceOf(fields, "schedule"),
                     "needs entrypoint or process.cmd: only a process of Shipmate's own is started by a schedule");
    }
    WarnOfDir(fields, service, base_dir);
    WarnOfProcessKeys(fields, service);
  }
  if (report.Failed()) return std::unexpected(report.TakeProblems());
  return Loaded<ServiceConfig>{std::move(service), report.TakeWarnings()};
}

}  // namespace

LoadResult<ServiceConfig> ParseService(const std::string& path, const std::string& name, std::string_view text,
                                       const std::string& base_dir) {
  return ReadService(path, name, text, base_dir, nullptr);
}

LoadResult<std::vector<ServiceConfig>> LoadServices(const std::string& dir, const std::string& base_dir) {
  const auto files = ListSettings(dir);
  if (!files) return std::unexpected(Problems{"reading services dir: " + files.error().what});

  Loaded<std::vector<ServiceConfig>> loaded;
  Problems problems;
  std::map<std::string, std::string> by_name;
  std::vector<Declared> declared;
  for (const SettingsFile& entry : *files) {
    const std::string path = fmt::format("{}/{}", dir, entry.file);
    const std::string shown = base::EscapeControls(entry.file);
    if (!IsServiceName(entry.name)) {
      problems.push_back(
          fmt::format("reading service file {}: {} cannot name a service: 1 to 63 letters, digits, \".\", \"_\" and "
                      "\"-\", a letter or "
                      "digit first, no \"..\"; rename the file",
                      shown, Shown(entry.name)));
      continue;
    }
    const auto [first, added] = by_name.emplace(entry.name, entry.file);
    if (!added) {
      problems.push_back(fmt::format("reading service file {}: {} names the service {} too; remove one of the files",
                                     shown, first->second, base::Quote(entry.name)));
      continue;
    }
    const auto text = ReadSource(path);
    if (!text) {
      problems.push_back(fmt::format("reading service file {}: {}", shown, text.error().what));
      continue;
    }
    std::vector<Dependency> places;
    auto service = ReadService(path, entry.name, *text, base_dir, &places);
    declared.push_back({.path = path, .name = entry.name, .dependencies = std::move(places)});
    declared.back().runs = !service || service->value.kind != ServiceKind::kNone;
    if (!service) {
      std::ranges::move(service.error(), std::back_inserter(problems));
      continue;
    }
    loaded.value.push_back(std::move(service->value));
    std::ranges::move(service->warnings, std::back_inserter(loaded.warnings));
  }
  std::vector<std::string> names;
  for (const auto& [name, file] : by_name) names.push_back(name);
  std::ranges::move(CheckDependencies(declared, names), std::back_inserter(problems));
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return loaded;
}

}  // namespace shipmate::config
