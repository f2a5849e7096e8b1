#include "config/deploy_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace shipmate::config {

namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::array<std::pair<std::string_view, Confirm>, 3> kConfirms = {{
    {"never", Confirm::kNever},
    {"webhook", Confirm::kWebhook},
    {"always", Confirm::kAlways},
}};

constexpr std::array<std::pair<std::string_view, bool>, 2> kConfirmBy = {{
    {"anyone", false},
    {"other", true},
}};

constexpr std::array<std::string_view, 3> kPlatforms = {"console", "discord", "mattermost"};

// "discord:100000000000000001": a person's stable id, with the platform that gave it.
bool IsPerson(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return false;
  const std::string_view id = text.substr(colon + 1);
  return std::ranges::find(kPlatforms, text.substr(0, colon)) != kPlatforms.end() &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; });
}

void ReadConfirmation(Fields& fields, ServiceConfig& service) {
  service.confirm = fields.Word("confirm", kConfirms);
  const Node* both = fields.Find("confirm");
  if (both != nullptr && fields.Find("require_confirmation") != nullptr) {
    fields.Problem("confirm", both->key_mark,
                   "cannot stand beside require_confirmation, which is the same as `confirm: webhook`; remove one");
  }
  service.confirm_by_other = fields.Word("confirm_by", kConfirmBy).value_or(false);
  for (Placed& person : fields.Texts("approvers")) {
    if (!IsPerson(person.text)) {
      fields.Problem("approvers", person.mark,
                     fmt::format("{} is nobody's id; write the platform and the id, such as "
                                 "\"discord:100000000000000001\" (platforms: {})",
                                 Shown(person.text), fmt::join(kPlatforms, ", ")));
    } else if (std::ranges::find(service.approvers, person.text) != service.approvers.end()) {
      fields.Problem("approvers", person.mark, fmt::format("{} is there twice", person.text));
    }
    service.approvers.push_back(std::move(person.text));
  }
  service.confirm_ttl = fields.Duration("confirm_ttl", seconds(10), hours(24 * 7)).value_or(service.confirm_ttl);
  if (service.Confirmation() != Confirm::kNever) return;
  for (const std::string_view key : {"confirm_by", "approvers", "confirm_ttl"}) {
    const Node* node = fields.Find(key);
    if (node != nullptr) fields.Warn(key, node->key_mark, "has no effect: nothing asks for a confirmation");
  }
}

std::vector<std::string> ReadSteps(Fields& fields, std::string_view key) {
  std::vector<std::string> steps;
  for (Placed& step : fields.Texts(key)) {
    if (base::Trim(step.text).empty()) {
      fields.Problem(fmt::format("{}[{}]", key, steps.size() + 1), step.mark, "the step is empty");
    }
    steps.push_back(std::move(step.text));
  }
  return steps;
}

}  // namespace

void ReadDeployKeys(Fields& fields, ServiceConfig& service) {
  service.require_confirmation = fields.Switch("require_confirmation").value_or(false);
  ReadConfirmation(fields, service);
  service.deploy_timeout = fields.Duration("deploy_timeout", seconds(1), hours(24)).value_or(service.deploy_timeout);
  service.step_timeout = fields.Duration("step_timeout", seconds(1), hours(24)).value_or(service.step_timeout);
  service.step_idle_timeout =
      fields.Duration("step_idle_timeout", seconds(1), hours(24)).value_or(service.step_idle_timeout);
  service.deploy = ReadSteps(fields, "deploy");
  service.rollback = ReadSteps(fields, "rollback");
  service.auto_rollback = fields.Switch("auto_rollback").value_or(false);
  if (service.auto_rollback && service.rollback.empty()) {
    fields.Problem("auto_rollback", fields.Find("auto_rollback")->key_mark,
                   "needs `rollback:`, the steps that bring the version before back");
  }
}

}  // namespace shipmate::config
