#include "net/inflate.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace shipmate;
using namespace shipmate::net;

namespace {

std::string Noise(std::size_t size) {
  std::minstd_rand random(7);
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(random() >> 8);
  return text;
}

}  // namespace

TEST_CASE("messages of one stream are inflated in turn, with a context that lives on") {
  ZlibStreamDeflater deflater;
  ZlibStreamInflater inflater(1 << 20);
  const std::string hello = R"({"op":10,"d":{"heartbeat_interval":41250}})";
  const std::string first = deflater.Deflate(hello);
  const std::string second = deflater.Deflate(hello);
  CHECK(second.size() < first.size());
  CHECK(first.ends_with(std::string("\0\0\xff\xff", 4)));
  CHECK(inflater.Feed(first).value() == hello);
  CHECK(inflater.Feed(second).value() == hello);
  CHECK(inflater.Feed("").value() == std::nullopt);
  CHECK(inflater.Feed(deflater.Deflate("last")).value() == "last");
}

TEST_CASE("a message may be split between any two bytes, the flush marker included") {
  ZlibStreamDeflater deflater;
  // Noise is kept as stored blocks, whose bytes may look like anything.
  const std::vector<std::string> messages = {"a", std::string(3000, 'x'),
                                             Noise(500) + std::string("\0\0\xff\xff", 4) + Noise(50)};
  std::vector<std::string> frames;
  for (const std::string& message : messages) frames.push_back(deflater.Deflate(message));
  const std::size_t longest = frames.back().size();
  for (std::size_t split = 0; split <= longest; ++split) {
    CAPTURE(split);
    ZlibStreamInflater inflater(4096);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::size_t at = std::min(split, frames[i].size());
      const auto head = inflater.Feed(std::string_view(frames[i]).substr(0, at)).value();
      if (at == frames[i].size()) {
        REQUIRE(head == messages[i]);
        continue;
      }
      REQUIRE(head == std::nullopt);
      REQUIRE(inflater.Feed(std::string_view(frames[i]).substr(at)).value() == messages[i]);
    }
  }
}

TEST_CASE("a message may come byte by byte") {
  ZlibStreamDeflater deflater;
  ZlibStreamInflater inflater(1 << 20);
  const std::string message = Noise(200000);
  const std::string frame = deflater.Deflate(message);
  for (std::size_t i = 0; i + 1 < frame.size(); ++i) {
    REQUIRE(inflater.Feed(std::string_view(frame).substr(i, 1)).value() == std::nullopt);
  }
  CHECK(inflater.Feed(std::string_view(frame).substr(frame.size() - 1)).value() == message);
}

TEST_CASE("a message of exactly the limit passes, one byte more ends the stream") {
  const auto feed = [](std::size_t size) {
    ZlibStreamDeflater deflater;
    ZlibStreamInflater inflater(100000);
    return inflater.Feed(deflater.Deflate(std::string(size, 'b'))).has_value();
  };
  CHECK(feed(100000));
  CHECK_FALSE(feed(100001));

  ZlibStreamDeflater deflater;
  ZlibStreamInflater inflater(100000);
  const std::string bomb = deflater.Deflate(std::string(50'000'000, '\0'));
  REQUIRE(bomb.size() < 100000);
  const auto result = inflater.Feed(bomb);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::kTooLarge);
  CHECK(result.error().what == "inflating the zlib stream: a message is larger than 100000 bytes");
  CHECK(inflater.Feed(deflater.Deflate("x")).error().code == Errc::kTooLarge);
}

TEST_CASE("a broken stream is a protocol error, and stays one") {
  ZlibStreamDeflater deflater;
  ZlibStreamInflater inflater(1 << 20);
  CHECK(inflater.Feed(deflater.Deflate("fine")).value() == "fine");
  const auto result = inflater.Feed(std::string("\x07\x00\x00\xff\xff", 5));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::kProtocol);
  CHECK(result.error().what.starts_with("inflating the zlib stream: "));
  CHECK_FALSE(inflater.Feed(deflater.Deflate("fine")).has_value());

  ZlibStreamInflater not_zlib(1 << 20);
  CHECK(not_zlib.Feed(R"({"op":10})").error().code == Errc::kProtocol);
}
