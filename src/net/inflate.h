#pragma once

// Discord's zlib-stream transport: one inflate context for a connection's life; a message is complete when its bytes
// end with 00 00 FF FF, however many frames it took (Discord, Gateway, "Transport Compression").

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shipmate::net {

class ZlibStreamInflater {
 public:
  explicit ZlibStreamInflater(std::size_t message_limit);
  ~ZlibStreamInflater();
  ZlibStreamInflater(const ZlibStreamInflater&) = delete;
  ZlibStreamInflater& operator=(const ZlibStreamInflater&) = delete;

  /// Adds one frame; gives the inflated message when it completed one. kProtocol for a broken stream, kTooLarge above
  /// the limit; the stream cannot be used after either. The view is valid until the next call.
  Result<std::optional<std::string_view>> Feed(std::string_view frame);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The other direction, for test doubles and tests: each Deflate ends with 00 00 FF FF.
class ZlibStreamDeflater {
 public:
  ZlibStreamDeflater();
  ~ZlibStreamDeflater();
  ZlibStreamDeflater(const ZlibStreamDeflater&) = delete;
  ZlibStreamDeflater& operator=(const ZlibStreamDeflater&) = delete;
  std::string Deflate(std::string_view message);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shipmate::net
