#include "platforms/discord/close_codes.h"

#include <fmt/format.h>

namespace shipmate::platforms::discord {

namespace {

using std::chrono::seconds;

CloseMeaning Stop(std::string text) {
  return {.next = NextStep::kStop, .text = std::move(text)};
}

}  // namespace

std::string MessageContentHelp() {
  return "Discord does not let this bot read messages: its Message Content intent is off (close code 4014). To turn it "
         "on, open https://discord.com/developers/applications, choose the application, then Bot, then Privileged "
         "Gateway Intents, switch MESSAGE CONTENT INTENT on, save, and restart Shipmate. To do without it, set "
         "message_content: false under discord: in config.yaml; then the bot reads only messages that mention it";
}

std::string TokenHelp() {
  return "Discord rejected the bot token (close code 4004 or status 401): it is wrong, or Discord has reset it, as it "
         "does after a leak or after 1000 connections in a day. Make a new one at "
         "https://discord.com/developers/applications, under Bot, Reset Token, put it into .env as DISCORD_TOKEN, and "
         "restart Shipmate";
}

CloseMeaning MeaningOfClose(std::optional<std::uint16_t> code, unsigned intents) {
  if (!code) return {.next = NextStep::kResume, .text = "the connection was lost"};
  switch (*code) {
    case 1000:
    case 1001:
      return {.next = NextStep::kResume, .text = fmt::format("Discord is restarting the connection ({})", *code)};
    case 4000:
      return {.next = NextStep::kResume, .text = "Discord met an unknown error (4000)"};
    case 4001:
      return {
          .next = NextStep::kResume, .text = "Discord did not know an opcode we sent (4001)", .payload_refused = true};
    case 4002:
      return {.next = NextStep::kResume,
              .text = "Discord could not decode a payload we sent (4002)",
              .payload_refused = true};
    case 4003:
      return {.next = NextStep::kIdentify, .text = "Discord has ended the session (4003)"};
    case 4004:
      return {.next = NextStep::kStop, .text = TokenHelp(), .error = Errc::kAuth};
    case 4005:
      return {.next = NextStep::kIdentify, .text = "Discord saw a second identify on one connection (4005)"};
    case 4007:
      return {.next = NextStep::kIdentify, .text = "Discord did not accept our sequence number (4007)"};
    case 4008:
      return {.next = NextStep::kResumeOnce, .wait = seconds(5), .text = "we sent to Discord too fast (4008)"};
    case 4009:
      return {.next = NextStep::kResumeOnce, .text = "the Discord session timed out (4009)"};
    case 4010:
      return Stop(
          "Discord refused the shard number (close code 4010). Shipmate uses no shards, so this is a fault in "
          "Shipmate or in a proxy before Discord: please report it");
    case 4011:
      return Stop(
          "Discord demands sharding (close code 4011): the bot is in too many servers for one connection. Remove "
          "it from servers it does not serve, or use a separate application for Shipmate, then restart");
    case 4012:
      return Stop(
          "Discord no longer accepts the gateway version that Shipmate speaks (close code 4012): install a newer "
          "Shipmate");
    case 4013:
      return Stop(
          fmt::format("Discord does not know the intents value {} that Shipmate asked for (close code 4013): "
                      "this is a fault in Shipmate, please report it",
                      intents));
    case 4014:
      return Stop(MessageContentHelp());
    default:
      return {.next = NextStep::kResume, .text = fmt::format("the connection was closed with code {}", *code)};
  }
}

}  // namespace shipmate::platforms::discord
