// A service for the benchmarks of supervisors: ledger_service NAME LEDGER. As soon as it runs it appends one line,
// "NAME PID NANOSECONDS" (CLOCK_MONOTONIC), in one write, and then sleeps until it is ended. What a supervisor does is
// timed by these lines and by the ends of the processes, not by what it says.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

int main(int argc, char** argv) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (argc != 3) return 2;
  char line[256];
  const int size = std::snprintf(line, sizeof line, "%s %d %lld\n", argv[1], static_cast<int>(getpid()),
                                 static_cast<long long>(now.tv_sec) * 1'000'000'000LL + now.tv_nsec);
  const int ledger = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (ledger < 0 || size >= static_cast<int>(sizeof line) ||
      write(ledger, line, static_cast<std::size_t>(size)) != size) {
    return 3;
  }
  close(ledger);
  while (true) pause();
}
