#include "app/status_line.h"

#include <fmt/format.h>

namespace shipmate::app {

std::string StatusLineOf(std::size_t running, std::size_t total,
                         const std::vector<std::pair<std::string, chat::Health>>& frontends) {
  std::string line = fmt::format("{} of {} services run", running, total);
  for (const auto& [name, health] : frontends) {
    const char* word = "off";
    if (health.connection == chat::Connection::kReady) word = "connected";
    if (health.connection == chat::Connection::kConnecting) word = "connecting";
    if (health.connection == chat::Connection::kFailed) word = "failed";
    line += fmt::format("; {} {}", name, word);
  }
  return line;
}

std::string WhatGoesOn(const std::vector<service::ServiceView>& views) {
  std::string running;
  std::size_t count = 0;
  for (const auto& view : views) {
    if (view.kind != config::ServiceKind::kProcess || view.pid == 0) continue;
    ++count;
    running += fmt::format("{}{} (pid {})", running.empty() ? "" : ", ", view.name, view.pid);
  }
  if (count == 0) return "Shipmate ended. No service process is running.";
  return fmt::format("Shipmate ended. {} go{} on running: {}. The next start takes {} over.",
                     count == 1 ? "1 service" : fmt::format("{} services", count), count == 1 ? "es" : "", running,
                     count == 1 ? "it" : "them");
}

}  // namespace shipmate::app
