#pragma once

// Bridge: the whole chat floor over a manager with real processes, as the app puts it together, for tests that speak
// and listen.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/access.h"
#include "chat/chat_notifier.h"
#include "chat/custom_commands.h"
#include "chat/hub.h"
#include "chat/outbox.h"
#include "chat/render.h"
#include "fakes/fake_frontend.h"
#include "gate/deploy_gate.h"
#include "gate/store.h"
#include "history/audit.h"
#include "history/deploys.h"
#include "history/schema.h"
#include "unit/service/machine.h"

namespace shipmate::tests {

inline std::vector<config::ChannelConfig> TwoChannels() {
  std::vector<config::ChannelConfig> channels(2);
  channels[0].id = "ops";
  channels[1].id = "other";
  return channels;
}

/// Whether commands are recorded; each then needs a message id of its own.
enum class Recording { kOff, kOn };

inline config::AccessConfig AliceIsAdmin() {
  config::AccessGrant grant;
  grant.role = config::Role::kAdmin;
  grant.discord = {"42"};
  return {.grants = {grant}};
}

class Bridge {
 public:
  /// Alice (42) is an admin where `access` does not say otherwise.
  explicit Bridge(std::vector<config::ServiceConfig> services,
                  std::vector<config::ChannelConfig> channels = TwoChannels(),
                  std::optional<config::AccessConfig> access = AliceIsAdmin(), Recording recording = Recording::kOff,
                  chat::Abilities abilities = {})
      : frontend("discord", std::move(channels)),
        outbox(machine.loop.get_executor()),
        notifier(outbox, machine.clock, "!"),
        verbs(chat::Verbs::BuiltIn()),
        access(std::move(access)),
        custom({"BASE=base", "PATH=/usr/local/bin:/usr/bin:/bin"}, machine.clock, "!") {
    frontend.abilities = abilities;
    machine.Start(std::move(services));
    machine.manager->SetNotifier(notifier);
    gate = std::make_unique<gate::DeployGate>(gate::GateSetup{.executor = machine.loop.get_executor(),
                                                              .manager = *machine.manager,
                                                              .notifier = notifier,
                                                              .clock = machine.clock,
                                                              .store = *gate::GateStore::Open(":memory:"),
                                                              .max_parallel = 4});
    REQUIRE(gate->Start().has_value());
    if (recording == Recording::kOn) {
      database = std::move(*store::Database::Open(machine.dir / "history.db", history::Migrations()));
      audit = std::make_unique<history::Audit>(*database, machine.clock, nullptr);
      deploys = std::make_unique<history::Deploys>(*database, machine.clock, nullptr);
    }
    MakeHub();
    outbox.Add(frontend);
  }
  /// Adds commands of the user's own, whose programs get BASE=base.
  void Custom(std::vector<config::CommandSpec> specs) { verbs.SetCustom(std::move(specs)); }
  Task<chat::ReloadOutcome> Reload() {
    auto services = co_await machine.manager->Reload();
    if (!services) co_return std::unexpected(std::move(services.error()));
    co_return chat::Reloaded{.services = *std::move(services)};
  }
  /// The hub anew, as after a restart.
  void MakeHub() {
    dispatcher = std::make_unique<chat::Dispatcher>(chat::Desk{.manager = *machine.manager,
                                                               .gate = *gate,
                                                               .verbs = verbs,
                                                               .access = access,
                                                               .clock = machine.clock,
                                                               .prefix = "!",
                                                               .frontends = [this] { return health; },
                                                               .custom = &custom,
                                                               .reload = [this] { return Reload(); },
                                                               .audit = audit.get(),
                                                               .unrecorded = "",
                                                               .deploys = deploys.get()});
    hub = std::make_unique<chat::Hub>(machine.loop.get_executor(), *dispatcher, outbox, "!");
  }
  ~Bridge() {
    machine.Run(hub->Close(std::chrono::seconds(20)));
    machine.Run(gate->Close());
    machine.Run(machine.manager->Stop());
    // The hub's, the dispatcher's and the gate's manager goes after them.
    hub.reset();
    dispatcher.reset();
    gate.reset();
    machine.StopManager();
    machine.Run(outbox.Close(std::chrono::seconds(20)));
  }
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  static chat::Incoming By(std::string text, std::string channel = "ops") {
    chat::Incoming incoming;
    incoming.actor = {.platform = "discord", .id = "42", .name = "alice"};
    incoming.channel = std::move(channel);
    incoming.message_id = "m1";
    incoming.text = std::move(text);
    return incoming;
  }
  /// The rendered answer to what somebody says; "" for none.
  std::string Hear(chat::Incoming incoming) {
    const auto answer = machine.Run(hub->Ask(std::move(incoming)));
    return answer ? chat::Render(*answer, frontend.dialect) : "";
  }
  /// The rendered answer to `text`, spoken by Alice in `channel`; "" for none.
  std::string Say(std::string text, std::string channel = "ops") {
    chat::Incoming incoming = By(std::move(text), std::move(channel));
    incoming.message_id = "said-" + std::to_string(++said);
    return Hear(std::move(incoming));
  }
  /// Waits until something posted contains `part`.
  bool Hears(const std::string& part) {
    return machine.Until([&] {
      for (const chat::Outgoing& sent : frontend.sent) {
        if (sent.text.contains(part)) return true;
      }
      return false;
    });
  }
  /// What was posted in `channel` so far.
  std::vector<std::string> Posted(const std::string& channel) const {
    std::vector<std::string> texts;
    for (const chat::Outgoing& sent : frontend.sent) {
      if (sent.channel == channel) texts.push_back(sent.text);
    }
    return texts;
  }

  Machine machine;
  FakeFrontend frontend;
  chat::Outbox outbox;
  chat::ChatNotifier notifier;
  chat::Verbs verbs;
  const chat::Access access;
  chat::CustomCommands custom;
  std::vector<std::pair<std::string, chat::Health>> health;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<history::Audit> audit;
  std::unique_ptr<history::Deploys> deploys;
  int said = 0;
  std::unique_ptr<gate::DeployGate> gate;
  std::unique_ptr<chat::Dispatcher> dispatcher;
  std::unique_ptr<chat::Hub> hub;
};

}  // namespace shipmate::tests
