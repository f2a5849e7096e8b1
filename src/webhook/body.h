#pragma once

// The JSON text within a request's body, which forges send as it is or as the field of a form.

#include <string>

#include "base/result.h"
#include "net/http_types.h"

namespace shipmate::webhook {

/// Takes the JSON out of the body of `request`; a form stays where it is. kRefused for content or encoding that is no
/// JSON in UTF-8; kInvalid for a broken form.
Result<std::string> TakeJson(net::HttpRequest& request);

}  // namespace shipmate::webhook
