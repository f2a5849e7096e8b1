#pragma once

// The composition of the program, by hand and in one place: who is made of what, in which order things start and end.

#include "app/options.h"

namespace shipmate::app {

/// Runs the program to its end and gives its exit status: 0 after a shutdown that was asked for (also by a
/// self-deploy), 1 when the state directory is in use or something essential fails, 2 for a configuration that cannot
/// be used. In the last two cases no service was touched, and one clear line, or one a problem, was printed to standard
/// error.
int Run(const Options& options);

}  // namespace shipmate::app
