#include "net/url.h"

#include <doctest/doctest.h>

#include <string>

using namespace shipmate;
using namespace shipmate::net;

TEST_CASE("good URLs") {
  struct Row {
    std::string text, scheme, host;
    int port;
    std::string target, authority;
  };
  const Row rows[] = {
      {"https://discord.com/api/v10", "https", "discord.com", 443, "/api/v10", "discord.com"},
      {"wss://gateway.discord.gg/?v=10&encoding=json", "wss", "gateway.discord.gg", 443, "/?v=10&encoding=json",
       "gateway.discord.gg"},
      {"HTTP://LocalHost:8065", "http", "localhost", 8065, "/", "localhost:8065"},
      {"ws://127.0.0.1:80/x", "ws", "127.0.0.1", 80, "/x", "127.0.0.1"},
      {"http://example.org:443/", "http", "example.org", 443, "/", "example.org:443"},
      {"https://[::1]:8443/a?b", "https", "::1", 8443, "/a?b", "[::1]:8443"},
      {"https://[2001:DB8::1]", "https", "2001:db8::1", 443, "/", "[2001:db8::1]"},
      {"https://host?x=1", "https", "host", 443, "/?x=1", "host"},
      {"https://host:/", "https", "host", 443, "/", "host"},
      {"http://a_b.example/%7Euser/@me", "http", "a_b.example", 80, "/%7Euser/@me", "a_b.example"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto url = ParseUrl(row.text);
    REQUIRE(url.has_value());
    CHECK(url->scheme == row.scheme);
    CHECK(url->host == row.host);
    CHECK(url->port == row.port);
    CHECK(url->target == row.target);
    CHECK(url->Authority() == row.authority);
    CHECK(url->Secure() == (row.scheme == "https" || row.scheme == "wss"));
    CHECK(ParseUrl(url->ToString()).value() == *url);
  }
}

TEST_CASE("bad URLs are refused, and the error names them") {
  for (const std::string text : {"",
                                 "discord.com",
                                 "//discord.com",
                                 "://x",
                                 "ftp://x/",
                                 "mailto:a@b",
                                 "https://",
                                 "https:///path",
                                 "http://:80/",
                                 "http://host:0/",
                                 "http://host:65536/",
                                 "http://host:99999999999999999999/",
                                 "http://host:8o/",
                                 "http://host:-1/",
                                 "http://host:+1/",
                                 "http://ho st/",
                                 "http://host/a b",
                                 "http://host/\r\nX: y",
                                 "http://h\xc3\xb6st/",
                                 "http://host/\xc3\xb6",
                                 "http://[::1/",
                                 "http://[localhost]/",
                                 "http://[::1]x/",
                                 "http://::1/",
                                 "http://.host/",
                                 "http://a..b/",
                                 "http://host/#part",
                                 "http://host#part",
                                 "http://h%41st/",
                                 "http://host\\@evil/"}) {
    CAPTURE(text);
    const auto url = ParseUrl(text);
    REQUIRE_FALSE(url.has_value());
    CHECK(url.error().code == Errc::kInvalid);
    CHECK(url.error().what.find('\n') == std::string::npos);
  }
  CHECK(ParseUrl("ftp://x/").error().what == "URL \"ftp://x/\": the scheme must be http, https, ws or wss");
}

TEST_CASE("a password in a URL is refused without being shown") {
  const auto url = ParseUrl("https://bob:hunter2@example.org/x");
  REQUIRE_FALSE(url.has_value());
  CHECK(url.error().what.find("hunter2") == std::string::npos);
  CHECK(url.error().what.find("example.org") != std::string::npos);
}

TEST_CASE("percent-encoding") {
  CHECK(PercentEncode("AZaz09-._~") == "AZaz09-._~");
  CHECK(PercentEncode("a b/c?\xc3\xa9%\n") == "a%20b%2Fc%3F%C3%A9%25%0A");
  CHECK(PercentDecode("a%20b%2fc%3F%C3%A9%25+").value() == "a b/c?\xc3\xa9%+");
  CHECK(PercentDecode("").value().empty());
  for (const std::string broken : {"%", "%4", "%4g", "abc%", "%%41", "% 1", "%-1"}) {
    CAPTURE(broken);
    CHECK(PercentDecode(broken).error().code == Errc::kInvalid);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(PercentDecode(PercentEncode(all)).value() == all);
}
