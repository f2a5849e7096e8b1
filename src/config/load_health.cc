#include "config/load_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace shipmate::config {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  unsigned port = 0;
  constexpr unsigned kHighest = 65535;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > kHighest) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

bool HasBlank(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7F; });
}

// A name, an IPv4 address, or an IPv6 address without its brackets.
bool IsHost(std::string_view text) {
  if (text.empty() || HasBlank(text)) return false;
  return text.find_first_of("/?#@[]\\") == std::string_view::npos;
}

struct HostPort {
  std::string host;
  std::optional<std::uint16_t> port;
};

// "host", "host:port", "[address]:port".
std::optional<HostPort> ParseHostPort(std::string_view text) {
  HostPort parsed;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    parsed.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    parsed.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!IsHost(parsed.host)) return std::nullopt;
  if (port.empty()) return parsed;
  if (port[0] != ':') return std::nullopt;
  parsed.port = ParsePort(port.substr(1));
  if (!parsed.port) return std::nullopt;
  return parsed;
}

bool IsHttpUrl(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme) || HasBlank(url)) continue;
    const std::string_view rest = url.substr(scheme.size());
    return rest.find('#') == std::string_view::npos &&
           ParseHostPort(rest.substr(0, rest.find_first_of("/?"))).has_value();
  }
  return false;
}

void ReadTarget(Fields& fields, HealthConfig& health) {
  const Node* http = fields.Find("http");
  const Node* tcp = fields.Find("tcp");
  const Node* exec = fields.Find("exec");
  const Node* second = http != nullptr && tcp != nullptr ? tcp : exec;
  if (http == nullptr && tcp == nullptr && exec == nullptr) {
    fields.report().Problem(fields.mark(), "health: needs one of http, tcp and exec");
  } else if ((http != nullptr ? 1 : 0) + (tcp != nullptr ? 1 : 0) + (exec != nullptr ? 1 : 0) > 1) {
    fields.report().Problem(second->key_mark, "health: takes one of http, tcp and exec; remove the others");
  }
  if (const auto url = fields.Text("http")) {
    health.kind = HealthConfig::Kind::kHttp;
    health.url = url->text;
    if (!IsHttpUrl(url->text)) {
      fields.Problem("http", url->mark,
                     fmt::format("expected a URL such as http://127.0.0.1:8080/health, found {}", Shown(url->text)));
    }
  }
  if (const auto address = fields.Text("tcp")) {
    health.kind = HealthConfig::Kind::kTcp;
    const auto parsed = ParseHostPort(address->text);
    if (!parsed || !parsed->port) {
      fields.Problem("tcp", address->mark,
                     fmt::format("expected host:port such as 127.0.0.1:5432, found {}", Shown(address->text)));
    } else {
      health.host = parsed->host;
      health.port = *parsed->port;
    }
  }
  if (exec != nullptr) {
    health.kind = HealthConfig::Kind::kExec;
    for (Placed& word : fields.Texts("exec")) health.exec.push_back(std::move(word.text));
    if (exec->kind == Node::Kind::kList && (health.exec.empty() || health.exec[0].empty())) {
      fields.Problem("exec", exec->mark, "the program is empty");
    }
  }
}

void ReadPolicy(Fields& fields, HealthConfig& health) {
  const auto policy = fields.Text("on_unhealthy");
  if (!policy) return;
  if (policy->text == "restart") {
    health.on_unhealthy = HealthConfig::OnUnhealthy::kRestart;
  } else if (policy->text != "report") {
    fields.Problem("on_unhealthy", policy->mark,
                   fmt::format("expected \"report\" or \"restart\", found {}", Shown(policy->text)));
  }
}

}  // namespace

HealthConfig ReadHealth(Fields& fields) {
  constexpr unsigned kLowestStatus = 100;
  constexpr unsigned kHighestStatus = 599;
  constexpr unsigned kMostFailures = 100;
  HealthConfig health;
  ReadTarget(fields, health);
  if (const auto status = fields.Number("status", kLowestStatus, kHighestStatus)) {
    health.status = static_cast<unsigned>(*status);
    if (const Node* node = fields.Find("status"); fields.Find("http") == nullptr) {
      fields.Problem("status", node->key_mark, "is for http alone");
    }
  }
  health.interval = fields.Duration("interval", seconds(1), hours(1)).value_or(health.interval);
  health.timeout = fields.Duration("timeout", milliseconds(10), seconds(60)).value_or(health.timeout);
  health.start_period = fields.Duration("start_period", seconds(1), hours(1)).value_or(health.start_period);
  health.threshold = static_cast<unsigned>(fields.Number("threshold", 1, kMostFailures).value_or(health.threshold));
  ReadPolicy(fields, health);
  fields.Finish();
  return health;
}

}  // namespace shipmate::config
