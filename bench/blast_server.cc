#include "bench/blast_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace shipmate::bench {

namespace {

using std::chrono::steady_clock;

// Ids and sequence numbers of one width, so that a frame can be patched in place.
constexpr std::uint64_t kFirstSequence = 100'000'000;
constexpr std::uint64_t kFirstId = 1'400'000'000'000'000'000;
constexpr std::size_t kSequenceWidth = 9;
constexpr std::size_t kIdWidth = 19;
constexpr std::size_t kPiece = 256 * 1024;
constexpr int kSteadyGap = 22;
constexpr int kBurstGap = 1;
constexpr std::size_t kBurst = 40;
constexpr int kBurstEvery = 1100;
constexpr int kAnswerLimit = 10'000;
constexpr std::size_t kWarmUpCommands = 20;

constexpr const char* kBot = "1100000000000000001";
constexpr const char* kPerson = R"({"id":"220000000000000002","username":"robin","discriminator":"0",)"
                                R"("global_name":"Robin","avatar":null,"public_flags":0})";
constexpr const char* kMember = R"({"nick":null,"avatar":null,"roles":["550000000000000005"],)"
                                R"("joined_at":"2024-03-04T05:06:07.000000+00:00","premium_since":null,"deaf":false,)"
                                R"("mute":false,"flags":0,"pending":false,"communication_disabled_until":null})";

[[noreturn]] void Throw(const char* what) {
  throw std::runtime_error(fmt::format("blast server: {}: {}", what, std::strerror(errno)));
}

std::string Frame(const std::string& text) {
  std::string frame = "\x81";  // FIN, text (RFC 6455 section 5.2)
  const std::size_t size = text.size();
  if (size < 126) {
    frame += static_cast<char>(size);
  } else if (size < 65536) {
    frame += static_cast<char>(126);
    for (const unsigned shift : {8U, 0U}) frame += static_cast<char>(size >> shift & 0xFFU);
  } else {
    frame += static_cast<char>(127);
    for (unsigned shift = 64; shift > 0; shift -= 8) frame += static_cast<char>(size >> (shift - 8) & 0xFFU);
  }
  return frame + text;
}

std::string Event(const std::string& type, std::uint64_t sequence, const std::string& data) {
  return fmt::format(R"({{"t":"{}","s":{},"op":0,"d":{}}})", type, sequence, data);
}

std::string MessageData(const std::string& id, const std::string& channel, const std::string& text, FieldOrder order) {
  const std::string base = fmt::format(
      R"("timestamp":"2026-03-04T05:06:07.123000+00:00","edited_timestamp":null,"tts":false,"mention_everyone":false,)"
      R"("mentions":[],"mention_roles":[],"attachments":[],"embeds":[],"pinned":false,"flags":0,"components":[],)"
      R"("member":{},"nonce":"{}","content":"{}")",
      kMember, id, text);
  const std::string place =
      fmt::format(R"("channel_id":"{}","author":{},"guild_id":"{}","channel_type":0)", channel, kPerson, kGuild);
  if (order == FieldOrder::kChannelEarly) return fmt::format(R"({{"id":"{}","type":0,{},{}}})", id, place, base);
  return fmt::format(R"({{"type":0,{},"id":"{}",{}}})", base, id, place);
}

// What discord.js wants to see of a server before it is ready.
std::string GuildData() {
  const auto channel = [](const char* id, const char* name, int position) {
    return fmt::format(R"({{"id":"{}","type":0,"name":"{}","position":{},"permission_overwrites":[],"parent_id":null,)"
                       R"("topic":null,"nsfw":false,"rate_limit_per_user":0,"last_message_id":null,"flags":0}})",
                       id, name, position);
  };
  const std::string everyone =
      fmt::format(R"({{"id":"{}","name":"@everyone","color":0,"hoist":false,"position":0,"permissions":"2147483647",)"
                  R"("managed":false,"mentionable":false,"flags":0,"icon":null,"unicode_emoji":null}})",
                  kGuild);
  return fmt::format(
      R"({{"id":"{}","name":"bench","icon":null,"owner_id":"220000000000000002","roles":[{}],"emojis":[],"features":[],)"
      R"("stickers":[],"large":false,"unavailable":false,"member_count":2,"voice_states":[],"presences":[],)"
      R"("stage_instances":[],"guild_scheduled_events":[],"soundboard_sounds":[],"threads":[],"members":[],)"
      R"("preferred_locale":"en-US","joined_at":"2024-03-04T05:06:07.000000+00:00","channels":[{},{}]}})",
      kGuild, everyone, channel(kChannel, "deploys", 0), channel(kOtherChannel, "talk", 1));
}

void Put(char* at, std::size_t width, std::uint64_t number) {
  for (std::size_t i = width; i > 0; --i, number /= 10) at[i - 1] = static_cast<char>('0' + number % 10);
}

// The value of header `name`, in any letter case; "" when there is none.
std::string HeaderOf(std::string_view head, std::string_view name) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  const std::string wanted = fmt::format("\r\n{}:", name);
  const auto found = std::search(head.begin(), head.end(), wanted.begin(), wanted.end(), same);
  if (found == head.end()) return "";
  std::string_view rest = head.substr(static_cast<std::size_t>(found - head.begin()) + wanted.size());
  rest = rest.substr(0, rest.find('\r'));
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return std::string(rest);
}

// RFC 6455 section 4.2.2, point 5.4.
std::string AcceptKey(const std::string& key) {
  const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
  return {encoded.begin(), encoded.begin() + length};
}

void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) Throw("writing");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

BlastServer::BlastServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (!listener_ || ::bind(listener_.Get(), plain, length) != 0 || ::listen(listener_.Get(), 16) != 0 ||
      ::getsockname(listener_.Get(), plain, &length) != 0) {
    Throw("listening");
  }
  port_ = ntohs(address.sin_port);
}

void BlastServer::Poll(int milliseconds) {
  std::vector<pollfd> waits;
  waits.push_back({.fd = listener_.Get(), .events = POLLIN, .revents = 0});
  for (const Connection& connection : connections_) {
    waits.push_back({.fd = connection.fd.Get(), .events = POLLIN, .revents = 0});
  }
  if (::poll(waits.data(), waits.size(), milliseconds) <= 0) return;
  for (std::size_t i = 1; i < waits.size(); ++i) {
    if (waits[i].revents != 0) Read(connections_[i - 1]);
  }
  std::erase_if(connections_, [](const Connection& connection) { return !connection.fd; });
  if (waits[0].revents != 0) {
    os::UniqueFd fd(::accept4(listener_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    const int on = 1;
    ::setsockopt(fd.Get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.push_back({.fd = std::move(fd), .input = {}, .upgraded = false});
  }
}

void BlastServer::Read(Connection& connection) {
  std::array<char, 16384> buffer{};
  const ssize_t count = ::read(connection.fd.Get(), buffer.data(), buffer.size());
  if (count <= 0) {
    if (connection.fd.Get() == gateway_) gateway_ = -1;
    connection.fd.Reset();
    return;
  }
  connection.input.append(buffer.data(), static_cast<std::size_t>(count));
  while (connection.upgraded ? TakeFrame(connection) : TakeRequest(connection)) {
  }
}

bool BlastServer::TakeRequest(Connection& connection) {
  const std::size_t end = connection.input.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = connection.input.substr(0, end + 2);
  const std::string length = HeaderOf(head, "content-length");
  std::size_t body = 0;
  std::from_chars(length.data(), length.data() + length.size(), body);
  if (connection.input.size() < end + 4 + body) return false;
  connection.input.erase(0, end + 4 + body);

  const std::size_t first = head.find(' ');
  const std::string target = head.substr(first + 1, head.find(' ', first + 1) - first - 1);
  if (const std::string key = HeaderOf(head, "sec-websocket-key"); !key.empty()) {
    WriteAll(connection.fd.Get(),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: " +
                 AcceptKey(key) + "\r\n\r\n");
    connection.upgraded = true;
    gateway_ = connection.fd.Get();
    // So long that no heartbeat falls into a run.
    Write(Frame(R"({"t":null,"s":null,"op":10,"d":{"heartbeat_interval":600000}})"));
    return true;
  }
  Answer(connection, head.substr(0, first), target);
  return true;
}

void BlastServer::Answer(Connection& connection, const std::string& method, const std::string& target) {
  std::string body;
  if (target.ends_with("/gateway/bot")) {
    body = fmt::format(R"({{"url":"ws://127.0.0.1:{}","shards":1,"session_start_limit":{{"total":1000,"remaining":999,)"
                       R"("reset_after":1000,"max_concurrency":1}}}})",
                       port_);
  } else if (target.ends_with("/applications/@me")) {
    body = fmt::format(R"({{"id":"{}","name":"bench","flags":524288}})", kBot);
  } else if (method == "POST") {
    ++posts_;
    body = MessageData(std::to_string(kFirstId + ++next_), kChannel, "answer", FieldOrder::kChannelLate);
  }
  const std::string status = body.empty() ? "404 Not Found" : "200 OK";
  if (body.empty()) body = R"({"message":"404: Not Found","code":0})";
  WriteAll(connection.fd.Get(),
           fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
                       "X-RateLimit-Limit: 100000\r\nX-RateLimit-Remaining: 99999\r\nX-RateLimit-Reset-After: 1\r\n"
                       "X-RateLimit-Bucket: bench\r\nVia: 1.1 bench\r\n\r\n{}",
                       status, body.size(), body));
}

bool BlastServer::TakeFrame(Connection& connection) {
  // A client's frames are masked and short (RFC 6455 section 5.2).
  std::string& input = connection.input;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(input[at]); };
  if (input.size() < 2) return false;
  std::size_t size = byte(1) & 0x7FU;
  std::size_t head = 2;
  if (size == 126) {
    if (input.size() < 4) return false;
    size = static_cast<std::size_t>(byte(2)) << 8 | byte(3);
    head = 4;
  }
  if (input.size() < head + 4 + size) return false;
  std::string text = input.substr(head + 4, size);
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>(byte(head + i % 4) ^ static_cast<unsigned char>(text[i]));
  const unsigned opcode = byte(0) & 0x0FU;
  input.erase(0, head + 4 + size);

  if (opcode == 8) {
    gateway_ = -1;
    connection.fd.Reset();
    return false;
  }
  if (text.find(R"("op":1,)") != std::string::npos) Write(Frame(R"({"t":null,"s":null,"op":11,"d":null})"));
  if (text.find(R"("op":2,)") != std::string::npos) {
    const std::string ready =
        fmt::format(R"({{"v":10,"user":{{"id":"{}","username":"bench","discriminator":"0","avatar":null,"bot":true}},)"
                    R"("guilds":[{{"id":"{}","unavailable":true}}],"session_id":"bench","shard":[0,1],)"
                    R"("resume_gateway_url":"ws://127.0.0.1:{}","application":{{"id":"{}","flags":524288}}}})",
                    kBot, kGuild, port_, kBot);
    Write(Frame(Event("READY", ++next_ + kFirstSequence, ready)));
    Write(Frame(Event("GUILD_CREATE", ++next_ + kFirstSequence, GuildData())));
    identified_ = true;
  }
  return true;
}

void BlastServer::Write(const std::string& bytes) {
  WriteAll(gateway_, bytes);
}

void BlastServer::Say(const std::string& text) {
  ++next_;
  Write(Frame(Event("MESSAGE_CREATE", next_ + kFirstSequence,
                    MessageData(std::to_string(kFirstId + next_), kChannel, text, FieldOrder::kChannelLate))));
}

void BlastServer::WaitForIdentify(int seconds) {
  const auto end = steady_clock::now() + std::chrono::seconds(seconds);
  while (!identified_) {
    if (steady_clock::now() > end) throw std::runtime_error("blast server: no client came");
    Poll(100);
  }
}

void BlastServer::Blast(std::size_t count, std::size_t runs, FieldOrder order) {
  const std::string id(kIdWidth, '#');
  std::string event = Event("MESSAGE_CREATE", kFirstSequence,
                            MessageData(id, kOtherChannel,
                                        "the parser is green again on every branch, the numbers are in the thread; "
                                        "thanks to all who looked at it over the weekend",
                                        order));
  std::string frame = Frame(event);
  const std::size_t sequence = frame.find(std::to_string(kFirstSequence));
  const std::size_t first = frame.find(id);
  const std::size_t second = frame.find(id, first + 1);
  const std::size_t in_piece = kPiece / frame.size();
  std::string piece;
  const auto send = [&](std::size_t left) {
    while (left > 0) {
      const std::size_t some = std::min(left, in_piece);
      piece.clear();
      for (std::size_t i = 0; i < some; ++i) {
        ++next_;
        Put(&frame[sequence], kSequenceWidth, kFirstSequence + next_);
        Put(&frame[first], kIdWidth, kFirstId + next_);
        Put(&frame[second], kIdWidth, kFirstId + next_);
        piece += frame;
      }
      Write(piece);
      left -= some;
    }
  };
  send(count / 5);
  for (std::size_t run = 0; run < runs; ++run) {
    Say(kBegin);
    send(count);
    Say(kEnd);
  }
}

std::vector<double> BlastServer::Command(const std::string& command, std::size_t count, Pace pace) {
  std::vector<double> times;
  auto burst = steady_clock::now();
  for (std::size_t i = 0; i < count + kWarmUpCommands; ++i) {
    auto next = steady_clock::now() + std::chrono::milliseconds(pace == Pace::kSteady ? kSteadyGap : kBurstGap);
    if (pace == Pace::kBursts && i % kBurst == 0) {
      next = std::max(next, burst);
      burst = next + std::chrono::milliseconds(kBurstEvery);
    }
    for (auto now = steady_clock::now(); now < next; now = steady_clock::now()) {
      Poll(static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count()));
    }
    const std::size_t before = posts_;
    const auto begin = steady_clock::now();
    Say(command);
    // What is answered within Poll is part of the time: it is little, and cannot make the figure better.
    while (posts_ == before) {
      if (steady_clock::now() - begin > std::chrono::milliseconds(kAnswerLimit)) {
        throw std::runtime_error("blast server: a command was not answered");
      }
      Poll(kAnswerLimit);
    }
    const std::chrono::duration<double, std::micro> took = steady_clock::now() - begin;
    if (i >= kWarmUpCommands) times.push_back(took.count());
  }
  return times;
}

void BlastServer::WaitForEnd(int seconds) {
  const auto end = steady_clock::now() + std::chrono::seconds(seconds);
  while (gateway_ != -1 && steady_clock::now() < end) Poll(100);
}

}  // namespace shipmate::bench
