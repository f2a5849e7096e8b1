#include "os/signals.h"

#include <boost/asio/use_awaitable.hpp>
#include <csignal>

namespace shipmate::os {

namespace {

// Asio installs its handlers with no flags. Without SA_RESTART each signal would interrupt the system calls of worker
// threads; and a child that merely stops is no reason to wake up.
void AddFlags(int signal) {
  struct sigaction action{};
  if (::sigaction(signal, nullptr, &action) != 0) return;
  action.sa_flags |= SA_RESTART;
  if (signal == SIGCHLD) action.sa_flags |= SA_NOCLDSTOP;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

SignalWatcher::SignalWatcher(const Executor& executor, std::initializer_list<int> signals) : signals_(executor) {
  for (const int signal : signals) {
    signals_.add(signal);
    AddFlags(signal);
  }
}

Task<int> SignalWatcher::Next() {
  co_return co_await signals_.async_wait(boost::asio::use_awaitable);
}

void SignalWatcher::RestoreDefaults() {
  signals_.cancel();
  signals_.clear();
}

void IgnoreBrokenPipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace shipmate::os
