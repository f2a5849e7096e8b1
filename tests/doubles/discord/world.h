#pragma once

// A Discord of our own for tests: what its gateway and its REST side share. It enforces the rules that the real one is
// documented to enforce, and makes faults on demand. It is proved against discord.js and @discordjs/ws before anything
// is tested against it.

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace shipmate::doubles::discord {

namespace json = boost::json;
using SteadyTime = std::chrono::steady_clock::time_point;

/// What a test may set; see control.cc for the names.
struct Settings {
  std::string token = "test-token";
  std::string application_id = "1100000000000000001";
  std::string bot_id = "1100000000000000001";
  std::string guild_id = "330000000000000003";
  std::vector<std::string> channels = {"440000000000000004", "440000000000000005"};
  std::chrono::milliseconds heartbeat_interval{41250};
  bool message_content_allowed = true;
  /// Seconds between two IDENTIFYs (max_concurrency 1); a faster one is answered with op 9.
  std::chrono::milliseconds identify_interval{5000};
  int identifies_left = 1000;
  /// Of the messages route, per channel.
  int bucket_limit = 5;
  std::chrono::milliseconds bucket_window{5000};
  /// Events kept for a session's resume.
  std::size_t replay_limit = 100;
  std::chrono::milliseconds interaction_limit{3000};
  /// How long the nonces of messages are known.
  std::chrono::milliseconds nonce_window{std::chrono::minutes(5)};
};

/// Faults asked for, each consumed when met unless it says otherwise.
struct Faults {
  bool mute_acks = false;   ///< until switched off: heartbeats are not acknowledged
  bool mute_hello = false;  ///< until switched off
  std::deque<std::uint16_t> close_on_identify;
  std::deque<json::value> answer_resume;  ///< bool: op 9 with that value; number: close code
  struct Rest {
    std::string path_contains;
    unsigned status = 500;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    int times = 1;
    bool after_acting = false;  ///< do what was asked, then answer with the fault (or, at status 0, cut the connection)
    std::chrono::milliseconds delay{0};
  };
  std::vector<Rest> rest;
};

/// One gateway session, which outlives its sockets.
struct Session {
  std::string id;
  std::uint64_t sequence = 0;
  std::uint64_t intents = 0;
  std::deque<std::pair<std::uint64_t, json::object>> replay;
  /// Sends one payload on the current socket; empty while detached.
  std::function<void(const json::object&)> send;
  /// Which connection `send` belongs to.
  const void* attached = nullptr;
  bool valid = true;
};

struct Message {
  std::string id;
  std::string channel;
  json::object body;
  std::string author_id;
  std::string nonce;
  SteadyTime created;
};

/// The state of the whole double. Used from one thread.
class World {
 public:
  Settings settings;
  Faults faults;
  std::string public_host;  ///< "127.0.0.1:port"
  bool secure = true;

  std::map<std::string, std::shared_ptr<Session>> sessions;
  std::vector<Message> messages;
  /// Everything that clients did, in order, for tests to read: {"kind": "rest"|"frame"|"open"|"close", ...}.
  json::array trace;
  std::optional<SteadyTime> last_identify;
  std::map<std::string, std::deque<SteadyTime>> buckets;
  struct Interaction {
    std::string id;
    std::string token;
    SteadyTime created;
    bool answered = false;
    std::string channel;
    std::string original_id;
  };
  std::map<std::string, Interaction> interactions;  ///< by token
  json::array commands;
  /// Installed by the gateway: cuts or closes every socket.
  std::function<void()> cut_sockets;
  std::function<void(std::uint16_t)> close_sockets;
  std::function<void(const json::object&)> send_raw;

  /// An id of now, or of `ago` before, as Discord makes them: the time from 2015 on in its upper bits.
  std::string NextId(std::chrono::seconds ago = {});
  json::object BotUser() const;
  static json::object PersonUser(const std::string& id, const std::string& name);
  /// Gives the event to every session whose intents want it, on its current socket, and keeps it for a resume.
  void Dispatch(const std::string& type, const json::object& data);
  /// A message in a channel, as an event to all; content is blanked for sessions without the privileged intent, as
  /// Discord does.
  json::object MakeMessage(const std::string& channel, const json::object& author, const std::string& content,
                           std::chrono::seconds ago = {});
  void Trace(json::object entry);
  std::string GatewayUrl() const { return (secure ? "wss://" : "ws://") + public_host; }

 private:
  std::uint64_t ids_ = 0;
};

}  // namespace shipmate::doubles::discord
