#pragma once

// A frontend without a platform: it keeps what is sent, in order, and sends as the test lets it.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/latch.h"
#include "chat/frontend.h"

namespace shipmate::tests {

/// Writes nothing but the text: `**` around bold, backticks around code, `text (url)` for links.
class FakeDialect final : public chat::Dialect {
 public:
  std::size_t MessageLimit() const override { return limit; }
  std::string Escape(std::string_view text) const override { return std::string(text); }
  std::string Bold(std::string_view text) const override { return "**" + std::string(text) + "**"; }
  std::string Code(std::string_view text) const override { return "`" + std::string(text) + "`"; }
  std::string Link(std::string_view text, std::string_view url) const override {
    return std::string(text) + " (" + std::string(url) + ")";
  }
  std::string EscapeForBlock(std::string_view text) const override { return std::string(text); }
  std::string Fence(std::string_view escaped) const override { return "```\n" + std::string(escaped) + "\n```"; }

  std::size_t limit = 2000;
};

class FakeFrontend final : public chat::Frontend {
 public:
  FakeFrontend(std::string name, std::vector<config::ChannelConfig> channels)
      : name_(std::move(name)), channels_(std::move(channels)) {}
  /// One channel, "c1".
  explicit FakeFrontend(std::string name)
      : FakeFrontend(std::move(name), {{.id = "c1", .services = {}, .notices = {}}}) {}

  std::string Name() const override { return name_; }
  const chat::Dialect& GetDialect() const override { return dialect; }
  const std::vector<config::ChannelConfig>& Channels() const override { return channels_; }
  Task<Result<void>> Run(chat::Inbox&) override { co_return Result<void>(); }
  Task<void> Ready() override {
    if (held_ready_) co_await held_ready_->Wait();
  }
  chat::Abilities GetAbilities() const override { return abilities; }
  Task<Result<chat::Posted>> Send(chat::Outgoing outgoing) override {
    if (held_sends_) co_await held_sends_->Wait();
    sent.push_back(std::move(outgoing));
    if (on_send) {
      if (const auto done = on_send(sent.back()); !done) co_return Fail(done.error());
    }
    if (held_acknowledgements_) co_await held_acknowledgements_->Wait();
    co_return chat::Posted{.id = id_of ? id_of(sent.back()) : "p" + std::to_string(sent.size())};
  }
  Task<Result<void>> Edit(chat::Revision revision) override {
    edits.push_back(std::move(revision));
    if (on_edit) co_return on_edit(edits.back());
    co_return Result<void>();
  }
  Task<Result<std::optional<chat::Posted>>> FindOwn(chat::Doubt doubt) override {
    doubts.push_back(std::move(doubt));
    if (on_find) co_return on_find(doubts.back());
    co_return std::optional<chat::Posted>();
  }
  chat::Health GetHealth() const override { return health; }

  /// From now on Ready waits for the event returned.
  async::Event& HoldReady(const Executor& executor) {
    held_ready_ = std::make_unique<async::Event>(executor);
    return *held_ready_;
  }
  /// From now on Send waits for the event returned.
  async::Event& HoldSends(const Executor& executor) {
    held_sends_ = std::make_unique<async::Event>(executor);
    return *held_sends_;
  }
  /// From now on a Send that is done says so only after the event returned.
  async::Event& HoldAcknowledgements(const Executor& executor) {
    held_acknowledgements_ = std::make_unique<async::Event>(executor);
    return *held_acknowledgements_;
  }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const chat::Outgoing& outgoing : sent) texts.push_back(outgoing.text);
    return texts;
  }
  std::vector<std::string> TextsIn(const std::string& channel) const {
    std::vector<std::string> texts;
    for (const chat::Outgoing& outgoing : sent) {
      if (outgoing.channel == channel) texts.push_back(outgoing.text);
    }
    return texts;
  }

  std::vector<chat::Outgoing> sent;
  /// The outcome of a Send; success when empty.
  std::function<Result<void>(const chat::Outgoing&)> on_send;
  /// The id of what was posted; "p" and its number when empty.
  std::function<std::string(const chat::Outgoing&)> id_of;
  std::vector<chat::Revision> edits;
  /// The outcome of an Edit; success when empty.
  std::function<Result<void>(const chat::Revision&)> on_edit;
  std::vector<chat::Doubt> doubts;
  /// The outcome of a FindOwn; not found when empty.
  std::function<Result<std::optional<chat::Posted>>(const chat::Doubt&)> on_find;
  chat::Abilities abilities;
  chat::Health health{chat::Connection::kReady, ""};
  FakeDialect dialect;

 private:
  std::unique_ptr<async::Event> held_ready_;
  std::unique_ptr<async::Event> held_sends_;
  std::unique_ptr<async::Event> held_acknowledgements_;
  std::string name_;
  std::vector<config::ChannelConfig> channels_;
};

}  // namespace shipmate::tests
