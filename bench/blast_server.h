#pragma once

// BlastServer: as much of Discord's gateway and REST API as one bot needs, over plain sockets of 127.0.0.1, written to
// cost little itself: frames are prepared, and written in big pieces. It serves one client that is on its gateway, one
// thing after the other, and blocks; it belongs into a process of its own. It checks nothing.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "os/unique_fd.h"

namespace shipmate::bench {

inline constexpr const char* kGuild = "330000000000000003";
inline constexpr const char* kChannel = "440000000000000004";
inline constexpr const char* kOtherChannel = "440000000000000005";
/// What the server says in kChannel before and after each measured run, and when all is over.
inline constexpr const char* kBegin = "begin";
inline constexpr const char* kEnd = "end";
inline constexpr const char* kOver = "over";

/// Order of the fields in a message event.
enum class FieldOrder {
  kChannelEarly,  ///< as the documentation lists them: the channel is the third
  kChannelLate,   ///< as servers tend to send them: the channel is behind the author's membership and the text
};

enum class Pace {
  kBursts,  ///< 40 commands a millisecond apart, once a second: the machine is awake
  kSteady,  ///< one every 22 ms: the machine goes to sleep before each, and caches belong to others by then
};

class BlastServer {
 public:
  BlastServer();
  BlastServer(const BlastServer&) = delete;
  BlastServer& operator=(const BlastServer&) = delete;

  std::uint16_t Port() const { return port_; }

  /// Waits for a client to identify. Throws std::runtime_error when none does within `seconds`.
  void WaitForIdentify(int seconds);
  /// `runs` times `count` messages in kOtherChannel, after an unmeasured fifth of one.
  void Blast(std::size_t count, std::size_t runs, FieldOrder order);
  /// Says `command` in kChannel `count` times, each time waiting for the post that answers it; microseconds from before
  /// the frame was written until the request was read. A few more come before, uncounted. At the given pace a client
  /// that keeps Discord's limit of 50 requests a second never waits for it.
  std::vector<double> Command(const std::string& command, std::size_t count, Pace pace);
  void Over() { Say(kOver); }
  /// Answers until the client is gone, at most `seconds`.
  void WaitForEnd(int seconds);

 private:
  struct Connection {
    os::UniqueFd fd;
    std::string input;
    bool upgraded = false;
  };

  /// One round of waiting for input, at most `milliseconds`.
  void Poll(int milliseconds);
  void Read(Connection& connection);
  bool TakeRequest(Connection& connection);
  bool TakeFrame(Connection& connection);
  void Answer(Connection& connection, const std::string& method, const std::string& target);
  void Say(const std::string& text);
  void Write(const std::string& bytes);

  os::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::vector<Connection> connections_;
  int gateway_ = -1;
  bool identified_ = false;
  std::size_t posts_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace shipmate::bench
