#include "net/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace shipmate::net {

namespace {

constexpr std::size_t kStep = 64 * 1024;
// A buffer that one huge message left behind is given back above this size.
constexpr std::size_t kKeptCapacity = 1024 * 1024;
constexpr std::uint32_t kFlushMarker = 0x0000FFFF;
constexpr std::uint32_t kNoMarker = 0xFFFFFFFF;
// zlib's inflate sets this bit of data_type when it stands between two blocks (zlib.h, inflate, Z_BLOCK).
constexpr int kBetweenBlocks = 128;

Bytef* Bytes(const char* data) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(data));
}

}  // namespace

struct ZlibStreamInflater::State {
  explicit State(std::size_t message_limit) : limit(message_limit) {
    if (inflateInit(&stream) != Z_OK) std::abort();  // only for want of memory
  }
  ~State() { inflateEnd(&stream); }

  const std::size_t limit;
  z_stream stream{};
  std::string message;
  std::array<char, kStep> step;
  std::uint32_t last_four = kNoMarker;
  bool complete = false;
  std::optional<Error> broken;
};

ZlibStreamInflater::ZlibStreamInflater(std::size_t message_limit) : state_(std::make_unique<State>(message_limit)) {}
ZlibStreamInflater::~ZlibStreamInflater() = default;

Result<std::optional<std::string_view>> ZlibStreamInflater::Feed(std::string_view frame) {
  State& state = *state_;
  const auto fail = [&state](Errc code, std::string what) {
    state.broken = Error{code, std::move(what)};
    return Fail(*state.broken);
  };
  if (state.broken) return Fail(*state.broken);
  if (std::exchange(state.complete, false)) {
    state.message.clear();
    if (state.message.capacity() > kKeptCapacity) std::string().swap(state.message);
  }
  if (frame.size() > std::numeric_limits<uInt>::max()) {
    return fail(Errc::kTooLarge, "inflating the zlib stream: a frame is larger than 4 GiB");
  }

  state.stream.next_in = Bytes(frame.data());
  state.stream.avail_in = static_cast<uInt>(frame.size());
  // zlib may hold back output until it is called with room for it, so a full step is always followed by another call.
  bool more_output = !frame.empty();
  while (more_output) {
    state.stream.next_out = Bytes(state.step.data());
    state.stream.avail_out = static_cast<uInt>(kStep);
    const int code = inflate(&state.stream, Z_SYNC_FLUSH);
    if (code != Z_OK && code != Z_BUF_ERROR) {
      const char* reason = state.stream.msg;
      if (reason == nullptr) reason = code == Z_STREAM_END ? "the other side ended it" : "broken data";
      return fail(Errc::kProtocol, fmt::format("inflating the zlib stream: {}", reason));
    }
    const std::size_t produced = kStep - state.stream.avail_out;
    if (produced > state.limit - state.message.size()) {
      return fail(Errc::kTooLarge,
                  fmt::format("inflating the zlib stream: a message is larger than {} bytes", state.limit));
    }
    state.message.append(state.step.data(), produced);
    more_output = state.stream.avail_out == 0;
  }

  const std::string_view tail = frame.substr(frame.size() - std::min<std::size_t>(frame.size(), 4));
  for (const char byte : tail) state.last_four = state.last_four << 8 | static_cast<unsigned char>(byte);
  // The marker's bytes may also stand inside a stored block, at whose middle a frame may end.
  if (state.last_four != kFlushMarker || (state.stream.data_type & kBetweenBlocks) == 0) return std::nullopt;
  state.complete = true;
  state.last_four = kNoMarker;
  return std::string_view(state.message);
}

struct ZlibStreamDeflater::State {
  State() {
    if (deflateInit(&stream, Z_DEFAULT_COMPRESSION) != Z_OK) std::abort();  // only for want of memory
  }
  ~State() { deflateEnd(&stream); }
  z_stream stream{};
  std::array<char, kStep> step;
};

ZlibStreamDeflater::ZlibStreamDeflater() : state_(std::make_unique<State>()) {}
ZlibStreamDeflater::~ZlibStreamDeflater() = default;

std::string ZlibStreamDeflater::Deflate(std::string_view message) {
  State& state = *state_;
  std::string out;
  do {
    const std::size_t taken = std::min<std::size_t>(message.size(), std::size_t{1} << 30);
    state.stream.next_in = Bytes(message.data());
    state.stream.avail_in = static_cast<uInt>(taken);
    message.remove_prefix(taken);
    const int flush = message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
      state.stream.next_out = Bytes(state.step.data());
      state.stream.avail_out = static_cast<uInt>(kStep);
      deflate(&state.stream, flush);
      out.append(state.step.data(), kStep - state.stream.avail_out);
    } while (state.stream.avail_out == 0);
  } while (!message.empty());
  return out;
}

}  // namespace shipmate::net
