#pragma once

// Reading the settings from files. All or nothing: a file set with any problem gives every problem found, each as
// "file:line:column: text" (line and column from 1) with what to do; nothing half-read comes out. Keys are checked
// strictly: an unknown or repeated key is a problem that names the nearest known one. Warnings are for what the
// reference program accepted and we still do.

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace shipmate::config {

template <class T>
struct Loaded {
  T value;
  std::vector<std::string> warnings;
};

/// Why nothing was loaded; never empty.
using Problems = std::vector<std::string>;

template <class T>
using LoadResult = std::expected<Loaded<T>, Problems>;

/// Reads config.yaml. Texts start with "reading config: " when the file cannot be read and "parsing config: " when it
/// is not the YAML it should be.
LoadResult<Config> LoadConfig(const std::string& path);

/// Reads every *.yaml and *.yml file of `dir` (not its sub-directories), in name order. `base_dir` is where relative
/// paths start. Texts start with "reading services dir: ", "reading service file <name>: " or "parsing service file
/// <name>: ". Two files of one name, a bad name, a contradiction (entrypoint with process.cmd, both with service_name,
/// sudo with user_service, self_deploy with adopt: false, nothing to run without `type: none`) are problems.
LoadResult<std::vector<ServiceConfig>> LoadServices(const std::string& dir, const std::string& base_dir);

/// Reads the secrets. Each key comes from the file at `path` if it has it, else from `environment`; an empty path or a
/// missing file leaves the environment alone. The grammar is that of godotenv. A file that others can read is a
/// warning. Texts start with "reading env file: ".
LoadResult<Env> LoadEnv(const std::string& path, const std::map<std::string, std::string>& environment);

/// The variables of this process, for LoadEnv.
std::map<std::string, std::string> ProcessEnvironment();

/// Reads every *.yaml and *.yml file of `commands_dir`, in name order. `base_dir` is where relative paths start. Two
/// commands of one name or alias are a problem, also where one of them is among `taken`. Texts of files that cannot be
/// read start with "reading commands dir: " or "reading command file <name>: ".
LoadResult<std::vector<CommandSpec>> LoadCommands(const std::string& dir, const std::string& base_dir,
                                                  const std::vector<std::string>& taken);

/// Parses one file of bot-commands/; `file` is for the problem texts.
LoadResult<CommandSpec> ParseCommand(const std::string& file, std::string_view text);

/// Splits the text of a .env file into its variables; a problem names file and line.
LoadResult<std::map<std::string, std::string>> ParseEnvText(const std::string& file, std::string_view text,
                                                            const std::map<std::string, std::string>& environment);

}  // namespace shipmate::config
