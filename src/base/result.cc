#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace shipmate::base {

const char* ToString(Errc code) {
  switch (code) {
    case Errc::kNotFound:
      return "not found";
    case Errc::kInvalid:
      return "invalid";
    case Errc::kTimeout:
      return "timeout";
    case Errc::kCancelled:
      return "cancelled";
    case Errc::kClosed:
      return "closed";
    case Errc::kRefused:
      return "refused";
    case Errc::kAuth:
      return "auth";
    case Errc::kRateLimited:
      return "rate limited";
    case Errc::kTooLarge:
      return "too large";
    case Errc::kIo:
      return "io";
    case Errc::kTls:
      return "tls";
    case Errc::kProtocol:
      return "protocol";
    case Errc::kSpawn:
      return "spawn";
    case Errc::kBusy:
      return "busy";
  }
  return "unknown";
}

namespace {
Errc FromErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ESRCH:
    case ENOTDIR:
      return Errc::kNotFound;
    case EACCES:
    case EPERM:
      return Errc::kRefused;
    case EINVAL:
    case ENAMETOOLONG:
      return Errc::kInvalid;
    case ETIMEDOUT:
      return Errc::kTimeout;
    case ECANCELED:
      return Errc::kCancelled;
    case EBUSY:
    case EWOULDBLOCK:
      return Errc::kBusy;
    case EFBIG:
    case EMSGSIZE:
      return Errc::kTooLarge;
    default:
      return Errc::kIo;
  }
}
}  // namespace

std::unexpected<Error> FailErrno(int error_number, std::string what) {
  // generic_category().message() is thread-safe where strerror() is not; its texts are glibc's with a capital.
  std::string text = std::generic_category().message(error_number);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return Fail(FromErrno(error_number), what + ": " + text);
}

}  // namespace shipmate::base
