#pragma once

// The heap of a program that lives long: what a burst of work needed goes back to the system.

namespace shipmate::os {

/// Keeps what big buffers need out of the heap, whose top a single small one would hold (mallopt(3), M_MMAP_THRESHOLD):
/// for a program that runs for months. Once, before anything else.
void KeepHeapSmall();

/// Unused memory of the heap goes back (malloc_trim(3)); a millisecond or a few. Does nothing where the C library
/// cannot.
void GiveBackMemory();

}  // namespace shipmate::os
