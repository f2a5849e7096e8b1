#pragma once

// Receiver: the HTTP side of the webhooks. `POST /webhook/<forge>` is verified over the body as it came, before
// anything of it is read; then read, judged, and answered with what was decided for each service and why. Deciding is
// somebody else's, given as a function that returns at once: no answer waits for a deploy or for a chat server.
//
// An endpoint without a usable secret does not exist. What was refused is logged, but no more often than once a second.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "config/config.h"
#include "net/http_types.h"
#include "webhook/forge.h"

namespace shipmate::webhook {

/// What became of a push for one service.
struct Decision {
  std::string service;
  std::string decision;  ///< "queued", "ignored", "refused", ...
  std::string why;
  /// Worth a line in the log: anything but "ignored".
  bool acted = true;
};

class Receiver {
 public:
  /// The decisions about a push for every service of its repository, sorted; empty when there is none. An error means
  /// that nothing was decided, and the forge should send it again.
  using Decide = std::function<Result<std::vector<Decision>>(const Push& push)>;

  /// `clock` outlives it. Says in `notes`, for the log at the start, which endpoints there are, and why others are not.
  Receiver(const config::Env& env, Decide decide, const base::Clock& clock, std::vector<std::string>& notes);

  /// Whether there is any endpoint.
  bool Open() const { return !endpoints_.empty(); }
  /// The answer to a request that needs no body to be refused.
  std::optional<net::HttpResponse> Refuse(const net::HttpRequest& head) const;
  net::HttpResponse Answer(net::HttpRequest request);
  /// The same, as HttpServer asks.
  Task<net::HttpResponse> Handle(net::HttpRequest request);

 private:
  struct Endpoint {
    std::unique_ptr<Forge> forge;
    Secrets secrets;
  };

  void AddEndpoint(std::unique_ptr<Forge> forge, const base::Secret& secret, std::string_view variable,
                   std::vector<std::string>& notes);
  net::HttpResponse AnswerPush(const Forge& forge, net::HttpRequest request);
  /// Logs why a request was turned away.
  void Refused(std::string_view forge, std::string_view why);

  const Decide decide_;
  const base::Clock& clock_;
  std::map<std::string, Endpoint, std::less<>> endpoints_;
  PayloadReader payload_;
  base::SteadyTime next_log_{};
  std::size_t unlogged_ = 0;
};

}  // namespace shipmate::webhook
