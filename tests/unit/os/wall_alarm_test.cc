#include "os/wall_alarm.h"

#include <boost/asio/io_context.hpp>

#include "async/spawn.h"
#include "unit/os/support.h"
#include "unit/run_task.h"

using namespace shipmate;
using namespace shipmate::os;
using tests::RunTask;
using namespace std::chrono_literals;

TEST_CASE("an alarm goes off when its time has come, at once when that is past, and when it is woken") {
  boost::asio::io_context loop{1};
  auto alarm = WallAlarm::Create(loop.get_executor());
  REQUIRE(alarm.has_value());
  const auto began = std::chrono::system_clock::now();
  RunTask(loop, (*alarm)->Wait(50ms));
  CHECK(std::chrono::system_clock::now() - began >= 50ms);
  RunTask(loop, (*alarm)->Wait(-1h));
  (*alarm)->Wake();
  RunTask(loop, (*alarm)->Wait(std::nullopt));

  async::TaskGroup waiting(loop.get_executor());
  waiting.Spawn("alarm", (*alarm)->Wait(std::nullopt));
  loop.restart();
  loop.run_for(20ms);
  CHECK(waiting.Size() == 1);
  (*alarm)->Wake();
  CHECK(RunTask(loop, waiting.Join(30s)));
  waiting.Spawn("alarm", (*alarm)->Wait(1h));
  loop.restart();
  loop.run_for(20ms);
  waiting.Cancel();
  CHECK(RunTask(loop, waiting.Join(30s)));
}
