#pragma once

// WireWatch: how long this process itself takes from one connection to another, without the kernel's way to and from
// it: what the wake-up of an idle machine costs is no work of ours. It stands before the C library's recvmsg and
// sendmsg, which Asio uses for sockets. Nothing is counted before WatchWire.

#include <vector>

namespace shipmate::bench {

/// From now on, what is read from one socket and followed by a write to another counts as answered by it.
void WatchWire();
/// Microseconds from the begin of the first read that gave bytes to the begin of the write on another socket.
const std::vector<double>& WireTimes();

}  // namespace shipmate::bench
