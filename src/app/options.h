#pragma once

// The command line.

#include <optional>
#include <string>
#include <vector>

namespace shipmate::app {

struct Options {
  /// The command line as it came, the program's name first.
  std::vector<std::string> argv;
  std::string config = "config.yaml";
  std::string env = ".env";
  /// A console on standard input.
  bool interactive = false;
  bool verbose = false;
  /// Read and check the configuration, say what is wrong, and end.
  bool check_config = false;
};

/// The options, or the exit status to end with at once (help, version, wrong usage); what there is to say was printed.
/// The reference program's one-dash spellings (`-config`, `-env`) are understood.
struct ParsedOptions {
  std::optional<int> exit_status;
  Options options;
};
ParsedOptions ParseOptions(int argc, char** argv);

}  // namespace shipmate::app
