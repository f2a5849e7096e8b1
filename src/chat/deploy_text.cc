#include "chat/deploy_text.h"

#include <fmt/format.h>

#include "chat/clean.h"

namespace shipmate::chat {

namespace {

using service::DeployNews;

constexpr std::size_t kLongestPart = 100;
constexpr std::size_t kLongestWhy = 300;

std::string Part(const std::string& text) {
  return Shorten(text, kLongestPart);
}

// " of api (abc1234)"
void AddWhich(Text& text, const std::string& name, const DeployNews& news) {
  text.Plain(" of ").Bold(name);
  constexpr std::size_t kShortCommit = 7;
  if (!news.commit.empty()) text.Plain(" (" + Part(news.commit.substr(0, kShortCommit)) + ")");
}

std::string Because(const std::string& why) {
  return why.empty() ? "." : ": " + Shorten(why, kLongestWhy) + ".";
}

void AddWhere(Text& text, const DeployNews& news) {
  if (news.step == 0) return;
  text.Plain(fmt::format(" at step {} of {}, ", news.step, news.steps)).Code(Part(news.step_text));
}

void AddWhom(Text& text, const std::string& name) {
  if (name.empty()) {
    text.Plain("all services");
  } else {
    text.Bold(name);
  }
}

}  // namespace

std::optional<Message> DeployNewsText(const std::string& name, const DeployNews& news, const std::string& prefix) {
  Message message;
  Text& text = message.headline;
  switch (news.kind) {
    case DeployNews::Kind::kProgress:
      // DeployProgress knows more.
      return std::nullopt;
    case DeployNews::Kind::kQueued:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" is queued" + Because(news.why));
      break;
    case DeployNews::Kind::kConfirmed:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" was confirmed by " + Part(news.actor) + ".");
      break;
    case DeployNews::Kind::kDeclined:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" was declined by " + Part(news.actor) + ".");
      break;
    case DeployNews::Kind::kExpired:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" was not confirmed in time: nothing was deployed. ");
      text.Code(prefix + "deploy " + name).Plain(" deploys what is there now.");
      break;
    case DeployNews::Kind::kRefused:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" did not begin" + Because(news.why));
      break;
    case DeployNews::Kind::kSuperseded:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" is off" + Because(news.why));
      break;
    case DeployNews::Kind::kHeld:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" is held back" + Because(news.why));
      break;
    case DeployNews::Kind::kCancelled:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" was cancelled" + (news.actor.empty() ? "" : " by " + Part(news.actor)));
      AddWhere(text, news);
      text.Plain(".");
      break;
    case DeployNews::Kind::kInterrupted:
      AddWhich(text.Plain("Deploy"), name, news);
      text.Plain(" was interrupted");
      AddWhere(text, news);
      text.Plain(Because(news.why));
      break;
    case DeployNews::Kind::kFrozen:
      AddWhom(text.Plain("Deploys of "), name);
      text.Plain(" are frozen by " + Part(news.actor) + Because(news.why));
      break;
    case DeployNews::Kind::kUnfrozen:
      AddWhom(text.Plain("Deploys of "), name);
      text.Plain(" are no longer frozen" + Because(news.why));
      break;
  }
  return message;
}

}  // namespace shipmate::chat
