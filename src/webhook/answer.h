#pragma once

// The bodies of answers: JSON for what was understood, one line of text for what was not.

#include <string>
#include <string_view>
#include <vector>

#include "net/http_types.h"
#include "webhook/push.h"
#include "webhook/receiver.h"

namespace shipmate::webhook {

/// One line of plain text.
net::HttpResponse Line(unsigned status, std::string_view text);
/// 200 with `event` and `result`.
net::HttpResponse Short(std::string_view event, std::string_view result);
/// "api: queued; web: ignored: branch dev, service deploys main", or that no service has the repository.
std::string Summary(const Push& push, const std::vector<Decision>& decisions);
/// 200 with everything that was decided.
net::HttpResponse Decided(const Push& push, const std::vector<Decision>& decisions);

}  // namespace shipmate::webhook
