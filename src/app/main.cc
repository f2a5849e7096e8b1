#include <cstdio>
#include <exception>

#include "app/app.h"
#include "app/options.h"

int main(int argc, char** argv) {
  const auto parsed = shipmate::app::ParseOptions(argc, argv);
  if (parsed.exit_status) return *parsed.exit_status;
  try {
    return shipmate::app::Run(parsed.options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "shipmate: %s\n", error.what());
    return 2;
  }
}
