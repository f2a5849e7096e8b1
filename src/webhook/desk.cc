#include "webhook/desk.h"

#include <string>
#include <string_view>
#include <utility>

#include "net/hmac.h"
#include "webhook/push_rules.h"

namespace shipmate::webhook {

namespace {

// Equal for a delivery that is sent again, and for no other.
std::string Fingerprint(const Push& push) {
  std::string body = net::Sha256Hex(push.signed_body);
  if (!push.bodies_repeat || push.delivery_id.empty()) return body;
  return net::Sha256Hex(push.delivery_id + "." + body);
}

}  // namespace

Result<std::vector<Decision>> Desk::Decide(const Push& push) {
  gate::PushRequest request;
  bool deploys = false;
  manager_.ForEachConfig([&](const config::ServiceConfig& service) {
    auto ruling = Judge(push, service);
    if (!ruling) return;
    deploys = deploys || ruling->deploys;
    request.targets.push_back({.service = service.name, .ignored = std::move(ruling->why)});
  });
  std::vector<Decision> decisions;
  if (request.targets.empty()) return decisions;
  request.forge = push.forge;
  request.delivery_id = push.delivery_id;
  // What nothing comes of needs no memory of its bytes.
  if (deploys) request.body_sha256 = Fingerprint(push);
  request.info = push.info;
  request.ref = push.ref;
  request.before = push.before;
  request.created = push.created;
  request.deleted = push.deleted;
  request.forced = push.forced;
  const auto decided = gate_.HandlePush(request);
  if (!decided) return Fail(decided.error());
  for (const gate::PushDecision& decision : *decided) {
    const std::string_view word = gate::ToString(decision.kind);
    decisions.push_back({.service = decision.service,
                         .decision = std::string(word),
                         .why = decision.why == word ? "" : decision.why,
                         .acted = decision.kind != gate::PushDecision::Kind::kIgnored});
  }
  return decisions;
}

}  // namespace shipmate::webhook
