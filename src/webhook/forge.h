#pragma once

// Forge: what differs from one forge to the next. An implementation checks a request's signature, and reads what the
// request tells; it decides nothing. It is asked to read only what it has verified.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_types.h"
#include "webhook/payload.h"
#include "webhook/push.h"
#include "webhook/secrets.h"

namespace shipmate::webhook {

class Forge {
 public:
  virtual ~Forge() = default;
  /// "github": the last part of its path, and its name in logs and answers.
  virtual std::string_view Name() const = 0;
  /// Whether the request was made by someone who knows one of the secrets, by its header and its body as it came.
  /// kAuth, for the log alone, saying what was looked at; it shows no part of a signature or secret.
  virtual Result<void> Verify(const net::HttpRequest& request, Secrets& secrets, base::WallTime now) const = 0;
  /// Also gives the event's name as the forge has it: "push", "Push Hook".
  virtual EventKind KindOf(const net::HttpRequest& request, std::string& event) const = 0;
  /// Reads a push from the document that `payload` holds. Faults are the reader's; kInvalid for any other.
  virtual Result<Push> ReadPush(const net::HttpRequest& request, PayloadReader& payload) const = 0;
};

}  // namespace shipmate::webhook
