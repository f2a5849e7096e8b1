#include "config/load_webhook.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "config/names.h"

namespace shipmate::config {

namespace {

constexpr unsigned kMaxPort = std::numeric_limits<std::uint16_t>::max();
constexpr std::string_view kListenHint = "expected address:port such as 127.0.0.1:8087";

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > kMaxPort) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

// "address:port" or "[address]:port"; whether the address is one is found out by listening on it.
bool ParseListen(std::string_view text, WebhookConfig& webhook) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const auto port = ParsePort(text.substr(colon + 1));
  std::string_view address = text.substr(0, colon);
  const bool brackets = address.starts_with('[') && address.ends_with(']');
  if (brackets) address = address.substr(1, address.size() - 2);
  // Without brackets the colons of an IPv6 address could not be told from the port's.
  if (!port || address.empty() || address.contains(':') != brackets) return false;
  if (address.find_first_not_of("0123456789abcdefABCDEF.:") != std::string_view::npos && address != "localhost") {
    return false;
  }
  webhook.address = address == "localhost" ? WebhookConfig().address : std::string(address);
  webhook.port = *port;
  return true;
}

void ReadAddress(Fields& fields, WebhookConfig& webhook) {
  const auto listen = fields.Text("listen");
  const Node* port = fields.Find("port");
  if (const auto number = fields.Number("port", 1, kMaxPort)) {
    webhook.port = static_cast<std::uint16_t>(*number);
    webhook.port_alone = true;
  }
  if (fields.Find("listen") == nullptr) {
    if (port == nullptr) fields.Problem("listen", fields.mark(), fmt::format("is missing; {}", kListenHint));
    return;
  }
  if (port != nullptr) fields.Problem("port", port->key_mark, "cannot stand beside listen; remove one of them");
  webhook.port_alone = false;
  if (listen && !ParseListen(listen->text, webhook)) {
    fields.Problem(
        "listen", listen->mark,
        fmt::format("{} (a numeric address, an IPv6 one in brackets), found {}", kListenHint, Shown(listen->text)));
  }
}

std::string ReadFile(Fields& fields, std::string_view key, const std::string& base) {
  const auto path = fields.Text(key);
  if (!path) return "";
  if (path->text.empty()) fields.Problem(key, path->mark, "is empty");
  if (path->text.starts_with('~')) fields.Problem(key, path->mark, "\"~\" is not expanded; write the whole path");
  return ResolvePath(base, path->text);
}

}  // namespace

std::optional<WebhookConfig> ReadWebhook(Fields& root, const std::string& base) {
  auto fields = root.Section("webhook");
  if (!fields) return std::nullopt;
  WebhookConfig webhook;
  ReadAddress(*fields, webhook);
  webhook.tls_cert = ReadFile(*fields, "tls_cert", base);
  webhook.tls_key = ReadFile(*fields, "tls_key", base);
  const Node* cert = fields->Find("tls_cert");
  const Node* key = fields->Find("tls_key");
  if ((cert == nullptr) != (key == nullptr)) {
    const Node* given = cert != nullptr ? cert : key;
    fields->Problem(cert != nullptr ? "tls_cert" : "tls_key", given->key_mark,
                    "needs its other half: tls_cert and tls_key go together");
  }
  fields->Finish();
  return webhook;
}

}  // namespace shipmate::config
