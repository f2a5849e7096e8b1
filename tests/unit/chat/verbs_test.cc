#include "chat/verbs.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace shipmate::chat {
namespace {

config::CommandSpec Spec(std::string name, std::vector<std::string> aliases) {
  config::CommandSpec spec;
  spec.name = std::move(name);
  spec.aliases = std::move(aliases);
  return spec;
}

TEST_CASE("commands are found by name and by alias") {
  const Verbs verbs({Spec("stop", {}), Spec("logs", {"log", "tail"})});
  REQUIRE(verbs.Find("tail") != nullptr);
  CHECK(verbs.Find("tail")->name == "logs");
  CHECK(verbs.Find("stop")->name == "stop");
  CHECK(verbs.Find("st") == nullptr);
  CHECK(verbs.Find("") == nullptr);
  CHECK(verbs.All().front().name == "logs");
  CHECK(verbs.Names() == std::vector<std::string>{"logs", "log", "tail", "stop"});
}

TEST_CASE("the built-in table is whole") {
  const Verbs verbs = Verbs::BuiltIn();
  for (const std::string& name :
       {std::string("help"), std::string("status"), std::string("start"), std::string("stop"), std::string("restart"),
        std::string("logs"), std::string("pull"), std::string("deploy"), std::string("confirm"), std::string("cancel"),
        std::string("reload"), std::string("start-all"), std::string("stop-all"), std::string("list"),
        std::string("count"), std::string("audit"), std::string("whoami"), std::string("yes")}) {
    CAPTURE(name);
    REQUIRE(verbs.Find(name) != nullptr);
    CHECK_FALSE(verbs.Find(name)->help.empty());
  }
  CHECK(verbs.Find("restart")->Usage() == "restart <service>...");
  CHECK(std::ranges::is_sorted(verbs.All(), {}, &config::CommandSpec::name));
}

}  // namespace
}  // namespace shipmate::chat
