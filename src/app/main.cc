#include <cstdio>
#include <exception>

#include "app/app.h"
#include "app/options.h"
#include "os/exec_helper.h"
#include "os/heap.h"

int main(int argc, char** argv) {
  if (shipmate::os::IsExecHelper(argc, argv)) return shipmate::os::RunExecHelper();
  shipmate::os::KeepHeapSmall();
  const auto parsed = shipmate::app::ParseOptions(argc, argv);
  if (parsed.exit_status) return *parsed.exit_status;
  try {
    return shipmate::app::Run(parsed.options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "shipmate: %s\n", error.what());
    // Not 2, which means that it would be no use to try again.
    return 1;
  }
}
