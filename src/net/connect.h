#pragma once

// The first steps of every outgoing connection: look-up, TCP, TLS. Internal to net. REQUIRES, for all: the caller sets
// a time limit around them (async::WithDeadline).

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "net/url.h"

namespace shipmate::net {

using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

/// "discord.com:443", the port always shown: for errors.
std::string HostAndPort(const Url& url);
/// "connecting to discord.com:443".
std::string ConnectingTo(const Url& url);

/// Tries the addresses of the host in turn, each with its share of `limit`; the most telling failure when none
/// answers.
Task<Result<boost::asio::ip::tcp::socket>> ConnectTcp(Executor executor, Url url, std::chrono::milliseconds limit);

/// The client's half of the handshake, with the name sent (SNI) and verified. `stream` outlives the task.
/// Errors: kTls, saying why the certificate was refused; kClosed, kIo.
Task<Result<void>> HandshakeAsClient(TlsStream& stream, Url url);

/// Closes with a TCP reset instead of an orderly end.
void CloseHard(boost::asio::ip::tcp::socket& socket);

}  // namespace shipmate::net
