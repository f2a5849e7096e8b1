#include "app/webhook_server.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/tls.h"

namespace shipmate::app {

namespace {

constexpr std::string_view kLoopback = "127.";

bool HasSecret(const config::Env& env) {
  return !env.github_webhook_secret.Empty() || !env.gitlab_webhook_secret.Empty() ||
         !env.gitea_webhook_secret.Empty() || !env.generic_webhook_secret.Empty();
}

std::string Where(const config::WebhookConfig& webhook) {
  const bool v6 = webhook.address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", webhook.address, v6 ? "]" : "", webhook.port);
}

}  // namespace

Result<std::unique_ptr<WebhookServer>> WebhookServer::Listen(const Executor& executor, const config::Config& config,
                                                             const config::Env& env, const base::Clock& clock) {
  if (!config.webhook) {
    if (HasSecret(env)) {
      LogWarn("a secret for webhooks is set but config.yaml has no `webhook:` section: webhooks are off");
    }
    return nullptr;
  }
  std::unique_ptr<WebhookServer> made(new WebhookServer());
  std::vector<std::string> notes;
  const auto decide = [self = made.get()](const webhook::Push& push) { return self->desk_->Decide(push); };
  made->receiver_ = std::make_unique<webhook::Receiver>(env, decide, clock, notes);
  for (const std::string& note : notes) LogInfo("webhook: " + note);
  if (!made->receiver_->Open()) {
    LogWarn("config.yaml has a `webhook:` section but no secret is set: webhooks are off");
    return nullptr;
  }
  const config::WebhookConfig& section = *config.webhook;
  net::HttpServerOptions options;
  options.address = section.address;
  options.port = section.port;
  if (!section.tls_cert.empty()) {
    auto tls = net::TlsContext::Server(section.tls_cert, section.tls_key);
    if (!tls) return Fail(tls.error().code, "webhook: " + tls.error().what);
    options.tls = *std::move(tls);
  }
  auto server = net::HttpServer::Listen(executor, std::move(options));
  if (!server) return Fail(server.error().code, "webhook: " + server.error().what);
  made->server_ = *std::move(server);
  LogInfo(fmt::format("webhook: listening on {}", Where(section)));
  if (section.port_alone) {
    LogWarn(
        fmt::format("webhook: `port` listens on this machine alone, where mezzaops listened on every address; write "
                    "`listen: 0.0.0.0:{}` for that",
                    section.port));
  } else if (!section.address.starts_with(kLoopback) && section.address != "::1" && section.tls_cert.empty()) {
    LogWarn("webhook: listens beyond this machine without TLS: what a push tells can be read on its way");
  }
  return made;
}

void WebhookServer::Serve(async::TaskGroup& background, const service::Manager& manager, gate::DeployGate& gate) {
  desk_ = std::make_unique<webhook::Desk>(manager, gate);
  server_->OnHead([this](const net::HttpRequest& head) { return receiver_->Refuse(head); });
  server_->OnRequest([this](net::HttpRequest request) { return receiver_->Handle(std::move(request)); });
  background.Spawn("webhook", server_->Run());
}

Task<void> WebhookServer::Shutdown(std::chrono::milliseconds limit) {
  return server_->Shutdown(limit);
}

}  // namespace shipmate::app
