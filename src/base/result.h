#pragma once

// Result<T>: the outcome of an operation whose failure is an ordinary event. A failure carries an Error: a short code
// for the program, and a finished phrase for a person that names what was tried ("starting 'api': no such file").
// Exceptions are kept for start-up; a broken invariant aborts.

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <utility>

namespace shipmate::base {

/// What kind of failure it was, as far as a caller may want to act on it.
enum class Errc {
  kNotFound,     ///< the thing named does not exist
  kInvalid,      ///< the input is wrong; trying again will not help
  kTimeout,      ///< a time limit of ours ran out
  kCancelled,    ///< we gave it up ourselves (shutdown); not to be logged
  kClosed,       ///< the other side ended the connection
  kRefused,      ///< not allowed, or not now
  kAuth,         ///< credentials were rejected
  kRateLimited,  ///< too many requests; see Error::retry_after
  kTooLarge,     ///< a limit on size was exceeded
  kIo,           ///< the system or the network failed
  kTls,          ///< certificate or handshake failure
  kProtocol,     ///< the other side broke its protocol
  kSpawn,        ///< a program could not be started
  kBusy,         ///< another operation is in the way
};

/// The name of `code` in lower case ("not found"), for logs.
const char* ToString(Errc code);

struct Error {
  Errc code = Errc::kIo;
  /// A finished phrase without a newline, a final full stop or a secret.
  std::string what;
  /// How long the other side asked us to wait, where it did.
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;

  bool operator==(const Error&) const = default;
};

template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

/// Makes the failure side of any Result: `return Fail(Errc::kNotFound, "service \"x\" not found");`
inline std::unexpected<Error> Fail(Errc code, std::string what) {
  return std::unexpected<Error>(Error{code, std::move(what)});
}
inline std::unexpected<Error> Fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

/// The failure for errno value `error_number`: "<what>: <strerror text>", with the code that fits it.
std::unexpected<Error> FailErrno(int error_number, std::string what);

}  // namespace shipmate::base

namespace shipmate {
using base::Errc;
using base::Error;
using base::Fail;
using base::FailErrno;
using base::Result;
}  // namespace shipmate
