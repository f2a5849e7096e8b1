#pragma once

#include "async/task.h"
#include "doubles/discord/world.h"
#include "net/http_types.h"

namespace shipmate::doubles::discord {

/// The REST side (Discord, API v10): gateway addresses, who am I, messages, interaction answers, commands; with its
/// rate limits, validation and the duplicates rule of `enforce_nonce`.
class Rest {
 public:
  Rest(Executor executor, World& world) : executor_(std::move(executor)), world_(world) {}

  /// Answers one request. nullopt = cut the connection without an answer (a fault asked for it).
  Task<std::optional<net::HttpResponse>> Handle(net::HttpRequest request);

 private:
  net::HttpResponse Route(const net::HttpRequest& request, const std::string& path);
  net::HttpResponse CreateMessage(const std::string& channel, const net::HttpRequest& request);
  net::HttpResponse EditMessage(const std::string& channel, const std::string& id, const net::HttpRequest& request);
  net::HttpResponse ListMessages(const std::string& channel, const std::string& query);
  net::HttpResponse AnswerInteraction(const std::string& id, const std::string& token, const net::HttpRequest& request);
  net::HttpResponse InteractionWebhook(const std::string& token, const std::string& message,
                                       const net::HttpRequest& request);

  Executor executor_;
  World& world_;
};

}  // namespace shipmate::doubles::discord
