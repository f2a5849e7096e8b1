#include "net/connect.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <optional>
#include <utility>

#include "async/deadline.h"
#include "net/net_error.h"
#include "net/resolve.h"

namespace shipmate::net {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

Task<Result<tcp::socket>> ConnectOne(Executor executor, tcp::endpoint endpoint, std::string what) {
  tcp::socket socket(executor);
  const auto [error] = co_await socket.async_connect(endpoint, kToken);
  if (error) co_return Fail(ToError(error, what));
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  co_return socket;
}

// Why the peer's certificate was refused, in the words of its user.
std::string VerifyReason(long result, const Url& url) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired; renew it, or set this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet; check this machine's clock";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("its certificate was issued for another name than {}; check the host name in the URL",
                         url.host);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "its certificate is self-signed and not trusted; set ca_file to the certificate of its authority";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return "its certificate was issued by an authority that is not trusted; set ca_file to that authority's "
             "certificate";
    default:
      return fmt::format("its certificate is not valid: {}", X509_verify_cert_error_string(result));
  }
}

Error HandshakeError(TlsStream& stream, const boost::system::error_code& code, const Url& url) {
  const std::string what = ConnectingTo(url);
  if (const long result = SSL_get_verify_result(stream.native_handle()); result != X509_V_OK) {
    return {Errc::kTls, fmt::format("{}: {}", what, VerifyReason(result, url))};
  }
  if (code.category() == asio::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(code.value())) == SSL_R_WRONG_VERSION_NUMBER) {
    return {Errc::kTls, what + ": the server does not speak TLS on this port; check scheme and port of the URL"};
  }
  return ToError(code, what);
}

bool IsAddress(const std::string& host) {
  boost::system::error_code not_numeric;
  asio::ip::make_address(host, not_numeric);
  return !not_numeric;
}

}  // namespace

std::string HostAndPort(const Url& url) {
  const bool brackets = url.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", brackets ? "[" : "", url.host, brackets ? "]" : "", url.port);
}

std::string ConnectingTo(const Url& url) {
  return "connecting to " + HostAndPort(url);
}

Task<Result<tcp::socket>> ConnectTcp(Executor executor, Url url, std::chrono::milliseconds limit) {
  const std::string what = ConnectingTo(url);
  auto endpoints = co_await Resolve(url.host, url.port, what);
  if (!endpoints) co_return Fail(std::move(endpoints.error()));
  const std::chrono::milliseconds share = limit / static_cast<std::int64_t>(endpoints->size());
  std::optional<Error> telling;
  for (const tcp::endpoint& endpoint : *endpoints) {
    auto socket = co_await async::WithDeadline(ConnectOne(executor, endpoint, what), share, what);
    if (socket) co_return socket;
    // An address family that this machine cannot reach says less than a server that refused.
    if (!telling || telling->code == Errc::kIo) telling = std::move(socket.error());
  }
  co_return Fail(std::move(*telling));
}

Task<Result<void>> HandshakeAsClient(TlsStream& stream, Url url) {
  SSL* ssl = stream.native_handle();
  bool prepared = false;
  if (IsAddress(url.host)) {
    prepared = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url.host.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    prepared = SSL_set_tlsext_host_name(ssl, url.host.c_str()) == 1 && SSL_set1_host(ssl, url.host.c_str()) == 1;
  }
  if (!prepared) co_return Fail(Errc::kTls, ConnectingTo(url) + ": OpenSSL refused the host name");
  const auto [error] = co_await stream.async_handshake(TlsStream::client, kToken);
  if (error) co_return Fail(HandshakeError(stream, error, url));
  co_return Result<void>();
}

void CloseHard(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

}  // namespace shipmate::net
