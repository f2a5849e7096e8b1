#include "net/resolve.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "os/unique_fd.h"

namespace shipmate::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// Owned by the loop and the thread together. The thread fills in the outcome, then signals `done`; the loop looks at
// the outcome only after it read that signal. The thread knows neither the loop nor anything else that may be gone.
struct LookUp {
  std::string host;
  std::uint16_t port = 0;
  os::UniqueFd done;
  int outcome = 0;
  int error_number = 0;
  std::vector<tcp::endpoint> endpoints;
};

void RunLookUp(LookUp& look_up) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  look_up.outcome = getaddrinfo(look_up.host.c_str(), nullptr, &hints, &list);
  look_up.error_number = errno;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    tcp::endpoint endpoint;
    if (entry->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
    endpoint.resize(entry->ai_addrlen);
    endpoint.port(look_up.port);
    look_up.endpoints.push_back(endpoint);
  }
  if (list != nullptr) freeaddrinfo(list);
  const std::uint64_t one = 1;
  // Cannot fail: the counter of an eventfd of our own is far from its maximum.
  static_cast<void>(!write(look_up.done.Get(), &one, sizeof one));
}

Result<void> StartThread(const std::shared_ptr<LookUp>& look_up, const std::string& what) {
  // The program's signals belong to the loop's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string failure;
  try {
    std::thread([look_up] { RunLookUp(*look_up); }).detach();
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!failure.empty()) return Fail(Errc::kIo, what + ": no thread for the name look-up: " + failure);
  return {};
}

Error LookUpError(const LookUp& look_up, const std::string& what) {
  switch (look_up.outcome) {
    case 0:
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
      return {Errc::kNotFound, what + ": no host of that name was found; check its spelling"};
    case EAI_AGAIN:
      return {Errc::kIo, what + ": the name server gave no answer; check this machine's network"};
    case EAI_SYSTEM:
      return {Errc::kIo, what + ": name look-up failed: " + std::strerror(look_up.error_number)};
    default:
      return {Errc::kIo, what + ": name look-up failed: " + gai_strerror(look_up.outcome)};
  }
}

}  // namespace

Task<Result<std::vector<tcp::endpoint>>> Resolve(std::string host, std::uint16_t port, std::string what) {
  boost::system::error_code not_numeric;
  const asio::ip::address address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) co_return std::vector<tcp::endpoint>{tcp::endpoint(address, port)};
  if (host == "localhost") {
    // RFC 6761 section 6.3: never asked of a name server.
    co_return std::vector<tcp::endpoint>{tcp::endpoint(asio::ip::address_v4::loopback(), port),
                                         tcp::endpoint(asio::ip::address_v6::loopback(), port)};
  }

  auto look_up = std::make_shared<LookUp>();
  look_up->host = std::move(host);
  look_up->port = port;
  look_up->done.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int ours = look_up->done ? fcntl(look_up->done.Get(), F_DUPFD_CLOEXEC, 0) : -1;
  if (ours < 0) co_return FailErrno(errno, what + ": starting the name look-up");
  asio::posix::stream_descriptor done(co_await asio::this_coro::executor, ours);
  if (const auto started = StartThread(look_up, what); !started) co_return Fail(started.error());
  co_await done.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  std::uint64_t signal = 0;
  static_cast<void>(!read(done.native_handle(), &signal, sizeof signal));
  if (look_up->endpoints.empty()) co_return Fail(LookUpError(*look_up, what));
  co_return std::move(look_up->endpoints);
}

}  // namespace shipmate::net
