#pragma once

// The settings, as plain values: what config.yaml, services/*.yaml and .env say once they were read and checked by
// load.h. Paths are absolute. Two configurations compare by their defaulted operator==, so a new field cannot be
// forgotten on reload.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "config/cron.h"

namespace shipmate::config {

/// One channel of a chat platform.
struct ChannelConfig {
  std::string id;
  /// Services whose notices go here and that can be commanded from here; empty = all.
  std::vector<std::string> services;
  /// Kinds of notice posted here: "service", "deploy", "webhook"; empty = all.
  std::vector<std::string> notices;
  bool operator==(const ChannelConfig&) const = default;
};

/// `discord:`. The frontend exists when the section and a token are there.
struct DiscordConfig {
  std::string guild_id;
  /// `channel_id` (one) and `channels` (several) together, in the order given, each id once.
  std::vector<ChannelConfig> channels;
  /// False (`message_content: false`): the privileged intent is not asked for; only mentions and direct messages are
  /// read.
  bool message_content = true;
  std::string api_url = "https://discord.com/api/v10";
  /// Empty = as GET /gateway/bot tells.
  std::string gateway_url;
  /// PEM file of the only roots to trust; empty = the system's.
  std::string ca_file;
  bool operator==(const DiscordConfig&) const = default;
};

/// `mattermost:`.
struct MattermostConfig {
  std::string url;
  /// `channel` (one) and `channels` (several) together, in the order given, each once. Their ids are ids of 26
  /// characters or "team/channel-name".
  std::vector<ChannelConfig> channels;
  enum class Answers {
    kThread,   ///< in the thread of the question, which begins with it if need be
    kChannel,  ///< where the question stands: in its thread only if it has one
  };
  Answers answers = Answers::kThread;
  /// Whom `access:` names may also write to the bot directly.
  bool direct_messages = false;
  /// PEM file of the only roots to trust; empty = the system's.
  std::string ca_file;
  bool operator==(const MattermostConfig&) const = default;
};

/// `webhook:`.
struct WebhookConfig {
  /// `listen`: a numeric address, IPv6 without brackets.
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  /// Only `port` was given, as for the reference program, which listened on every address.
  bool port_alone = false;
  /// PEM files of the certificate chain and its key; empty = without TLS.
  std::string tls_cert;
  std::string tls_key;
  bool operator==(const WebhookConfig&) const = default;
};

/// `dashboard:`.
struct DashboardConfig {
  std::uint16_t port = 0;
  bool operator==(const DashboardConfig&) const = default;
};

/// Who may use a command. Each may do all that the one before it may.
enum class Role { kViewer, kOperator, kAdmin };
/// "viewer", "operator", "admin".
std::string_view RoleName(Role role);

/// One grant of `access:`: who gets a role, and for what.
struct AccessGrant {
  Role role = Role::kViewer;
  /// Whoever speaks in a channel of the configuration.
  bool everyone = false;
  /// Ids of Discord users, of Discord roles, of Mattermost users.
  std::vector<std::string> discord;
  std::vector<std::string> discord_roles;
  std::vector<std::string> mattermost;
  /// Names or globs of the only services it is for; empty = all.
  std::vector<std::string> services;
  /// Ids of the only channels it holds in; empty = all.
  std::vector<std::string> channels;
  bool operator==(const AccessGrant&) const = default;
};

/// `access:`.
struct AccessConfig {
  std::vector<AccessGrant> grants;
  bool operator==(const AccessConfig&) const = default;
};

/// Limits of `log_max_size`.
inline constexpr std::uint64_t kMinLogSize = std::uint64_t{64} << 10U;
inline constexpr std::uint64_t kMaxLogSize = std::uint64_t{1} << 40U;

inline constexpr unsigned kMostParallelDeploys = 64;

/// config.yaml.
struct Config {
  /// Directory of the file; relative paths in it and in service files start here.
  std::string base_dir;
  std::string services_dir;
  std::string log_dir;
  std::string state_dir;
  /// YAML files of the user's own commands; empty = none.
  std::string commands_dir;
  /// What a command in a channel starts with.
  std::string prefix = "!";
  /// What all log files of one service may take up on disk, where its own file does not say.
  std::uint64_t log_max_size = std::uint64_t{64} << 20U;
  /// Deploys of different services that may run at the same time.
  unsigned max_parallel_deploys = 4;
  /// An end of the program that was asked for (TERM, INT, the console's end) stops the process services too.
  bool stop_on_exit = false;
  /// Absent: whoever speaks in a channel of the configuration is an operator.
  std::optional<AccessConfig> access;
  std::optional<DiscordConfig> discord;
  std::optional<MattermostConfig> mattermost;
  std::optional<WebhookConfig> webhook;
  std::optional<DashboardConfig> dashboard;
  bool operator==(const Config&) const = default;
};

/// What runs a service.
enum class ServiceKind {
  kProcess,  ///< `entrypoint` or `process.cmd`
  kSystemd,  ///< `service_name`, where the machine is not macOS
  kLaunchd,  ///< `service_name` on macOS
  kNone,     ///< `type: none`: only deploys and pulls
};

/// `limits:` of a service; what is not set stays as it is for us.
struct ResourceLimits {
  std::optional<std::uint64_t> open_files;
  /// Bytes, of all processes of the service together.
  std::optional<std::uint64_t> memory;
  std::optional<std::uint64_t> processes;
  /// Largest core dump, in bytes.
  std::optional<std::uint64_t> core;
  bool operator==(const ResourceLimits&) const = default;
};

/// `health:` of a service: how to see that it works, not only that it runs.
struct HealthConfig {
  enum class Kind { kHttp, kTcp, kExec };
  enum class OnUnhealthy { kReport, kRestart };
  Kind kind = Kind::kHttp;
  /// kHttp: an http or https URL, and the status expected of it; 0 = any from 200 to 299.
  std::string url;
  unsigned status = 0;
  /// kTcp.
  std::string host;
  std::uint16_t port = 0;
  /// kExec: the program and its arguments; exit status 0 is healthy.
  std::vector<std::string> exec;
  std::chrono::milliseconds interval{std::chrono::seconds(10)};
  /// Of one probe.
  std::chrono::milliseconds timeout{std::chrono::seconds(2)};
  /// After a start: probes may fail, and must have succeeded once by its end.
  std::chrono::milliseconds start_period{std::chrono::seconds(30)};
  /// This many failures in a row make a service unhealthy.
  unsigned threshold = 3;
  OnUnhealthy on_unhealthy = OnUnhealthy::kReport;
  bool operator==(const HealthConfig&) const = default;
};

/// `restart:`, for process services: after which ends a process is started again.
enum class RestartWhen { kAlways, kOnFailure, kNo };

/// `backoff:`. The wait before the first new start, and what it grows to and by with every further crash.
struct BackoffConfig {
  std::chrono::milliseconds initial{std::chrono::seconds(1)};
  std::chrono::milliseconds max{std::chrono::seconds(60)};
  double factor = 2;
  bool operator==(const BackoffConfig&) const = default;
};

/// `start_limit:`. This many crashes within the window, and the service is left to a person.
struct StartLimitConfig {
  /// 0 = no limit.
  unsigned count = 5;
  std::chrono::milliseconds window{std::chrono::seconds(60)};
  bool operator==(const StartLimitConfig&) const = default;
};

/// `confirm:` of a service: which deploys a person must confirm first.
enum class Confirm {
  kNever,
  kWebhook,  ///< those that a push began
  kAlways,
};

/// `schedule:` and `timezone:` of a service.
struct ScheduleConfig {
  CronSchedule when;
  /// "" = the machine's.
  std::string zone;
  bool operator==(const ScheduleConfig&) const = default;
};

/// services/<name>.yaml.
struct ServiceConfig {
  /// File name without extension: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`, without "..".
  std::string name;
  ServiceKind kind = ServiceKind::kNone;
  std::string branch;
  std::string repo;
  /// Patterns of tags that deploy, `!` before one that does not; empty = none.
  std::vector<std::string> tags;
  /// Patterns of files, from the top of the repository: a push that touches none of them does not deploy. Empty = all.
  std::vector<std::string> paths;
  /// Working directory of the process, of deploy steps and of `pull`; empty when the file has none: then the process
  /// runs in base_dir, and deploys and pulls are refused.
  std::string dir;
  std::vector<std::string> entrypoint;
  std::string process_cmd;
  std::vector<std::string> deploy;
  std::string service_name;
  bool user_service = false;
  bool sudo = false;
  bool require_confirmation = false;
  std::optional<Confirm> confirm;
  /// `confirm_by: other`: whoever asked for the deploy, or pushed, cannot confirm it.
  bool confirm_by_other = false;
  /// The only persons who can confirm, as "platform:id"; empty = whoever may use the command.
  std::vector<std::string> approvers;
  /// How long a deploy waits for its confirmation.
  std::chrono::milliseconds confirm_ttl{std::chrono::minutes(10)};
  bool self_deploy = false;
  std::optional<bool> adopt;
  /// `env:` and the variables of `env_file:`, added to what the service inherits.
  std::map<std::string, std::string> env;
  /// Whom the process runs as, by name or number; "" = as we do.
  std::string user;
  std::string group;
  std::optional<unsigned> umask;
  std::optional<int> nice;
  std::optional<int> oom_score_adj;
  ResourceLimits limits;
  /// `stop_signal:`, a name such as TERM or SIGINT; as its number.
  int stop_signal = 15;
  std::chrono::milliseconds stop_timeout{std::chrono::seconds(5)};
  /// Limit of one deploy, all steps together.
  std::chrono::milliseconds deploy_timeout{std::chrono::minutes(30)};
  /// Of one step, and how long it may print nothing.
  std::chrono::milliseconds step_timeout{std::chrono::minutes(20)};
  std::chrono::milliseconds step_idle_timeout{std::chrono::minutes(10)};
  /// Steps that bring back the commit in SHIPMATE_COMMIT.
  std::vector<std::string> rollback;
  /// They run by themselves when a deploy fails.
  bool auto_rollback = false;
  /// `log_max_size:`; nullopt = as config.yaml says.
  std::optional<std::uint64_t> log_max_size;
  std::optional<HealthConfig> health;
  /// Services that come first when several are started; stopped in the reverse order.
  std::vector<std::string> after;
  /// Likewise, and a start of this one starts them, and fails without them.
  std::vector<std::string> requires_services;

  BackoffConfig backoff;
  StartLimitConfig start_limit;
  /// A process that ends sooner has not been started.
  std::chrono::milliseconds min_uptime{std::chrono::seconds(1)};
  /// Ends that are no failure; 128 + n stands for signal n too.
  std::vector<int> success_exit_codes{0, 143};
  /// Started at these times, and not when Shipmate starts.
  std::optional<ScheduleConfig> schedule;
  RestartWhen restart = RestartWhen::kAlways;
  /// False: not started when Shipmate starts.
  bool autostart = true;

  Confirm Confirmation() const { return confirm.value_or(require_confirmation ? Confirm::kWebhook : Confirm::kNever); }
  bool ShouldAdopt() const { return adopt.value_or(true); }
  bool operator==(const ServiceConfig&) const = default;
  /// True when what runs by this also runs by `other`: nothing has to be restarted for `other` to come into force.
  /// Deploy steps, repository, limits and switches that only guide Shipmate itself do not count.
  bool RunsAlike(const ServiceConfig& other) const;
};

/// The secrets: `.env`, and the process's environment for each key the file lacks.
struct Env {
  base::Secret discord_token;
  base::Secret mattermost_token;
  /// Each may hold several secrets with commas between, so that one can take the place of another.
  base::Secret github_webhook_secret;
  base::Secret gitlab_webhook_secret;
  base::Secret gitea_webhook_secret;
  base::Secret generic_webhook_secret;
  bool operator==(const Env&) const = default;
};

/// Environment variables that no child process may see.
const std::vector<std::string>& SecretNames();

/// One argument of a chat command.
struct ArgumentSpec {
  enum class Kind {
    kService,   ///< one service name
    kServices,  ///< one or more names or globs
    kVerb,      ///< the name of a command
    kNumber,    ///< a positive decimal number
    kWord,      ///< one word
    kRest,      ///< every word left, as it is
  };
  std::string name;
  Kind kind = Kind::kWord;
  bool required = true;
  /// Of kWord: the only words taken; empty = any.
  std::vector<std::string> choices = {};
  bool operator==(const ArgumentSpec&) const = default;
};

/// One flag of a chat command: `--grep text` or `--grep=text`. It may stand anywhere behind the command's name.
struct FlagSpec {
  enum class Kind {
    kSwitch,    ///< takes no value
    kText,      ///< any text
    kNumber,    ///< a positive decimal number
    kDuration,  ///< 500ms, 5s, 10m, 2h, 1d
    kCount,     ///< a positive decimal number, or nothing for 1
  };
  std::string name;   ///< long name, without the hyphens
  std::string brief;  ///< one letter, for `-n`; empty = none
  Kind kind = Kind::kSwitch;
  /// The argument that it stands for: `-n 50` for a second argument `50`; empty = none.
  std::string argument;
  std::string help;
  bool operator==(const FlagSpec&) const = default;

  /// "-n <n>", "--grep <text>", "--previous [n]", "-f".
  std::string Usage() const;
};

/// The program that a command of the user's own runs.
struct RunSpec {
  enum class Output {
    kFence,  ///< as a block of code
    kPlain,  ///< as text
    kFile,   ///< as a file, where the platform takes files
  };
  /// The program and its arguments, with `{name}` where an argument of the command goes.
  std::vector<std::string> argv;
  std::string dir;
  std::map<std::string, std::string> env;
  std::chrono::milliseconds timeout{std::chrono::seconds(30)};
  /// Nothing runs before the person who asked has said yes.
  bool confirm = false;
  Output output = Output::kFence;
  bool operator==(const RunSpec&) const = default;
};

/// One file of bot-commands/, or of the user's `commands_dir`.
struct CommandSpec {
  std::string name;  ///< `[a-z][a-z0-9-]*`
  std::vector<std::string> aliases;
  std::vector<ArgumentSpec> arguments;
  std::vector<FlagSpec> flags;
  std::string help;  ///< one line, no final full stop
  Role role = Role::kViewer;
  /// True when it may take longer than a second.
  bool slow = false;
  /// Where it is offered: "chat", "console".
  std::vector<std::string> places;
  /// Absent: a handler of ours performs it.
  std::optional<RunSpec> run;
  /// Where its name and each alias stand, as "file:line:column", for problems.
  std::vector<std::string> name_places = {};
  bool operator==(const CommandSpec&) const = default;

  /// "restart <service>...": the name, its arguments and flags, optional ones in brackets.
  std::string Usage() const;
};

}  // namespace shipmate::config
