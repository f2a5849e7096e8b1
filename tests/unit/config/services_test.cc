#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "os/users.h"
#include "support.h"

using namespace shipmate::config;
using shipmate::tests::TempDir;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

namespace {

using Services = Loaded<std::vector<ServiceConfig>>;

Services Good(const std::string& dir, const std::string& base = "/srv") {
  auto result = LoadServices(dir, base);
  if (!result) FAIL(result.error().front());
  return std::move(*result);
}

Problems Bad(const std::string& dir) {
  const auto result = LoadServices(dir, "/srv");
  return result.has_value() ? Problems{"(accepted)"} : result.error();
}

// One service of this text, which must be good.
ServiceConfig One(std::string_view text) {
  const TempDir dir;
  dir.Write("x.yaml", text);
  return Good(dir.Path()).value.at(0);
}

std::vector<std::string> WithoutPath(std::vector<std::string> texts, const std::string& path) {
  for (std::string& text : texts) {
    const std::size_t at = text.find(path + ":");
    if (at == std::string::npos) FAIL(text);
    text.erase(at, path.size() + 1);
  }
  return texts;
}

Problems BadOne(std::string_view text) {
  const TempDir dir;
  const std::string path = dir.Write("x.yaml", text);
  const auto result = LoadServices(dir.Path(), "/srv");
  if (result.has_value()) return {"(accepted)"};
  return WithoutPath(result.error(), path);
}

std::vector<std::string> WarningsOf(std::string_view text) {
  const TempDir dir;
  const std::string path = dir.Write("x.yaml", text);
  return WithoutPath(Good(dir.Path()).warnings, path);
}

const std::string kRuns = "dir: /srv\nentrypoint: [run]\n";

}  // namespace

TEST_CASE("an empty directory is no services") {
  const TempDir dir;
  const auto loaded = Good(dir.Path());
  CHECK(loaded.value.empty());
  CHECK(loaded.warnings.empty());
}

TEST_CASE("a missing directory is a problem") {
  const TempDir dir;
  CHECK(Bad(dir / "no") == Problems{"reading services dir: " + (dir / "no") + ": no such file or directory"});
  const std::string file = dir.Write("file", "");
  CHECK(Bad(file) == Problems{"reading services dir: " + file + ": not a directory"});
}

TEST_CASE("bad YAML names the file") {
  const TempDir dir;
  const std::string path = dir.Write("bad.yaml", "{{invalid");
  CHECK(Bad(dir.Path()) ==
        Problems{"parsing service file bad.yaml: " + path + ":1:2: the { that opens here is never closed"});
}

TEST_CASE("bar.yaml and baz.yml come in name order with their fields") {
  const TempDir dir;
  dir.Write("baz.yml", "branch: develop\ndir: baz\nprocess:\n  cmd: ./baz --x\n");
  dir.Write("bar.yaml",
            "branch: main\n"
            "repo: github.com/org/bar\n"
            "tags: v*\n"
            "paths: [api/*, \"!*.md\"]\n"
            "dir: /opt/bar/\n"
            "entrypoint: [./bar, \"\", 010, no]\n"
            "deploy:\n"
            "  - git pull\n"
            "  - |\n"
            "    make\n"
            "    make install\n"
            "require_confirmation: true\n"
            "self_deploy: false\n"
            "adopt: false\n"
            "env:\n"
            "  PORT: 8080\n"
            "  EMPTY: \"\"\n"
            "  ON: yes\n"
            "stop_signal: SIGINT\n"
            "stop_timeout: 1500ms\n"
            "log_max_size: 10MB\n"
            "deploy_timeout: 2h\n");
  const auto loaded = Good(dir.Path());
  CHECK(loaded.warnings.empty());
  REQUIRE(loaded.value.size() == 2);
  ServiceConfig bar;
  bar.name = "bar";
  bar.kind = ServiceKind::kProcess;
  bar.branch = "main";
  bar.repo = "github.com/org/bar";
  bar.tags = {"v*"};
  bar.paths = {"api/*", "!*.md"};
  bar.dir = "/opt/bar";
  bar.entrypoint = {"./bar", "", "010", "no"};
  bar.deploy = {"git pull", "make\nmake install\n"};
  bar.require_confirmation = true;
  bar.adopt = false;
  bar.env = {{"EMPTY", ""}, {"ON", "yes"}, {"PORT", "8080"}};
  bar.stop_signal = SIGINT;
  bar.stop_timeout = milliseconds(1500);
  bar.log_max_size = 10'000'000;
  bar.deploy_timeout = std::chrono::hours(2);
  CHECK(loaded.value[0] == bar);
  CHECK_FALSE(loaded.value[0].ShouldAdopt());
  ServiceConfig baz;
  baz.name = "baz";
  baz.kind = ServiceKind::kProcess;
  baz.branch = "develop";
  baz.dir = "/srv/baz";
  baz.process_cmd = "./baz --x";
  CHECK(loaded.value[1] == baz);
  CHECK(loaded.value[1].ShouldAdopt());
}

TEST_CASE("a service is named by its file") {
  const TempDir dir;
  dir.Write("myservice.yaml", kRuns);
  dir.Write("no.yaml", kRuns);
  dir.Write("Web-2.old_1.yml", kRuns);
  const auto loaded = Good(dir.Path());
  REQUIRE(loaded.value.size() == 3);
  CHECK(loaded.value[0].name == "Web-2.old_1");
  CHECK(loaded.value[1].name == "myservice");
  CHECK(loaded.value[2].name == "no");
  CHECK(loaded.warnings.empty());
}

TEST_CASE("other files and directories are not looked at") {
  const TempDir dir;
  dir.Write("a.yaml", kRuns);
  for (const char* name : {"b.txt", "c.md", "d.YAML", "e.yaml~", "f.yaml.bak", "yaml", "sub/g.yaml", "h.yaml/x"}) {
    dir.Write(name, "{{");
  }
  // The lock of an editor: a link to nowhere.
  std::filesystem::create_symlink("user@host.1234", dir / ".#a.yaml");
  const auto loaded = Good(dir.Path());
  REQUIRE(loaded.value.size() == 1);
  CHECK(loaded.value[0].name == "a");
}

TEST_CASE("links to regular files are followed; what is no regular file is a problem") {
  const TempDir dir;
  const std::string target = dir.Write("real/target", kRuns);
  std::filesystem::create_symlink(target, dir / "a.yaml");
  CHECK(Good(dir.Path()).value.at(0).name == "a");

  const TempDir bad;
  REQUIRE(::mkfifo((bad / "fifo.yaml").c_str(), 0600) == 0);
  std::filesystem::create_symlink("/dev/zero", bad / "endless.yaml");
  std::filesystem::create_symlink("loop.yaml", bad / "loop.yaml");
  std::filesystem::create_symlink("nowhere", bad / "gone.yaml");
  bad.Write("large.yaml", std::string(1024 * 1024 + 1, '#'));
  CHECK(Bad(bad.Path()) ==
        Problems{"reading service file endless.yaml: " + (bad / "endless.yaml") + ": not a regular file",
                 "reading service file fifo.yaml: " + (bad / "fifo.yaml") + ": not a regular file",
                 "reading service file gone.yaml: " + (bad / "gone.yaml") + ": no such file or directory",
                 "reading service file large.yaml: " + (bad / "large.yaml") + ": larger than 1048576 bytes",
                 "reading service file loop.yaml: " + (bad / "loop.yaml") + ": too many levels of symbolic links"});
}

TEST_CASE("two files of one name") {
  const TempDir dir;
  dir.Write("web.yaml", kRuns);
  dir.Write("web.yml", kRuns);
  CHECK(Bad(dir.Path()) ==
        Problems{"reading service file web.yml: web.yaml names the service \"web\" too; remove one of the files"});
}

TEST_CASE("names that are not safe everywhere") {
  const std::string rule =
      " cannot name a service: 1 to 63 letters, digits, \".\", \"_\" and \"-\", a letter or digit first, no \"..\"; "
      "rename "
      "the file";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"..yaml", "\".\""},
      {"-rf.yaml", "\"-rf\""},
      {".yaml", "\"\""},
      {"a..b.yaml", "\"a..b\""},
      {"a b.yml", "\"a b\""},
      {"_a.yaml", "\"_a\""},
      {"\xD0\xB0pi.yaml", "\"\xD0\xB0pi\""},
      {std::string(64, 'a') + ".yaml", "\"" + std::string(60, 'a') + "\"..."},
  };
  for (const auto& [file, shown] : cases) {
    CAPTURE(file);
    const TempDir dir;
    dir.Write(file, kRuns);
    CHECK(Bad(dir.Path()) == Problems{"reading service file " + file + ": " + shown + rule});
  }
  const TempDir dir;
  dir.Write("a\nb.yaml", kRuns);
  CHECK(Bad(dir.Path()) == Problems{"reading service file a\\nb.yaml: \"a\\nb\"" + rule});
  const TempDir longest;
  longest.Write(std::string(63, 'a') + ".yaml", kRuns);
  CHECK(Good(longest.Path()).value.size() == 1);
}

TEST_CASE("more files than a machine has services") {
  const TempDir dir;
  for (int i = 0; i < 1001; ++i) dir.Write(std::to_string(i) + ".yaml", "");
  CHECK(Bad(dir.Path()) == Problems{"reading services dir: " + dir.Path() + ": more than 1000 files of settings"});
}

TEST_CASE("what runs a service") {
  CHECK(One("dir: x\nentrypoint: [a]\n").kind == ServiceKind::kProcess);
  CHECK(One("dir: x\nprocess: {cmd: a}\n").kind == ServiceKind::kProcess);
  CHECK(One("dir: x\ntype: none\ndeploy: [make]\n").kind == ServiceKind::kNone);
#ifdef __APPLE__
  CHECK(One("service_name: com.example.web\n").kind == ServiceKind::kLaunchd);
#else
  CHECK(One("service_name: web@1.service\nuser_service: true\n").kind == ServiceKind::kSystemd);
#endif
  CHECK(One("dir: x\nprocess: {cmd: a}\nentrypoint: []\n").kind == ServiceKind::kProcess);
}

TEST_CASE("which pushes deploy: tags and paths, one or several") {
  const ServiceConfig service = One("repo: o/r\ndir: x\nentrypoint: [a]\ntags: [v*, \"!*-rc*\"]\npaths: \"api/**\"\n");
  CHECK(service.tags == std::vector<std::string>{"v*", "!*-rc*"});
  CHECK(service.paths == std::vector<std::string>{"api/**"});
  const std::string begin = "repo: o/r\n" + kRuns;
  CHECK(BadOne(begin + "paths: [\"!docs/*\"]\n") ==
        Problems{"4:8: paths: only excludes; begin with what counts, such as \"*\""});
  CHECK(BadOne(begin + "tags: [v*, \"!\"]\n") == Problems{"4:12: tags: \"!\" is no pattern"});
  CHECK(BadOne(begin + "tags: {v: 1}\n").size() == 1);
}

TEST_CASE("contradictions") {
  const std::string nothing =
      "nothing to run: set entrypoint, process.cmd or service_name, or `type: none` for a service that is only "
      "deployed";
  const std::vector<std::pair<std::string, Problems>> cases = {
      {"entrypoint: [a]\nprocess: {cmd: b}\n",
       {"1:1: entrypoint: cannot stand beside process.cmd; remove one of them"}},
      {"entrypoint: [a]\nservice_name: b\n", {"2:1: service_name: cannot stand beside entrypoint; remove one of them"}},
      {"process: {cmd: a}\nservice_name: b\n",
       {"2:1: service_name: cannot stand beside process.cmd; remove one of them"}},
      {"entrypoint: [a]\nprocess: {cmd: b}\nservice_name: c\n",
       {"1:1: entrypoint: cannot stand beside process.cmd; remove one of them",
        "3:1: service_name: cannot stand beside entrypoint; remove one of them"}},
      {"service_name: a\nsudo: true\nuser_service: true\n",
       {"2:1: sudo: cannot stand beside user_service: it would command root's own units; remove one of them"}},
      {"entrypoint: [a]\nself_deploy: true\nadopt: false\n",
       {"2:1: self_deploy: cannot stand beside adopt: false: the bot would restart itself at every start"}},
      {"branch: main\n", {"1:1: " + nothing}},
      {"", {"1:1: " + nothing}},
      {"process:\n", {"1:1: " + nothing}},
      {"type: none\nentrypoint: [a]\n", {"1:1: type: \"none\" cannot stand beside entrypoint; remove one of them"}},
      {"type: none\nservice_name: a\n", {"1:1: type: \"none\" cannot stand beside service_name; remove one of them"}},
      {"type: process\nentrypoint: [a]\n",
       {"1:1: type: \"none\" cannot stand beside entrypoint; remove one of them",
        "1:7: type: only \"none\" (nothing to run) can be set, found \"process\"; what runs is told by entrypoint, "
        "process.cmd or service_name"}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(BadOne(text) == problems);
  }
  CHECK(One("entrypoint: [a]\nself_deploy: true\nadopt: true\n").self_deploy);
}

TEST_CASE("switches are true or false and nothing else") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\"no\"", "3:23: require_confirmation: \"no\" in quotes is text; write true or false without quotes"},
      {"\"true\"", "3:23: require_confirmation: \"true\" in quotes is text; write true or false without quotes"},
      {"'false'", "3:23: require_confirmation: \"false\" in quotes is text; write true or false without quotes"},
      {"tRUE", "3:23: require_confirmation: \"tRUE\" is neither true nor false; write true or false"},
      {"True", "3:23: require_confirmation: \"True\" is neither true nor false; write true or false"},
      {"1", "3:23: require_confirmation: \"1\" is neither true nor false; write true or false"},
      {"ja", "3:23: require_confirmation: \"ja\" is neither true nor false; write true or false"},
      {"yes", "3:23: require_confirmation: \"yes\" is neither true nor false; write true or false"},
      {"no", "3:23: require_confirmation: \"no\" is neither true nor false; write true or false"},
      {"on", "3:23: require_confirmation: \"on\" is neither true nor false; write true or false"},
      {"off", "3:23: require_confirmation: \"off\" is neither true nor false; write true or false"},
      {"y", "3:23: require_confirmation: \"y\" is neither true nor false; write true or false"},
      {"n", "3:23: require_confirmation: \"n\" is neither true nor false; write true or false"},
      {"", "3:1: require_confirmation: has no value; write true or false"},
      {"~", "3:1: require_confirmation: has no value; write true or false"},
      {"null", "3:1: require_confirmation: has no value; write true or false"},
      {"[true]", "3:23: require_confirmation: expected true or false, found a list"},
  };
  for (const auto& [value, problem] : cases) {
    CAPTURE(value);
    CHECK(BadOne(kRuns + "require_confirmation: " + value + "\n") == Problems{problem});
  }
  CHECK(BadOne(kRuns + "require_confirmaton: true\n") ==
        Problems{"3:1: unknown key \"require_confirmaton\" (did you mean \"require_confirmation\"?)"});
  CHECK(One(kRuns + "require_confirmation: true\n").require_confirmation);
  CHECK_FALSE(One(kRuns + "require_confirmation: false\n").require_confirmation);
}

TEST_CASE("text keeps its exact form") {
  for (const char* branch : {"on", "no", "1.10", "0123", "0x10", "1e3", "true", "2026-01-02", "\"null\""}) {
    std::string plain = branch;
    std::erase(plain, '"');
    CAPTURE(plain);
    CHECK(One(kRuns + "branch: " + branch + "\n").branch == plain);
  }
  CHECK(One(kRuns + "branch:\n").branch.empty());
}

TEST_CASE("kinds of values") {
  const std::vector<std::pair<std::string, Problems>> cases = {
      {kRuns + "branch: [main]\n", {"3:9: branch: expected text, found a list"}},
      {kRuns + "repo: {a: b}\n", {"3:7: repo: expected text, found a mapping"}},
      {kRuns + "deploy: make\n", {"3:9: deploy: expected a list (\"- item\" lines, or [a, b]), found text"}},
      {kRuns + "deploy: {a: b}\n", {"3:9: deploy: expected a list (\"- item\" lines, or [a, b]), found a mapping"}},
      {kRuns + "deploy: [make, [x]]\n", {"3:16: deploy[2]: expected text, found a list"}},
      {kRuns + "deploy:\n  - make\n  -\n", {"6:1: deploy[2]: is blank; remove the item, or write \"\" for empty text"}},
      {kRuns + "deploy: [make, \" \"]\n", {"3:16: deploy[2]: the step is empty"}},
      {"entrypoint: ./run --now\n", {"1:13: entrypoint: expected a list (\"- item\" lines, or [a, b]), found text"}},
      {"entrypoint: [\"\", x]\n", {"1:14: entrypoint: the program is empty"}},
      {"entrypoint: [\"a\\0b\"]\n", {"1:14: entrypoint[1]: contains a NUL character"}},
      {"process: ./run\n", {"1:10: process: expected a mapping (\"key: value\" lines below it), found text"}},
      {"process: {cmd: [a]}\n", {"1:16: process.cmd: expected text, found a list"}},
      {"process: {cmd: \" \"}\n", {"1:16: process.cmd: is empty"}},
      {"process: {command: a}\n", {"1:11: unknown key \"command\" in process"}},
      {kRuns + "branch: -rf\n", {"3:9: branch: \"-rf\" is no name of a branch"}},
      {kRuns + "repo: \"a\\nb\"\n", {"3:7: repo: must be one line without control characters"}},
      {"dir: ~/x\nentrypoint: [a]\n", {"1:6: dir: \"~\" is not expanded; write the whole path"}},
      {"service_name: -x\n",
       {"1:15: service_name: \"-x\" is no name of a unit: letters, digits and :-_.\\@, no hyphen first"}},
      {"service_name: a b\n",
       {"1:15: service_name: \"a b\" is no name of a unit: letters, digits and :-_.\\@, no hyphen first"}},
      {kRuns + "env: [A=b]\n", {"3:6: env: expected a mapping (\"NAME: value\" lines), found a list"}},
      {kRuns + "env: {2A: b, SHIPMATE_X: c, C: , D: [e], E: \"a\\0\"}\n",
       {"3:7: env.2A: is no name of a variable: letters, digits and \"_\", no digit first",
        "3:14: env.SHIPMATE_X: names that start with SHIPMATE_ are reserved",
        "3:29: env.C: has no value; write \"\" for empty text", "3:37: env.D: expected text, found a list",
        "3:45: env.E: contains a NUL character"}},
      {kRuns + "env: {A: x, A: y}\n",
       {"parsing service file x.yaml: 3:13: key \"A\" is given twice, first on line 3; remove one of them"}},
      {kRuns + "stop_signal: TERMINATE\n",
       {"3:14: stop_signal: expected the name of a signal (TERM, INT, HUP, QUIT, USR1, USR2, KILL, ABRT, WINCH), found "
        "\"TERMINATE\""}},
      {kRuns + "stop_signal: 15\n",
       {"3:14: stop_signal: expected the name of a signal (TERM, INT, HUP, QUIT, USR1, USR2, KILL, ABRT, WINCH), found "
        "\"15\""}},
      {kRuns + "stop_timeout: soon\n",
       {"3:15: stop_timeout: expected a duration such as 500ms, 5s, 2m or 1h, found \"soon\""}},
      {kRuns + "log_max_size: 63KiB\n", {"3:15: log_max_size: must be from 64KiB to 1024GiB"}},
      {kRuns + "log_max_size: 1025GiB\n", {"3:15: log_max_size: must be from 64KiB to 1024GiB"}},
      {kRuns + "log_max_size: 99999999999999999999\n",
       {"3:15: log_max_size: expected a size such as 64KiB, 512MiB or 2GiB, found \"99999999999999999999\""}},
      {kRuns + "log_max_size: 64 MiB\n",
       {"3:15: log_max_size: expected a size such as 64KiB, 512MiB or 2GiB, found \"64 MiB\""}},
      {kRuns + "stop_timeout: 5 s\n",
       {"3:15: stop_timeout: expected a duration such as 500ms, 5s, 2m or 1h, found \"5 s\""}},
      {kRuns + "stop_timeout: -5s\n",
       {"3:15: stop_timeout: expected a duration such as 500ms, 5s, 2m or 1h, found \"-5s\""}},
      {kRuns + "stop_timeout: 99999999999999999999h\n",
       {"3:15: stop_timeout: expected a duration such as 500ms, 5s, 2m or 1h, found \"99999999999999999999h\""}},
      {kRuns + "stop_timeout: 2h\n", {"3:15: stop_timeout: must be from 0s to 1h"}},
      {kRuns + "deploy_timeout: 10ms\n", {"3:17: deploy_timeout: must be from 1s to 24h"}},
      {"- a\n", {"parsing service file x.yaml: 1:1: expected keys with values (\"key: value\"), found a list"}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(BadOne(text) == problems);
  }
}

TEST_CASE("durations and signals") {
  const std::vector<std::pair<std::string, milliseconds>> durations = {
      {"0", milliseconds(0)},     {"7", milliseconds(7000)},      {"500ms", milliseconds(500)},
      {"5s", milliseconds(5000)}, {"2m", milliseconds(120'000)},  {"1h", milliseconds(3'600'000)},
      {"08", milliseconds(8000)}, {"\"5s\"", milliseconds(5000)},
  };
  for (const auto& [text, value] : durations) {
    CAPTURE(text);
    CHECK(One(kRuns + "stop_timeout: " + text + "\n").stop_timeout == value);
  }
  CHECK(One(kRuns).stop_timeout == milliseconds(5000));
  CHECK(One(kRuns).deploy_timeout == std::chrono::minutes(30));
  CHECK(One(kRuns).stop_signal == SIGTERM);
  const std::vector<std::pair<std::string, int>> signals = {
      {"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"INT", SIGINT},   {"HUP", SIGHUP},     {"QUIT", SIGQUIT},
      {"USR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}, {"KILL", SIGKILL}, {"WINCH", SIGWINCH},
  };
  for (const auto& [text, value] : signals) {
    CAPTURE(text);
    CHECK(One(kRuns + "stop_signal: " + text + "\n").stop_signal == value);
  }
}

TEST_CASE("leftovers of the reference program load with one warning each") {
  using Warnings = std::vector<std::string>;
  CHECK(WarningsOf(kRuns).empty());
  CHECK(WarningsOf("dir: /srv\nprocess:\n  cmd: a\n  adopt: false\n") ==
        Warnings{"4:3: process.adopt: is ignored here; write `adopt` at the top level of the file"});
  CHECK(WarningsOf("name: other\n" + kRuns) == Warnings{"1:1: name: is ignored: a service is named by its file"});
  CHECK(WarningsOf("entrypoint: [a]\n") ==
        Warnings{"1:1: dir: is not set: the process runs in /srv; deploy and pull are refused until `dir` is set"});
  CHECK(WarningsOf("type: none\n") == Warnings{"1:1: dir: is not set: deploy and pull are refused until it is"});
  CHECK(WarningsOf("service_name: a\ndeploy: [b]\n") ==
        Warnings{"1:1: dir: is not set: deploy and pull are refused until it is"});
  CHECK(WarningsOf("service_name: a\n").empty());
  CHECK(WarningsOf(kRuns + "paths: api/*\n") == Warnings{"3:1: paths: has no effect without repo"});
  CHECK(WarningsOf(kRuns + "sudo: true\n") == Warnings{"3:1: sudo: has no effect without service_name"});
  CHECK_FALSE(One("process:\n  cmd: a\n  adopt: false\n").adopt.has_value());
}

TEST_CASE("one bad file refuses all, and every problem of every file is told") {
  const TempDir dir;
  dir.Write("a.yaml", kRuns);
  const std::string b = dir.Write("b.yaml", "entrypont: [x]\nadopt: maybe\n");
  const std::string c = dir.Write("c.yml", "{{");
  dir.Write("-d.yml", kRuns);
  const Problems problems = Bad(dir.Path());
  REQUIRE(problems.size() == 4);
  CHECK(problems[0].starts_with("reading service file -d.yml: \"-d\" cannot name a service"));
  CHECK(problems[1] == b + ":1:1: unknown key \"entrypont\" (did you mean \"entrypoint\"?)");
  CHECK(problems[2] == b + ":2:8: adopt: \"maybe\" is neither true nor false; write true or false");
  CHECK(problems[3].starts_with("parsing service file c.yml: " + c + ":1:"));
}

TEST_CASE("RunsAlike: what runs need not be restarted for what only guides Shipmate") {
  const ServiceConfig base = One(kRuns + "env: {A: b}\n");
  const auto changed = [&base](auto change) {
    ServiceConfig other = base;
    change(other);
    CHECK(other != base);
    return !base.RunsAlike(other);
  };
  CHECK(base.RunsAlike(base));
  CHECK(changed([](ServiceConfig& s) { s.name = "y"; }));
  CHECK(changed([](ServiceConfig& s) { s.kind = ServiceKind::kNone; }));
  CHECK(changed([](ServiceConfig& s) { s.dir = "/x"; }));
  CHECK(changed([](ServiceConfig& s) { s.entrypoint.push_back("x"); }));
  CHECK(changed([](ServiceConfig& s) { s.process_cmd = "x"; }));
  CHECK(changed([](ServiceConfig& s) { s.service_name = "x"; }));
  CHECK(changed([](ServiceConfig& s) { s.user_service = true; }));
  CHECK(changed([](ServiceConfig& s) { s.sudo = true; }));
  CHECK(changed([](ServiceConfig& s) { s.env["A"] = "c"; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.branch = "x"; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.repo = "x"; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.deploy = {"x"}; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.require_confirmation = true; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.self_deploy = true; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.adopt = true; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.stop_signal = SIGINT; }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.stop_timeout = milliseconds(1); }));
  CHECK_FALSE(changed([](ServiceConfig& s) { s.deploy_timeout = milliseconds(1); }));
}

TEST_CASE("env_file: one or several, the later over the earlier, env over all") {
  const TempDir dir;
  dir.Write("app/one.env", "A=1\nB=one\nC='$HOME'\n");
  dir.Write("app/two.env", "export B=two\nD=\"a\\nb\"\n");
  dir.Write("base.env", "E=base\n");
  dir.Write("services/list.yaml",
            "dir: app\nentrypoint: [run]\nenv_file: [one.env, two.env, " + dir / "base.env" + "]\nenv: {A: mine}\n");
  dir.Write("services/one.yaml", "entrypoint: [run]\nenv_file: base.env\n");
  const auto loaded = Good(dir / "services", dir.Path());
  REQUIRE(loaded.value.size() == 2);
  CHECK(loaded.value[0].env ==
        std::map<std::string, std::string>{{"A", "mine"}, {"B", "two"}, {"C", "$HOME"}, {"D", "a\nb"}, {"E", "base"}});
  CHECK(loaded.value[1].env == std::map<std::string, std::string>{{"E", "base"}});
}

TEST_CASE("env_file: problems name the place of the key and what is wrong with the file") {
  const TempDir dir;
  const std::string reserved = dir.Write("reserved.env", "SHIPMATE_INSTANCE=x\n");
  const std::string broken = dir.Write("broken.env", "A=1\nB='x\n");
  CHECK(BadOne("entrypoint: [run]\nenv_file: /missing/x.env\n") ==
        Problems{"2:11: env_file: /missing/x.env: no such file or directory"});
  CHECK(BadOne("entrypoint: [run]\nenv_file: [~/x, \"\", /]\n") ==
        Problems{"2:12: env_file: \"~\" is not expanded; write the whole path", "2:17: env_file: the path is empty",
                 "2:21: env_file: /: not a regular file"});
  CHECK(BadOne("entrypoint: [run]\nenv_file: " + reserved + "\n") ==
        Problems{"2:11: env_file: " + reserved + ": SHIPMATE_INSTANCE: names that start with SHIPMATE_ are reserved"});
  const auto unclosed = BadOne("entrypoint: [run]\nenv_file: " + broken + "\n");
  REQUIRE(unclosed.size() == 1);
  CHECK(unclosed[0].starts_with("2:11: env_file: " + broken + ":2:"));
}

TEST_CASE("env_file: our own secrets are not to be had by naming them") {
  const TempDir dir;
  ::setenv("DISCORD_TOKEN", "hush", 1);
  ::setenv("SHIPMATE_TEST_OPEN", "seen", 1);
  dir.Write("x.env", "A=${DISCORD_TOKEN}\nB=${SHIPMATE_TEST_OPEN}\n");
  dir.Write("services/x.yaml", "entrypoint: [run]\nenv_file: x.env\n");
  const auto loaded = Good(dir / "services", dir.Path());
  ::unsetenv("DISCORD_TOKEN");
  ::unsetenv("SHIPMATE_TEST_OPEN");
  CHECK(loaded.value.at(0).env == std::map<std::string, std::string>{{"A", ""}, {"B", "seen"}});
}

TEST_CASE("umask, nice, oom_score_adj and limits") {
  const ServiceConfig service = One(kRuns +
                                    "umask: 027\nnice: -20\noom_score_adj: -1000\n"
                                    "limits: {open_files: 4096, memory: 512MiB, processes: 100, core: 0}\n");
  CHECK(service.umask == 027U);
  CHECK(service.nice == -20);
  CHECK(service.oom_score_adj == -1000);
  CHECK(service.limits == ResourceLimits{.open_files = 4096, .memory = 536870912, .processes = 100, .core = 0});
  CHECK(One(kRuns + "umask: \"0077\"\nnice: 19\n").umask == 077U);
  CHECK(One(kRuns + "limits: {memory: 2GiB, core: 64KiB}\n").limits ==
        ResourceLimits{.memory = 2147483648, .core = 65536});
  CHECK(One(kRuns + "limits: {memory: 1048576}\n").limits.memory == 1048576U);
  CHECK(One(kRuns).limits == ResourceLimits{});
}

TEST_CASE("umask, nice, oom_score_adj and limits: what is refused") {
  CHECK(BadOne(kRuns +
               "umask: 27\nnice: 20\noom_score_adj: -1001\nlimits: {open_files: 0, memory: 512M, process: 3}\n") ==
        Problems{"3:8: umask: expected three octal digits such as \"027\", found \"27\"",
                 "4:7: nice: expected a number from -20 to 19, found \"20\"",
                 "5:16: oom_score_adj: expected a number from -1000 to 1000, found \"-1001\"",
                 "6:22: limits.open_files: expected a number from 8 to 1073741816, found \"0\"",
                 "6:33: limits.memory: expected a size such as 64KiB, 512MiB or 2GiB, found \"512M\"",
                 "6:39: unknown key \"process\" in limits (did you mean \"processes\"?)"});
  CHECK(BadOne(kRuns + "umask: \"089\"\nnice: [1]\noom_score_adj: 007\nlimits: 12\n") ==
        Problems{"3:8: umask: expected three octal digits such as \"027\", found \"089\"",
                 "4:7: nice: expected a number from -20 to 19, found a list",
                 "5:16: oom_score_adj: expected a number from -1000 to 1000, found \"007\"",
                 "6:9: limits: expected a mapping (\"key: value\" lines below it), found text"});
  CHECK(BadOne(kRuns + "nice: --1\numask: 1777\nlimits: {memory: 1KiB, core: 99999999999999999999}\n") ==
        Problems{"3:7: nice: expected a number from -20 to 19, found \"--1\"",
                 "4:8: umask: expected three octal digits such as \"027\", found \"1777\"",
                 "5:18: limits.memory: must be from 1MiB to 1024GiB",
                 "5:30: limits.core: expected a size such as 64KiB, 512MiB or 2GiB, found \"99999999999999999999\""});
}

TEST_CASE("user and group must exist, and need root when they are not ours") {
  CHECK(BadOne(kRuns + "user: no-such-user\ngroup: no-such-group\n") ==
        Problems{"3:7: user: user \"no-such-user\" does not exist",
                 "4:8: group: group \"no-such-group\" does not exist"});
  const std::string own = std::to_string(shipmate::os::OwnUid());
  CHECK(One(kRuns + "user: " + own + "\n").user == own);
  if (shipmate::os::OwnUid() == 0) {
    const ServiceConfig service = One(kRuns + "user: nobody\ngroup: daemon\n");
    CHECK(service.user == "nobody");
    CHECK(service.group == "daemon");
  } else {
    CHECK(BadOne(kRuns + "user: root\n") ==
          Problems{"3:7: user: only root can start a process as \"root\"; run Shipmate as root, or remove the key"});
  }
}

TEST_CASE("keys for a process are warned of where there is none") {
  CHECK(WarningsOf("dir: /srv\ntype: none\nnice: 3\nlimits: {core: 0}\n") ==
        std::vector<std::string>{"3:1: nice: has no effect without entrypoint or process.cmd",
                                 "4:1: limits: has no effect without entrypoint or process.cmd"});
}

TEST_CASE("a process started by other settings does not run alike") {
  const ServiceConfig plain = One(kRuns);
  for (const char* key : {"user: root", "group: root", "umask: 027", "nice: 0", "oom_score_adj: 0", "limits: {core: 0}",
                          "limits: {memory: 1GiB}", "limits: {open_files: 64}", "limits: {processes: 9}"}) {
    if (std::string(key).contains(": root") && shipmate::os::OwnUid() != 0) continue;
    CAPTURE(std::string(key));
    CHECK_FALSE(plain.RunsAlike(One(kRuns + key + "\n")));
  }
}

TEST_CASE("what follows an end: its keys") {
  const ServiceConfig usual = One(kRuns);
  CHECK(usual.restart == RestartWhen::kAlways);
  CHECK(usual.backoff == BackoffConfig{.initial = 1s, .max = 60s, .factor = 2});
  CHECK(usual.start_limit == StartLimitConfig{.count = 5, .window = 60s});
  CHECK(usual.min_uptime == 1s);
  CHECK(usual.success_exit_codes == std::vector<int>{0, 143});
  CHECK(usual.autostart);
  const ServiceConfig service =
      One(kRuns +
          "restart: on-failure\nbackoff: {initial: 0s, max: 500ms, factor: 1.5}\nstart_limit: {count: 0, window: 2m}\n"
          "min_uptime: 0s\nsuccess_exit_codes: [3]\nautostart: false\n");
  CHECK(service.restart == RestartWhen::kOnFailure);
  CHECK(service.backoff == BackoffConfig{.initial = 0s, .max = 500ms, .factor = 1.5});
  CHECK(service.start_limit == StartLimitConfig{.count = 0, .window = 2min});
  CHECK(service.min_uptime == 0s);
  CHECK(service.success_exit_codes == std::vector<int>{3});
  CHECK_FALSE(service.autostart);
  CHECK(One(kRuns + "restart: no\n").restart == RestartWhen::kNo);
  CHECK(One(kRuns + "backoff: {initial: 5m}\n").backoff.max == 5min);
  CHECK(usual.RunsAlike(service));
}

TEST_CASE("what follows an end: what is refused, and where it has no effect") {
  CHECK(BadOne(kRuns + "restart: never\nbackoff: {initial: 2s, max: 1s, factor: 0.5, jitter: 1}\n"
                       "start_limit: {count: -1, window: 0s}\nmin_uptime: soon\nsuccess_exit_codes: [0, 256, x]\n"
                       "autostart: maybe\n")
            .size() == 10);
  CHECK(BadOne(kRuns + "restart: never\nbackoff: {factor: 1e9}\n") ==
        Problems{"3:10: restart: expected always, on-failure or no, found \"never\"",
                 "4:19: backoff.factor: expected a number from 1 to 10, found \"1e9\""});
  CHECK(WarningsOf("dir: /srv\ntype: none\nrestart: always\nautostart: true\n") ==
        std::vector<std::string>{"3:1: restart: has no effect without entrypoint or process.cmd",
                                 "4:1: autostart: has no effect without entrypoint or process.cmd"});
}

TEST_CASE("a schedule: its keys, and what it means for the others") {
  CHECK_FALSE(One(kRuns).schedule.has_value());
  const ServiceConfig job = One(kRuns + "schedule: \"0 3 * * *\"\ntimezone: Europe/Berlin\n");
  REQUIRE(job.schedule.has_value());
  CHECK(job.schedule->when == CronSchedule::Parse("0 3 * * *").value());
  CHECK(job.schedule->zone == "Europe/Berlin");
  CHECK(job.restart == RestartWhen::kNo);
  CHECK_FALSE(job.autostart);
  CHECK(One(kRuns).RunsAlike(job));
  CHECK(One(kRuns + "schedule: \"@daily\"\nrestart: on-failure\n").restart == RestartWhen::kOnFailure);
  CHECK(BadOne(kRuns + "schedule: \"0 3 * * *\"\nrestart: always\nautostart: true\n") ==
        Problems{"4:1: restart: always cannot stand beside schedule, whose process is to end; write no or on-failure",
                 "5:1: autostart: true cannot stand beside schedule: the schedule starts it"});
  CHECK(BadOne(kRuns + "schedule: soon\ntimezone: Europe/Berlni\n") ==
        Problems{"3:11: schedule: a schedule has five fields (minute hour day month weekday), \"soon\" has 1",
                 "4:11: timezone: there is no time zone \"Europe/Berlni\" (did you mean Europe/Berlin?)"});
  CHECK(BadOne("dir: /srv\ntype: none\nschedule: \"@daily\"\n") ==
        Problems{"3:1: schedule: needs entrypoint or process.cmd: only a process of Shipmate's own is started by a "
                 "schedule"});
  CHECK(WarningsOf(kRuns + "timezone: UTC\n") ==
        std::vector<std::string>{"3:1: timezone: has no effect without schedule"});
}
