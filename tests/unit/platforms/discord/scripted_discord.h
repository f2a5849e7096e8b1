#pragma once

// ScriptedDiscord: a small local server that plays one side of a talk with Discord: REST answers in order, and one
// script for each gateway connection. It enforces nothing; it records what it was sent.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/task.h"
#include "net/http_server.h"
#include "net/websocket.h"

namespace shipmate::tests {

/// One step of a gateway connection.
struct Step {
  enum class Kind {
    kSay,     ///< send `text`
    kAwait,   ///< read until a message of opcode `number` came
    kClose,   ///< close with code `number`
    kCut,     ///< reset the connection
    kListen,  ///< read until the other side closes
  };
  Kind kind = Kind::kListen;
  std::string text;
  int number = 0;
};
Step Say(std::string text);
Step Await(int opcode);
Step CloseWith(int code);
Step Cut();
Step Listen();

class ScriptedDiscord {
 public:
  explicit ScriptedDiscord(boost::asio::io_context& loop);
  ~ScriptedDiscord();
  ScriptedDiscord(const ScriptedDiscord&) = delete;
  ScriptedDiscord& operator=(const ScriptedDiscord&) = delete;

  std::string ApiUrl() const;
  std::string GatewayUrl() const;
  /// HELLO with this interval, what READY says with our own resume URL.
  std::string Hello(int interval_ms) const;
  std::string Ready(int sequence) const;

  /// The scripts of the connections, in order; later connections only listen.
  std::vector<std::vector<Step>> scripts;
  /// Answers to POST and PATCH, in order; then 200. Reads of the application and the gateway's address are always
  /// answered.
  std::vector<net::HttpResponse> posts;
  /// Answers to reads of a channel's messages, in order; then 404.
  std::vector<net::HttpResponse> reads;
  std::int64_t application_flags = 1LL << 19;
  unsigned gateway_status = 200;

  // ---- What was seen ----
  std::vector<net::HttpRequest> requests;
  std::vector<std::chrono::steady_clock::time_point> post_times;
  std::vector<std::string> gateway_targets;
  /// Each text message, with the number of its connection before it: "1 {...}".
  std::vector<std::string> heard;
  /// Close codes that the other side sent, by connection; 0 for a drop.
  std::vector<std::pair<int, int>> closes;

  /// Runs the loop until `condition` holds; false when the test's limit ran out first.
  bool Until(const std::function<bool()>& condition);
  std::size_t Posts() const;

 private:
  Task<net::HttpResponse> Answer(net::HttpRequest request);
  Task<void> Talk(net::HttpRequest request, std::shared_ptr<net::WebSocket> socket);

  std::size_t next_read_ = 0;
  boost::asio::io_context& loop_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace shipmate::tests
