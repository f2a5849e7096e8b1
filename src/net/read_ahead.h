#pragma once

// ReadAhead: a stream that reads from the one below it as much as there is, and hands it on piece by piece. For a
// reader of small pieces, such as Beast's websocket, whose own buffer holds 1.5 KB, it saves most system calls.

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <utility>

namespace shipmate::net {

/// A model of Asio's AsyncReadStream and AsyncWriteStream. One read at a time; writes go straight through.
template <class NextLayer>
class ReadAhead {
 public:
  using next_layer_type = NextLayer;
  using executor_type = typename NextLayer::executor_type;

  explicit ReadAhead(NextLayer next) : next_(std::move(next)) {}

  // NOLINTBEGIN(readability-identifier-naming, cppcoreguidelines-missing-std-forward): the names of Asio's stream
  // requirements; and async_compose takes its token by reference.
  executor_type get_executor() { return next_.get_executor(); }
  NextLayer& next_layer() { return next_; }
  const NextLayer& next_layer() const { return next_; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
        ReadOperation<Buffers>{*this, buffers}, token, next_);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return next_.async_write_some(buffers, std::forward<Token>(token));
  }
  // NOLINTEND(readability-identifier-naming, cppcoreguidelines-missing-std-forward)

 private:
  static constexpr std::size_t kRoom = std::size_t{16} * 1024;

  template <class Buffers>
  struct ReadOperation {
    ReadAhead& stream;
    Buffers buffers;
    bool begun = false;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}, std::size_t count = 0) {
      if (!std::exchange(begun, true)) {
        if (stream.begin_ == stream.end_) {
          stream.next_.async_read_some(boost::asio::buffer(stream.room_), std::move(self));
        } else {
          boost::asio::post(stream.next_.get_executor(), std::move(self));
        }
        return;
      }
      if (count > 0) {
        stream.begin_ = 0;
        stream.end_ = count;
      }
      const std::size_t copied = boost::asio::buffer_copy(
          buffers, boost::asio::const_buffer(stream.room_.data() + stream.begin_, stream.end_ - stream.begin_));
      stream.begin_ += copied;
      self.complete(error, copied);
    }
  };

  NextLayer next_;
  std::array<char, kRoom> room_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace shipmate::net
