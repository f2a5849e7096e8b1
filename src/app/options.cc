#include "app/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

namespace shipmate::app {

ParsedOptions ParseOptions(int argc, char** argv) {
  ParsedOptions parsed;
  parsed.options.argv.assign(argv, argv + argc);
  CLI::App cli("Shipmate: a chat-ops bot and process supervisor in one program.", "shipmate");
  cli.add_option("--config", parsed.options.config, "The configuration file")->capture_default_str();
  cli.add_option("--env", parsed.options.env, "The file with the secrets")->capture_default_str();
  cli.add_flag("-i,--interactive", parsed.options.interactive, "A console on standard input");
  cli.add_flag("-v,--verbose", parsed.options.verbose, "Log more");
  cli.add_flag("--check-config", parsed.options.check_config, "Check the configuration and end");
  cli.set_version_flag("--version", std::string("shipmate ") + SHIPMATE_VERSION);

  // CLI11 takes its vector in reverse order.
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::string& argument : arguments) {
    for (const char* old : {"-config", "-env"}) {
      if (argument == old || argument.starts_with(std::string(old) + "=")) argument.insert(0, "-");
    }
  }
  std::ranges::reverse(arguments);
  try {
    cli.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    const int status = cli.exit(error);
    parsed.exit_status = status == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace shipmate::app
