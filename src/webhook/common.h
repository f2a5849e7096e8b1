#pragma once

// What the codecs of the forges share.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_types.h"
#include "webhook/payload.h"
#include "webhook/push.h"
#include "webhook/secrets.h"

namespace shipmate::webhook {

/// The keys of a commit that list files, alike for all forges.
extern const std::vector<std::string_view> kTouched;

/// The value of a header that must be there exactly once: of two, a proxy and we might believe different ones.
Result<std::string_view> OnlyHeader(const net::HttpRequest& request, std::string_view name);

/// The first of the headers that is there and not empty; "" when none is.
std::string FirstHeader(const net::HttpRequest& request, std::initializer_list<std::string_view> names);

/// Whether `commit` is the id that stands for no commit.
bool IsZeros(std::string_view commit);

/// For forges that list the commits of a push without saying which is the newest: what is told about
/// `push.info.commit_id`.
void ReadCommit(PayloadReader& payload, Push& push);

/// The files of all commits; they are all known when the list is as long as the number at `total` says.
void ReadFiles(PayloadReader& payload, Push& push, std::string_view total);

/// kAuth unless `hex`, of the header `name`, signs `body`.
Result<void> CheckHex(std::string_view hex, std::string_view name, std::string_view body, Secrets& secrets);

}  // namespace shipmate::webhook
