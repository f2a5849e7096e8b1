#pragma once

// Prober: asks one service whether it works: by HTTP, by a TCP connection or by a program. Each probe has the limit of
// the settings, keeps nothing open behind it, and follows no redirect.

#include <memory>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "config/config.h"

namespace shipmate::net {
class HttpClient;
}

namespace shipmate::service {

struct ProberOptions {
  config::HealthConfig health;
  /// For programs: working directory, and the whole environment.
  std::string dir;
  std::vector<std::string> environment;
};

class Prober {
 public:
  Prober(Executor executor, ProberOptions options);
  /// REQUIRES: no probe is under way.
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// The error says why it does not work: "HTTP status 503, expected 200 to 299". One at a time.
  Task<Result<void>> Probe();

 private:
  Task<Result<void>> ProbeHttp();
  Task<Result<void>> ProbeExec();

  Executor executor_;
  ProberOptions options_;
  /// Made at the first probe: for https it reads the certificates of the system.
  std::unique_ptr<net::HttpClient> client_;
  std::string target_;
};

}  // namespace shipmate::service
