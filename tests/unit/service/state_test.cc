#include "service/state.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <random>

#include "base/text.h"
#include "base/time_text.h"
#include "fakes/temp_dir.h"

using namespace shipmate;
using namespace shipmate::service;
using tests::ReadText;
using tests::TempDir;
using tests::WriteText;

namespace {

os::ProcessState SampleProcess() {
  os::ProcessState process;
  process.pid = 1234;
  process.pgid = 1234;
  process.log_path = "/tmp/logs/web.1234.log";
  process.boot_time = 1711000000;
  process.create_time = 1711000123000;
  return process;
}

base::WallTime Time(const std::string& text) {
  const auto time = base::ParseRfc3339(text);
  REQUIRE(time.has_value());
  return *time;
}

// A message, so that a failing case shows what was refused.
std::string ParseFailure(std::string_view json) {
  const auto state = ParseState(json);
  if (state) return "";
  CHECK(state.error().code == Errc::kInvalid);
  return state.error().what;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::uint64_t Below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_);
  }
  bool Coin() { return Below(2) == 0; }
  // Valid UTF-8 of any planes, controls and JSON's and HTML's own characters included.
  std::string Text() {
    std::string out;
    for (std::uint64_t left = Below(30); left > 0; --left) {
      switch (Below(5)) {
        case 0:
          base::AppendRune(out, static_cast<char32_t>(Below(0x20)));
          break;
        case 1:
          out.push_back("<>&\"\\/'"[Below(7)]);
          break;
        case 2:
          base::AppendRune(out, static_cast<char32_t>(0x2020 + Below(16)));
          break;
        case 3:
          base::AppendRune(out, static_cast<char32_t>(0x10000 + Below(0x1000)));
          break;
        default:
          out.push_back(static_cast<char>('a' + Below(26)));
      }
    }
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

State RandomState(Random& random) {
  State state;
  state.status = random.Text();
  if (random.Coin()) state.last_deploy = base::WallTime(std::chrono::nanoseconds(1 + random.Below(1ULL << 61U)));
  if (random.Coin()) state.last_restart = base::WallTime(std::chrono::nanoseconds(1 + random.Below(1ULL << 61U)));
  if (random.Coin()) state.last_result = random.Text();
  if (random.Coin()) state.last_output = random.Text();
  if (random.Coin()) state.failed_step = random.Text();
  if (random.Coin()) {
    state.backend.emplace();
    if (random.Coin()) state.backend->pid = static_cast<pid_t>(random.Below(1ULL << 31U));
    if (random.Coin()) state.backend->pgid = static_cast<pid_t>(random.Below(1ULL << 31U));
    if (random.Coin()) state.backend->log_path = random.Text();
    if (random.Coin()) state.backend->boot_time = static_cast<std::int64_t>(random.Below(1ULL << 63U)) * -1;
    if (random.Coin()) state.backend->create_time = static_cast<std::int64_t>(random.Below(1ULL << 63U));
    if (random.Coin()) state.backend->boot_id = random.Text();
    if (random.Coin()) state.backend->start_ticks = random.Below(UINT64_MAX);
  }
  state.desired = static_cast<Desired>(random.Below(3));
  if (random.Coin()) state.generation = random.Below(UINT64_MAX);
  state.starting = random.Coin();
  if (random.Coin()) state.log_path = random.Text();
  return state;
}

}  // namespace

TEST_CASE("the file has the reference's members in its order") {
  State state;
  state.status = "running";
  state.last_deploy = Time("2024-03-21T10:00:00Z");
  state.last_restart = Time("2024-03-21T10:00:01.25Z");
  state.last_result = "failed";
  state.last_output = "a <b> & \"c\"\n";
  state.failed_step = "make";
  state.backend = SampleProcess();
  const std::string deploy = base::FormatRfc3339Nano(state.last_deploy);
  const std::string restart = base::FormatRfc3339Nano(state.last_restart);
  CHECK(ToJson(state) ==
        R"({"status":"running","last_deploy":")" + deploy + R"(","last_restart":")" + restart +
            R"(","last_result":"failed","last_output":"a \u003cb\u003e \u0026 \"c\"\n","failed_step":"make",)"
            R"("backend":{"pid":1234,"pgid":1234,"log_path":"/tmp/logs/web.1234.log","boot_time":1711000000,)"
            R"("create_time":1711000123000}})");
}

TEST_CASE("members of ours stand behind the reference's") {
  State state;
  state.status = "stopped";
  state.backend = os::ProcessState{};
  state.backend->pid = 42;
  state.backend->boot_id = "b-1";
  state.backend->start_ticks = 99;
  state.desired = Desired::kDown;
  state.generation = 7;
  state.starting = true;
  state.log_path = "/l/web.42.log";
  CHECK(ToJson(state) == R"({"status":"stopped","backend":{"pid":42,"boot_id":"b-1","start_ticks":99},)"
                         R"("desired":"down","generation":7,"starting":true,"log_path":"/l/web.42.log"})");
  state.desired = Desired::kUp;
  CHECK(ToJson(state).find(R"("desired":"up")") != std::string::npos);
}

TEST_CASE("zero times and empty strings vanish") {
  State state;
  state.status = "stopped";
  CHECK(ToJson(state) == R"({"status":"stopped"})");
  CHECK(ToJson(State{}) == R"({"status":""})");
  ServiceState view;
  CHECK(ToJson(view) == R"({"status":"unknown"})");
  view.status = "running";
  view.last_result = "success";
  CHECK(ToJson(view) == R"({"status":"running","last_result":"success"})");
  state.backend.emplace();
  CHECK(ToJson(state) == R"({"status":"stopped","backend":{}})");
}

TEST_CASE("text is escaped as the reference escapes it") {
  State state;
  state.status = std::string("\x01\x7f\t\r\b\f/\\") + "\u2028\u2029\xff\xed\xa0\x80" + "\U0001F600";
  CHECK(ToJson(state) ==
        "{\"status\":\"\\u0001\x7f\\t\\r\\b\\f/\\\\\\u2028\\u2029\\ufffd\\ufffd\\ufffd\\ufffd\U0001F600\"}");
}

TEST_CASE("a time has the machine's offset and comes back as the same instant") {
  const char* before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TZ", "XYZ-5:30", 1);
  ::tzset();
  State state;
  state.last_deploy = Time("2024-03-21T10:00:00.120Z");
  CHECK(ToJson(state) == R"({"status":"","last_deploy":"2024-03-21T15:30:00.12+05:30"})");
  const auto parsed = ParseState(ToJson(state));
  REQUIRE(parsed.has_value());
  CHECK(parsed->last_deploy == state.last_deploy);
  if (before == nullptr) {
    ::unsetenv("TZ");
  } else {
    ::setenv("TZ", kept.c_str(), 1);
  }
  ::tzset();
}

TEST_CASE("save and load") {
  const TempDir dir;
  State state;
  SUBCASE("running with a process") {
    state.status = "running";
    state.backend = SampleProcess();
  }
  SUBCASE("stopped") {
    state.status = "stopped";
  }
  SUBCASE("failed deploy") {
    state.status = "failed";
    state.last_deploy = Time("2024-03-21T10:00:00Z");
    state.last_result = "failed";
    state.last_output = "build error on line 42";
    state.failed_step = "build";
  }
  REQUIRE(SaveState(dir.Path(), "web", state, os::Sync::kData).has_value());
  const auto loaded = LoadState(dir.Path(), "web");
  REQUIRE(loaded.has_value());
  CHECK(loaded->state == state);
  CHECK(loaded->raw == ToJson(state));
  CHECK(ReadText(dir / "web.json") == loaded->raw);
}

TEST_CASE("the file is not for every user, and no temporary file stays") {
  const TempDir dir;
  const mode_t before = ::umask(0);
  const auto saved = SaveState(dir.Path(), "web", State{}, os::Sync::kNone);
  ::umask(before);
  REQUIRE(saved.has_value());
  struct stat info{};
  REQUIRE(::stat((dir / "web.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0640U);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.Path()), {}) == 1);
}

TEST_CASE("saving into a missing directory says what was tried") {
  const TempDir dir;
  const auto saved = SaveState(dir / "gone", "web", State{}, os::Sync::kNone);
  REQUIRE(!saved.has_value());
  CHECK(saved.error().what.starts_with("saving state of \"web\": "));
}

TEST_CASE("a missing file is not found, before and after removal") {
  const TempDir dir;
  auto loaded = LoadState(dir.Path(), "web");
  REQUIRE(!loaded.has_value());
  CHECK(loaded.error().code == Errc::kNotFound);
  REQUIRE(SaveState(dir.Path(), "web", State{}, os::Sync::kNone).has_value());
  CHECK(LoadState(dir.Path(), "web").has_value());
  RemoveState(dir.Path(), "web");
  loaded = LoadState(dir.Path(), "web");
  REQUIRE(!loaded.has_value());
  CHECK(loaded.error().code == Errc::kNotFound);
  RemoveState(dir.Path(), "web");
}

TEST_CASE("files of the reference are read") {
  SUBCASE("with backend") {
    const auto state = ParseState(R"({"status":"running","backend":{"pid":42}})");
    REQUIRE(state.has_value());
    CHECK(state->status == "running");
    REQUIRE(state->backend.has_value());
    CHECK(state->backend->pid == 42);
    CHECK(state->backend->pgid == 0);
  }
  SUBCASE("legacy: the process at the top level") {
    const auto state = ParseState(
        R"({"status":"running","pid":1234,"pgid":1234,"log_path":"/tmp/logs/web.1234.log","boot_time":1711000000,)"
        R"("create_time":1711000123000})");
    REQUIRE(state.has_value());
    CHECK(state->backend == SampleProcess());
    CHECK(state->log_path.empty());
  }
  SUBCASE("null is as good as absent") {
    const auto state = ParseState(R"({"status":"failed","backend":null,"last_deploy":null,"last_output":null})");
    REQUIRE(state.has_value());
    CHECK(!state->backend.has_value());
    CHECK(state->last_deploy == base::WallTime{});
  }
  SUBCASE("the zero time of early versions") {
    const auto state = ParseState(R"({"status":"running","last_deploy":"0001-01-01T00:00:00Z"})");
    REQUIRE(state.has_value());
    CHECK(state->last_deploy == base::WallTime{});
  }
  SUBCASE("a backend beside legacy members wins") {
    const auto state = ParseState(R"({"status":"running","pid":7,"backend":{"pid":42},"log_path":"/l"})");
    REQUIRE(state.has_value());
    CHECK(state->backend->pid == 42);
    CHECK(state->log_path == "/l");
  }
  SUBCASE("log_path alone is no process") {
    const auto state = ParseState(R"({"status":"stopped","log_path":"/l/web.1.log"})");
    REQUIRE(state.has_value());
    CHECK(!state->backend.has_value());
    CHECK(state->log_path == "/l/web.1.log");
  }
  SUBCASE("unknown members of a later version") {
    const auto state = ParseState(R"({"version":9,"status":"running","x":{"y":[1,2]},"backend":{"pid":42,"z":[]}})");
    REQUIRE(state.has_value());
    CHECK(state->backend->pid == 42);
  }
  SUBCASE("the later of two members counts") {
    const auto state = ParseState(R"({"status":"running","status":"stopped"})");
    REQUIRE(state.has_value());
    CHECK(state->status == "stopped");
  }
}

TEST_CASE("what is wrong is named") {
  CHECK(ParseFailure(R"({"status":5})") == "state member \"status\" is not a string");
  CHECK(ParseFailure(R"({"backend":[]})") == "state member \"backend\" is not an object");
  CHECK(ParseFailure(R"({"backend":{"pid":-1}})") == "state member \"pid\" is not a process number");
  CHECK(ParseFailure(R"({"backend":{"pid":2147483648}})") == "state member \"pid\" is not a process number");
  CHECK(ParseFailure(R"({"backend":{"pid":1.5}})") == "state member \"pid\" is not a process number");
  CHECK(ParseFailure(R"({"backend":{"pid":"12"}})") == "state member \"pid\" is not a process number");
  CHECK(ParseFailure(R"({"pid":1,"pgid":-5})") == "state member \"pgid\" is not a process number");
  CHECK(ParseFailure(R"({"backend":{"boot_time":9223372036854775808}})") ==
        "state member \"boot_time\" is not an integer of 64 bits");
  CHECK(ParseFailure(R"({"generation":-1})") == "state member \"generation\" is not a non-negative integer of 64 bits");
  CHECK(ParseFailure(R"({"last_deploy":"yesterday"})") == "state member \"last_deploy\" is not a time in RFC 3339");
  CHECK(ParseFailure(R"({"desired":"sideways"})") == "state member \"desired\" is not \"up\" or \"down\"");
  CHECK(ParseFailure(R"({"starting":1})") == "state member \"starting\" is not true or false");
  CHECK(ParseFailure("[]") == "state is not a JSON object");
  CHECK(ParseFailure("null") == "state is not a JSON object");
  for (const char* broken : {"", "{", "not json", R"({"status":"running")", R"({"status":"running"}x)", "{{}}",
                             R"({"generation":18446744073709551616})", "{\"status\":\"\xff\"}"}) {
    CAPTURE(std::string(broken));
    CHECK(ParseFailure(broken).starts_with("state is not JSON: "));
  }
}

TEST_CASE("nesting a hundred thousand deep is refused") {
  CHECK(!ParseFailure(std::string(100000, '[')).empty());
  CHECK(!ParseFailure(std::string(100000, '[') + std::string(100000, ']')).empty());
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK(!ParseFailure(objects).empty());
}

TEST_CASE("a file that is too large is refused without being read") {
  const TempDir dir;
  WriteText(dir / "web.json", "");
  REQUIRE(::truncate((dir / "web.json").c_str(), 1'000'000'000) == 0);
  const auto loaded = LoadState(dir.Path(), "web");
  REQUIRE(!loaded.has_value());
  CHECK(loaded.error().code == Errc::kInvalid);
  CHECK(loaded.error().what == "state file: reading " + (dir / "web.json") + ": larger than 16777216 bytes");
}

TEST_CASE("a file that others could have written is refused") {
  const TempDir dir;
  const std::string path = dir / "web.json";
  SUBCASE("link") {
    WriteText(dir / "elsewhere", R"({"status":"running"})");
    REQUIRE(::symlink((dir / "elsewhere").c_str(), path.c_str()) == 0);
  }
  SUBCASE("fifo") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  SUBCASE("directory") {
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
  }
  SUBCASE("writable by all") {
    WriteText(path, R"({"status":"running"})");
    REQUIRE(::chmod(path.c_str(), 0666) == 0);
  }
  SUBCASE("another user's") {
    WriteText(path, R"({"status":"running"})");
    // Only root can give a file away.
    if (::chown(path.c_str(), 65534, 65534) != 0) return;
  }
  const auto loaded = LoadState(dir.Path(), "web");
  REQUIRE(!loaded.has_value());
  CHECK(loaded.error().code == Errc::kRefused);
  CHECK(loaded.error().what.starts_with("state file: reading " + path));
}

TEST_CASE("saving over a link replaces the link, not what it leads to") {
  const TempDir dir;
  WriteText(dir / "elsewhere", "untouched");
  REQUIRE(::symlink((dir / "elsewhere").c_str(), (dir / "web.json").c_str()) == 0);
  REQUIRE(SaveState(dir.Path(), "web", State{}, os::Sync::kNone).has_value());
  CHECK(ReadText(dir / "elsewhere") == "untouched");
  CHECK(LoadState(dir.Path(), "web").has_value());
}

TEST_CASE("a file that cannot be understood is set aside, every time under a new name") {
  const TempDir dir;
  for (const char* name : {"web.json.corrupt", "web.json.corrupt.2", "web.json.corrupt.3"}) {
    WriteText(dir / "web.json", name);
    const auto loaded = LoadState(dir.Path(), "web");
    REQUIRE(!loaded.has_value());
    CHECK(loaded.error().code == Errc::kInvalid);
    const auto aside = SetAsideCorruptState(dir.Path(), "web");
    REQUIRE(aside.has_value());
    CHECK(*aside == dir / name);
    CHECK(ReadText(*aside) == name);
    CHECK(!std::filesystem::exists(dir / "web.json"));
  }
  CHECK(ReadText(dir / "web.json.corrupt") == "web.json.corrupt");
  CHECK(SetAsideCorruptState(dir.Path(), "web").error().code == Errc::kNotFound);
}

TEST_CASE("the end of a long output is kept, whole characters only") {
  State state;
  state.last_output = "HEAD" + std::string(kKeptOutputBytes - 4, 'x');
  CHECK(ParseState(ToJson(state))->last_output == state.last_output);
  state.last_output += "TAIL";
  const std::string kept = ParseState(ToJson(state))->last_output;
  CHECK(kept.size() == kKeptOutputBytes);
  CHECK(kept.ends_with("TAIL"));
  CHECK(kept.find("HEAD") == std::string::npos);

  state.last_output.clear();
  for (int i = 0; i < 30000; ++i) state.last_output += "世";
  state.last_output += "x";
  const std::string wide = ParseState(ToJson(state))->last_output;
  CHECK(wide.size() <= kKeptOutputBytes);
  CHECK(wide.size() > kKeptOutputBytes - 3);
  CHECK(base::IsValidUtf8(wide));
  CHECK(wide.starts_with("世"));

  // A file of the reference holds all of it.
  const auto read = ParseState("{\"status\":\"failed\",\"last_output\":\"" + std::string(2'000'000, 'y') + "END\"}");
  REQUIRE(read.has_value());
  CHECK(read->last_output.size() == kKeptOutputBytes);
  CHECK(read->last_output.ends_with("END"));
}

TEST_CASE("any state comes back as it was") {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    const State state = RandomState(random);
    const std::string json = ToJson(state);
    CAPTURE(json);
    const auto parsed = ParseState(json);
    REQUIRE(parsed.has_value());
    REQUIRE(*parsed == state);
    REQUIRE(ToJson(*parsed) == json);
  }
}

TEST_CASE("a damaged file is understood or refused, never worse") {
  Random random(2);
  State state = RandomState(random);
  state.backend = SampleProcess();
  state.status = "running";
  state.generation = 12;
  const std::string valid = ToJson(state);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = valid;
    for (std::uint64_t left = 1 + random.Below(4); left > 0; --left) {
      const auto at = static_cast<std::size_t>(random.Below(damaged.size()));
      switch (random.Below(4)) {
        case 0:
          damaged[at] = static_cast<char>(random.Below(256));
          break;
        case 1:
          damaged.erase(at, 1 + random.Below(8));
          break;
        case 2:
          damaged.insert(at, damaged.substr(damaged.size() / 2, random.Below(8)));
          break;
        default:
          damaged.resize(at + 1);
      }
      if (damaged.empty()) break;
    }
    const auto parsed = ParseState(damaged);
    if (!parsed) {
      ++refused;
      REQUIRE(parsed.error().code == Errc::kInvalid);
      REQUIRE(parsed.error().what.find('\n') == std::string::npos);
    } else if (parsed->backend) {
      REQUIRE(parsed->backend->pid >= 0);
      REQUIRE(parsed->backend->pgid >= 0);
    }
  }
  CHECK(refused > 1000);
}
