#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "support.h"

using namespace shipmate::config;
using shipmate::tests::TempDir;

namespace {

using Variables = std::map<std::string, std::string>;

const Variables kEnvironment = {{"OUTER", "from outside"},
                                {"DISCORD_TOKEN", "env-discord"},
                                {"MATTERMOST_TOKEN", "env-mattermost"},
                                {"GITHUB_WEBHOOK_SECRET", "env-secret"}};

Variables Good(std::string_view text) {
  auto result = ParseEnvText(".env", text, kEnvironment);
  if (!result) FAIL(result.error().front());
  return result->value;
}

Problems Bad(std::string_view text) {
  auto result = ParseEnvText(".env", text, kEnvironment);
  return result ? Problems{"(accepted)"} : result.error();
}

std::string WritePrivate(const TempDir& dir, const std::string& name, std::string_view text) {
  std::string path = dir.Write(name, text);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  return path;
}

Loaded<Env> Load(const std::string& path, const Variables& environment = kEnvironment) {
  auto result = LoadEnv(path, environment);
  if (!result) FAIL(result.error().front());
  return std::move(*result);
}

}  // namespace

TEST_CASE("the grammar of .env") {
  const std::vector<std::pair<std::string, Variables>> cases = {
      {"", {}},
      {"\n\r\n \t \n# comment\n\t # another\n", {}},
      {"FOO=bar", {{"FOO", "bar"}}},
      {"FOO =bar\nBAR= baz \n\tQUX = x\n", {{"FOO", "bar"}, {"BAR", "baz"}, {"QUX", "x"}}},
      {"FOO=\nBAR=\"\"\nBAZ=''\n", {{"FOO", ""}, {"BAR", ""}, {"BAZ", ""}}},
      {"FOO: bar\nBAR:baz\nURL=http://x:1/?a=b\n", {{"FOO", "bar"}, {"BAR", "baz"}, {"URL", "http://x:1/?a=b"}}},
      {"FOO=a=b=\n", {{"FOO", "a=b="}}},
      {"FOO.BAR_1=x\n", {{"FOO.BAR_1", "x"}}},
      {"export FOO=a\nexport\tBAR=b\nexport_X=c\nexport.Y=d\nexportZ=e\n",
       {{"FOO", "a"}, {"BAR", "b"}, {"export_X", "c"}, {"export.Y", "d"}, {"exportZ", "e"}}},
      {"A=1\r\nB=\"2\"\r\nC='x\r\ny'\r\n", {{"A", "1"}, {"B", "2"}, {"C", "x\ny"}}},
      {"\xEF\xBB\xBF"
       "A=1\n",
       {{"A", "1"}}},
      {"---\nA=b---\n---\n", {{"A", "b---"}}},
      {"A=1\nA=2\n", {{"A", "2"}}},
      {"A=one two\n", {{"A", "one two"}}},
      // A comment begins behind a blank only.
      {"A=b#c\nB=b #c\nC=b # c # d\nD=#x\nE= #x\n", {{"A", "b#c"}, {"B", "b"}, {"C", "b"}, {"D", "#x"}, {"E", "#x"}}},
      {"A=\"b # c\" # d\nB='b # c'# d\n", {{"A", "b # c"}, {"B", "b # c"}}},
      // Single quotes are literal; double quotes know escapes.
      {R"(A='a\nb$OUTER' B="a\nb\rc\td\\n")", {{"A", R"(a\nb$OUTER)"}, {"B", "a\nb\rctd\\n"}}},
      {R"(A="say \"hi\"" B="'x'" C='"x"' D='it\'s')",
       {{"A", R"(say "hi")"}, {"B", "'x'"}, {"C", "\"x\""}, {"D", R"(it\'s)"}}},
      {R"(A="ends in \\" B=2)", {{"A", R"(ends in \)"}, {"B", "2"}}},
      {"A=\"two\nlines\"\nB=c\n", {{"A", "two\nlines"}, {"B", "c"}}},
      // Variables: of the lines before, then of the environment.
      {"A=x\nB=$A\nC=${A}y\nD=\"$A-${A}\"\nE='$A'\n", {{"A", "x"}, {"B", "x"}, {"C", "xy"}, {"D", "x-x"}, {"E", "$A"}}},
      {"OUTER2=$OUTER\nOUTER=own\nB=$OUTER\n", {{"OUTER2", "from outside"}, {"OUTER", "own"}, {"B", "own"}}},
      {"A=$NONE.\n", {{"A", "."}}},
      {"A=x\nB=\\$A\nC=\"\\$A\"\nD=\"\\${A} ${A}\"\n", {{"A", "x"}, {"B", "$A"}, {"C", "$A"}, {"D", "${A} x"}}},
      {"A=$lower $ $(OUTER) $-\n", {{"A", "$lower $ $(OUTER) $-"}}},
      {"A=x\nB=${A-y}\n", {{"A", "x"}, {"B", "x-y}"}}},
  };
  for (const auto& [text, variables] : cases) {
    CAPTURE(text);
    CHECK(Good(text) == variables);
  }
}

TEST_CASE("lines of .env that are none, with their place and without their content") {
  const std::string wrong = "unexpected character before the \"=\"; a name has letters, digits, \"_\" and \".\"";
  const std::vector<std::pair<std::string, Problems>> cases = {
      {"lol$wut", {".env:1:4: " + wrong}},
      {"A=1\nhunter2\nB=2\n", {".env:2:8: expected KEY=value, found no \"=\""}},
      {"A=1\n  B-C=2\n", {".env:2:4: " + wrong}},
      {"A B=1\n", {".env:1:3: " + wrong}},
      {"=value\n", {".env:1:1: expected a name before the \"=\""}},
      {"A=1\nB='open\nC=2\n", {".env:2:3: the quote that opens here is never closed"}},
      {"A=\"open\\\"\n", {".env:1:3: the quote that opens here is never closed"}},
      {"A=\"x\"y\n", {".env:1:7: expected KEY=value, found no \"=\""}},
      {"one\ntwo\n", {".env:1:4: expected KEY=value, found no \"=\"", ".env:2:4: expected KEY=value, found no \"=\""}},
      {std::string("A=\0", 3), {".env:1:1: contains NUL bytes: not a text file"}},
  };
  for (const auto& [text, problems] : cases) {
    CAPTURE(text);
    CHECK(Bad(text) == problems);
  }
}

TEST_CASE("a dollar sign that names nothing is a warning without the value") {
  const auto result = ParseEnvText(".env", "A=1\nSECRET=pa$5WORD\n", kEnvironment);
  REQUIRE(result.has_value());
  CHECK(result->value.at("SECRET") == "pa");
  CHECK(
      result->warnings ==
      std::vector<std::string>{".env:2:8: the value of SECRET names a variable that is not set; where a \"$\" is meant "
                               "as it stands, put the value in single quotes"});
}

TEST_CASE("a file with every key of the reference: its values") {
  const TempDir dir;
  const auto loaded =
      Load(WritePrivate(dir, ".env",
                        "DISCORD_TOKEN=discord\nMATTERMOST_TOKEN=matter\nGITHUB_WEBHOOK_SECRET=\"git hub\"\n"
                        "GITLAB_WEBHOOK_SECRET=lab\nGITEA_WEBHOOK_SECRET=tea\nGENERIC_WEBHOOK_SECRET=new,old\n"
                        "MATRIX_USER_ID=@a:b\nMATRIX_DEVICE_ID=c\nMATRIX_ACCESS_TOKEN=d\n"
                        "MATRIX_PICKLE_KEY=e\nOTHER=f\n"));
  CHECK(loaded.warnings.empty());
  CHECK(loaded.value.discord_token.Reveal() == "discord");
  CHECK(loaded.value.mattermost_token.Reveal() == "matter");
  CHECK(loaded.value.github_webhook_secret.Reveal() == "git hub");
  CHECK(loaded.value.gitlab_webhook_secret.Reveal() == "lab");
  CHECK(loaded.value.gitea_webhook_secret.Reveal() == "tea");
  CHECK(loaded.value.generic_webhook_secret.Reveal() == "new,old");
}

TEST_CASE("no path, or no file: the environment") {
  const TempDir dir;
  for (const std::string& path : {std::string(), dir / ".env"}) {
    CAPTURE(path);
    const auto loaded = Load(path);
    CHECK(loaded.value.discord_token.Reveal() == "env-discord");
    CHECK(loaded.value.mattermost_token.Reveal() == "env-mattermost");
    CHECK(loaded.value.github_webhook_secret.Reveal() == "env-secret");
    CHECK(loaded.warnings.empty());
  }
  CHECK(Load("", {}).value == Env{});
}

TEST_CASE("a key that the file lacks comes from the environment; one that it has does not") {
  const TempDir dir;
  const auto loaded = Load(WritePrivate(dir, ".env", "MATTERMOST_TOKEN=own\nGITHUB_WEBHOOK_SECRET=\n"));
  CHECK(loaded.value.discord_token.Reveal() == "env-discord");
  CHECK(loaded.value.mattermost_token.Reveal() == "own");
  CHECK(loaded.value.github_webhook_secret.Empty());
}

TEST_CASE("an env file that cannot be read is a problem") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "folder");
  const auto folder = LoadEnv(dir / "folder", {});
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error() == Problems{"reading env file: " + (dir / "folder") + ": not a regular file"});

  std::filesystem::create_symlink("loop", dir / "loop");
  const auto loop = LoadEnv(dir / "loop", {});
  REQUIRE_FALSE(loop.has_value());
  CHECK(loop.error() == Problems{"reading env file: " + (dir / "loop") + ": too many levels of symbolic links"});

  const std::string bad = WritePrivate(dir, "bad", "A=1\nhunter2!\n");
  const auto parsed = LoadEnv(bad, {});
  REQUIRE_FALSE(parsed.has_value());
  REQUIRE(parsed.error().size() == 1);
  CHECK(parsed.error()[0].starts_with("reading env file: " + bad + ":2:8: unexpected character"));
  CHECK(parsed.error()[0].find("hunter2") == std::string::npos);

  const std::string closed = dir.Write("closed", "A=1\n");
  REQUIRE(::chmod(closed.c_str(), 0000) == 0);
  const auto refused = LoadEnv(closed, {});
  // Root reads it all the same.
  if (!refused) CHECK(refused.error() == Problems{"reading env file: " + closed + ": permission denied"});
}

TEST_CASE("an env file that others can read is a warning") {
  const TempDir dir;
  const std::string path = WritePrivate(dir, ".env", "DISCORD_TOKEN=x\n");
  CHECK(Load(path).warnings.empty());
  for (const mode_t mode : {0640U, 0604U, 0660U}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    CHECK(Load(path).warnings ==
          std::vector<std::string>{path + ": other users of this machine can read the secrets in it; run: chmod 600 " +
                                   path});
  }
}

TEST_CASE("without a token for Discord, token.txt beside the file is asked") {
  const TempDir dir;
  const std::string path = dir / ".env";
  const std::string token = WritePrivate(dir, "token.txt", "  from-file\r\n");
  CHECK(Load(path, {}).value.discord_token.Reveal() == "from-file");
  CHECK(Load(path).value.discord_token.Reveal() == "env-discord");
  WritePrivate(dir, ".env", "DISCORD_TOKEN=\n");
  CHECK(Load(path).value.discord_token.Reveal() == "from-file");
  CHECK(Load("", {}).value.discord_token.Empty());

  REQUIRE(::chmod(token.c_str(), 0644) == 0);
  CHECK(Load(path).warnings ==
        std::vector<std::string>{token + ": other users of this machine can read the secrets in it; run: chmod 600 " +
                                 token});
  std::filesystem::remove(token);
  CHECK(Load(path).value.discord_token.Empty());
  std::filesystem::create_directory(token);
  const auto folder = LoadEnv(path, {});
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error() == Problems{"reading env file: " + token + ": not a regular file"});
}

TEST_CASE("a token with blanks in it is refused, without showing it") {
  const TempDir dir;
  const auto result = LoadEnv(WritePrivate(dir, ".env", "DISCORD_TOKEN=Bot hunter2\nMATTERMOST_TOKEN=\"a\\nb\"\n"), {});
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error() == Problems{"reading env file: DISCORD_TOKEN contains blanks or control characters",
                                   "reading env file: MATTERMOST_TOKEN contains blanks or control characters"});
}

TEST_CASE("the variables of this process") {
  REQUIRE(::setenv("SHIPMATE_TEST_VARIABLE", "a=b", 1) == 0);
  CHECK(ProcessEnvironment().at("SHIPMATE_TEST_VARIABLE") == "a=b");
  ::unsetenv("SHIPMATE_TEST_VARIABLE");
  CHECK_FALSE(ProcessEnvironment().contains("SHIPMATE_TEST_VARIABLE"));
}

TEST_CASE("no child sees the secrets") {
  CHECK(SecretNames() == std::vector<std::string>{"DISCORD_TOKEN", "MATTERMOST_TOKEN", "GITHUB_WEBHOOK_SECRET",
                                                  "GITLAB_WEBHOOK_SECRET", "GITEA_WEBHOOK_SECRET",
                                                  "GENERIC_WEBHOOK_SECRET", "MATRIX_ACCESS_TOKEN",
                                                  "MATRIX_PICKLE_KEY"});
}

TEST_CASE("the sample env file") {
  const TempDir dir;
  const std::string path = dir / ".env";
  std::filesystem::copy_file(std::filesystem::path(SAMPLE_CONFIG_DIR).parent_path() / ".env.example", path);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  // Copied and not filled in, it hides nothing of the environment.
  const auto loaded = Load(path);
  CHECK(loaded.warnings.empty());
  CHECK(loaded.value.discord_token.Reveal() == "env-discord");
}
