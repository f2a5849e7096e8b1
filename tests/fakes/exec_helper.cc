// The exec helper as a program of its own, for tests whose binary has another `main`.

#include <cstdio>

#include "os/exec_helper.h"

int main(int argc, char** argv) {
  if (shipmate::os::IsExecHelper(argc, argv)) return shipmate::os::RunExecHelper();
  std::fputs("exec-helper: only started by tests\n", stderr);
  return 2;
}
